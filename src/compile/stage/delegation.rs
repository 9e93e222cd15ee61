use crate::{
    compile::{Child, Inputs},
    contract::{ArgumentFault, SealedContract},
    proposal::{ChildQuote, Code, Plan, Quote, Refusal, Stage},
    writ::{ChildRequest, Excess, MAX_CHAIN_LINKS, Narrowing},
};

/// The child that a delegation asks for; none for any other call.
pub(in crate::compile) fn child(
    inputs: &Inputs<'_>,
    contract: &SealedContract,
    quote: &Quote,
) -> Result<Option<Box<Child>>, Refusal> {
    if !contract.is_delegate() {
        return Ok(None);
    }
    let refuse = |code| Refusal::new(Stage::Delegation, code);
    let malformed = |fault: ArgumentFault| refuse(Code::ArgumentsMalformed).at(&fault.pointer).allowed(&fault.keyword);
    let (intent, chain) = (inputs.intent, inputs.standing.chain);
    let request = ChildRequest::from_args(intent.args()).map_err(malformed)?;
    let Some(ChildQuote { subject, .. }) = quote.child.as_deref() else {
        return Err(refuse(Code::SubjectKeyUnavailable).asked(chain.leaf().subject.key));
    };
    let writ = request.writ((chain.id(), chain.leaf()), subject.clone(), intent.record().nonce);
    let too_large = |error: &dyn std::fmt::Display| refuse(Code::ArgumentsMalformed).allowed(error);
    writ.check_limits().map_err(|error| too_large(&error))?;
    let writ_id = writ.id().map_err(|error| too_large(&error))?;
    let task = intent.task(&request.task).map_err(|error| too_large(&error))?;
    Ok(Some(Box::new(Child { task, writ, writ_id })))
}

/// The child is within its parent, and there are not too many.
pub(super) fn check(inputs: &Inputs<'_>, quote: &Quote, child: Option<&Child>) -> Result<(), Refusal> {
    let (Some(child), Some(around)) = (child, quote.child.as_deref()) else { return Ok(()) };
    if inputs.branch {
        return Err(Refusal::new(Stage::Delegation, Code::NotInBranch));
    }
    let chain = inputs.standing.chain;
    if let Some(Plan::Delegate { writ, .. }) = inputs.earlier.and_then(|earlier| earlier.resolved).map(|of| of.plan)
        && writ != child.writ_id
    {
        // The key that the child was to have is not to be had any more, and votes were on that child.
        let refusal = Refusal::new(Stage::Delegation, Code::SubjectKeyUnavailable);
        return Err(refusal.asked(around.subject.key));
    }
    let links = chain.links().len();
    if links >= MAX_CHAIN_LINKS {
        let refusal = Refusal::new(Stage::Delegation, Code::TooManyRuns).at("chain");
        return Err(refusal.asked(links + 1).allowed(MAX_CHAIN_LINKS));
    }
    if let Some(tool) = inputs.denied.iter().find(|tool| child.writ.scopes.iter().any(|scope| scope.tool.matches(tool)))
    {
        return Err(Refusal::new(Stage::Delegation, Code::DeniedBefore).at("tools").asked(tool));
    }
    child.writ.is_within(chain.leaf()).map_err(|excess| exceeds(&excess))?;
    let beyond =
        |skill: &Narrowing| Some((skill.skill.reference(), skill.exceeded_by_child(&child.writ, &quote.cost)?));
    if let Some((skill, what)) = inputs.skills.iter().find_map(beyond) {
        let refusal = Refusal::new(Stage::Delegation, Code::ChildExceedsParent);
        return Err(refusal.at(format_args!("skill:{skill}/{what}")));
    }
    let limits = inputs.policies.coordination();
    let counted = [
        ("generation", u64::from(around.generation), u64::from(limits.generations)),
        ("children", around.children.saturating_add(1), limits.children),
        ("descendants", around.descendants.saturating_add(1), limits.descendants),
    ];
    match counted.into_iter().find(|(_, asked, allowed)| asked > allowed) {
        Some((what, asked, allowed)) => {
            Err(Refusal::new(Stage::Delegation, Code::TooManyRuns).at(what).asked(asked).allowed(allowed))
        }
        None => Ok(()),
    }
}

fn exceeds(excess: &Excess) -> Refusal {
    let refuse = |pointer: &str, asked: &dyn ToString, allowed: &dyn ToString| {
        let refusal = Refusal::new(Stage::Delegation, Code::ChildExceedsParent).at(pointer);
        refusal.asked(asked.to_string()).allowed(allowed.to_string())
    };
    match excess {
        Excess::NotDelegable => Refusal::new(Stage::Delegation, Code::NotDelegable),
        Excess::Depth { child, parent } => refuse("depth", child, &parent.saturating_sub(1)),
        Excess::Effect { child, parent } => refuse("effects", child, parent),
        Excess::Budget { dimension, child, parent } => refuse(dimension.as_str(), child, parent),
        Excess::Scope { scope } => Refusal::new(Stage::Delegation, Code::ChildExceedsParent).at("tools").asked(scope),
        Excess::Tenant { .. } | Excess::Audience | Excess::Window => {
            Refusal::new(Stage::Delegation, Code::ChildExceedsParent).asked(excess)
        }
    }
}

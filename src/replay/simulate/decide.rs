use std::sync::Arc;

use super::{
    Simulated,
    change::{Premise, times},
};
use crate::{
    canon::{CanonError, PolicySetHash},
    compile::{Asked, Inputs, Standing, admit, compile},
    policy::PolicySet,
    proposal::{Code, Decision, PolicyTrace, Proposal, Status},
    replay::rederive::Gap,
    world::Resource,
};

/// What a decision would be.
#[derive(Debug)]
pub(in crate::replay) struct Verdict {
    pub(super) now: Simulated,
    /// Whether it rests on a verdict of Rust code, which is taken as it is recorded.
    pub(super) asserted: bool,
    /// The rules that speak, where it is another decision.
    pub(super) rules: Vec<String>,
    pub(super) terms: Terms,
}

/// What a request would have been asked under.
#[derive(Debug, Clone)]
pub(in crate::replay) struct Terms {
    policy_set: PolicySetHash,
    trace: PolicyTrace,
}

/// Decides once more what was decided as `recorded`, from the inputs that it follows from, with a change in them.
/// `earlier` has the terms of the request that the intent waited on.
pub(super) fn decide(
    premise: &Premise,
    inputs: &Inputs<'_>,
    recorded: &Decision,
    earlier: Option<Terms>,
) -> Result<Result<Verdict, Gap>, CanonError> {
    let policies = match premise.policies(inputs.policies) {
        Ok(policies) => policies,
        Err(gap) => return Ok(Err(gap)),
    };
    let erased = |value: Option<&Resource>| value.is_some_and(|resource| resource.value.is_none());
    if policies.resources().any(|resource| erased(inputs.world.get(resource))) {
        return Ok(Err(Gap::Erased));
    }
    let (chain, balances) = premise.chain(inputs.standing.chain, inputs.balances);
    let Standing { clock_ms, now_ms, .. } = inputs.standing;
    let same_chain = chain.id() == inputs.standing.chain.id();
    let (clock_ms, now_ms) = if same_chain { (clock_ms, now_ms) } else { times(chain, clock_ms, now_ms) };
    let revoked = premise.revoked(chain, inputs.standing.revoked);
    let earlier = inputs.earlier.zip(earlier).map(|(proposal, Terms { policy_set, trace })| Proposal {
        decision: Decision { policy_set, trace, ..proposal.decision.clone() },
        ..proposal.clone()
    });
    let inputs = Inputs {
        balances: &balances,
        earlier: earlier.as_ref(),
        policies: &policies,
        standing: Standing { chain, clock_ms, now_ms, revoked: &revoked, ..inputs.standing },
        ..*inputs
    };
    let asked = recorded.quote.clone().map(|quote| Asked { claim: recorded.claim, quote });
    let unanswered = matches!(&recorded.status, Status::Rejected(refusal) if refusal.code == Code::QuoteUnavailable);
    let admitted = asked.is_none() && !unanswered && admit(&inputs)?.is_ok();
    let decision = Arc::unwrap_or_clone(compile(&inputs, asked)?.into_proposal()).decision;
    let terms = Terms { policy_set: decision.policy_set, trace: decision.trace.clone() };
    if admitted {
        // It was refused before its tool was asked: what the tool would say is not on record.
        return Ok(Ok(Verdict { now: Simulated::ReachesTool, asserted: false, rules: Vec::new(), terms }));
    }
    let spoke = |decision: &Decision| !decision.trace.asserted.is_empty() || !decision.trace.failed.is_empty();
    if spoke(&decision) && !(spoke(recorded) && same_chain) {
        return Ok(Err(Gap::Unasked));
    }
    let asserted = decision.rests_on_code();
    let now = Simulated::Decided(decision.status);
    let rules = if now.is_as(&recorded.status) { Vec::new() } else { named(&policies, &terms.trace) };
    Ok(Ok(Verdict { now, asserted, rules, terms }))
}

/// The rules that fired or could not be judged, by name.
fn named(policies: &PolicySet, trace: &PolicyTrace) -> Vec<String> {
    let rules = trace.fired.iter().chain(&trace.unknown).filter_map(|index| policies.rule(*index));
    rules.map(|(bundle, rule)| format!("{}/{}", bundle.name, rule.name)).collect()
}

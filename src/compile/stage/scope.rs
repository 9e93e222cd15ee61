use crate::{
    compile::Inputs,
    contract::SealedContract,
    proposal::{Code, Refusal, Stage},
    writ::WritBody,
};

/// Every link needs a scope whose pattern and pins cover the tool.
pub(super) fn check(inputs: &Inputs<'_>, contract: Option<&SealedContract>) -> Result<(), Refusal> {
    let tool = &inputs.intent.record().target;
    for (index, (_, writ)) in inputs.standing.chain.links().enumerate() {
        if writ.scopes.iter().any(|scope| scope.covers(tool, contract)) {
            continue;
        }
        let refuse = |code| Refusal::new(Stage::Scope, code).at(index);
        let pinned =
            writ.scopes.iter().find(|scope| scope.tool.matches(tool)).and_then(|scope| scope.contracts.as_ref());
        return Err(match (pinned, contract) {
            (Some(pins), Some(contract)) => {
                refuse(Code::ContractNotPinned).asked(contract.hash()).allowed(join(pins.iter()))
            }
            _ => refuse(Code::OutOfScope).asked(tool).allowed(patterns(writ)),
        });
    }
    Ok(())
}

fn patterns(writ: &WritBody) -> String {
    if writ.scopes.is_empty() { "nothing".into() } else { join(writ.scopes.iter().map(|scope| &scope.tool)) }
}

fn join(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}

use crate::{
    compile::Inputs,
    contract::{Effect, SealedContract},
    intent::IntentKind,
    proposal::{Code, Refusal, Stage},
};

pub(super) fn check(inputs: &Inputs<'_>, contract: Option<&SealedContract>) -> Result<(), Refusal> {
    let kind = inputs.intent.record().kind;
    let refuse = |code| Err(Refusal::new(Stage::IntentKind, code).asked(kind));
    match (kind, contract) {
        (IntentKind::Query, Some(contract)) if contract.effect > Effect::Read => {
            refuse(Code::QueryWithEffect).map_err(|refusal| refusal.allowed(Effect::Read))
        }
        // What is delegated is asked for as such, whatever the contract's effect.
        (IntentKind::Delegate, Some(contract)) if contract.is_delegate() => Ok(()),
        (IntentKind::Act | IntentKind::Query, contract) if !contract.is_some_and(|contract| contract.is_delegate()) => {
            Ok(())
        }
        _ => refuse(Code::UnsupportedKind),
    }
}

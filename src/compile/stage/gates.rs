use super::Request;
use crate::{
    compile::Inputs,
    contract::{Effect, SealedContract},
    proposal::Quote,
};

/// Tools at or above a risk class need approval, whatever the policies permit.
pub(super) fn risk(inputs: &Inputs<'_>, contract: &SealedContract) -> Option<Request> {
    let gates = inputs.policies.gates();
    let from = gates.approve_risk_from.filter(|from| contract.risk >= *from)?;
    let reason = format!("risk {} is at or above {from}", contract.risk);
    Some(Request { channel: gates.channel.clone(), reason })
}

/// What cannot be taken back needs approval, whatever the policies permit.
pub(super) fn compensation(inputs: &Inputs<'_>, contract: &SealedContract, quote: &Quote) -> Option<Request> {
    let gates = inputs.policies.gates();
    let gated = gates.approve_uncompensable && contract.effect == Effect::Irreversible && !quote.compensable;
    gated.then(|| Request { channel: gates.channel.clone(), reason: "irreversible and cannot be undone".into() })
}

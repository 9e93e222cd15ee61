use super::Request;
use crate::{
    compile::Inputs,
    contract::{Effect, SealedContract},
    proposal::{Quote, Stage},
};

/// Tools at or above a risk class need approval, whatever the policies permit.
pub(super) fn risk(inputs: &Inputs<'_>, contract: &SealedContract) -> Option<Request> {
    let gates = inputs.policies.gates();
    gates.approve_risk_from.filter(|from| contract.risk >= *from)?;
    Some(Request { channel: gates.channel.clone(), reason: Stage::RiskGate.to_string() })
}

/// What cannot be taken back needs approval, whatever the policies permit.
pub(super) fn compensation(inputs: &Inputs<'_>, contract: &SealedContract, quote: &Quote) -> Option<Request> {
    let gates = inputs.policies.gates();
    let gated = gates.approve_uncompensable && contract.effect == Effect::Irreversible && !quote.compensable;
    gated.then(|| Request { channel: gates.channel.clone(), reason: Stage::CompensationGate.to_string() })
}

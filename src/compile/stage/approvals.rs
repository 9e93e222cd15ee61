use super::Request;
use crate::{
    compile::Inputs,
    proposal::{Code, Decision, PolicyTrace, Quote, Refusal, Stage, Status},
};

/// Every channel that was asked has to have its quorum; one denial vetoes, and stands for the rest of the run.
pub(super) fn check(
    inputs: &Inputs<'_>,
    quote: &Quote,
    trace: &PolicyTrace,
    asked: Vec<Request>,
) -> Result<Status, Refusal> {
    let refuse = |code, channel: &str| Refusal::new(Stage::Approvals, code).asked(channel);
    if let Some(evidence) = inputs.approvals.iter().find(|evidence| !evidence.denied.is_empty()) {
        let code = if inputs.earlier.is_some() { Code::ApprovalDenied } else { Code::DeniedBefore };
        return Err(refuse(code, &evidence.channel));
    }
    let shown = inputs.earlier.is_none_or(|earlier| was_shown(&earlier.decision, quote, trace));
    let approved = |channel: &str| {
        shown && inputs.approvals.iter().any(|evidence| evidence.channel == channel && evidence.is_met())
    };
    let Some(Request { channel, reason }) = asked.into_iter().find(|request| !approved(&request.channel)) else {
        return Ok(Status::Staged);
    };
    match inputs.roster {
        Some(roster) if !roster.channels.contains_key(&channel) => Err(refuse(Code::UnknownChannel, &channel)),
        _ => Ok(Status::Suspended { channel, reason }),
    }
}

/// Whether the approvers were shown the rules that speak now, a call that costs no less, and one that can be undone if it could.
fn was_shown(earlier: &Decision, quote: &Quote, trace: &PolicyTrace) -> bool {
    let Some(then) = &earlier.quote else { return false };
    earlier.trace == *trace && quote.cost.exceeds(&then.cost).is_none() && (quote.compensable || !then.compensable)
}

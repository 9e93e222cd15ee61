use std::collections::BTreeSet;

use super::Request;
use crate::{
    compile::Inputs,
    proposal::{Code, Refusal, Stage, Status},
};

/// Every channel that was asked has to have its quorum; one denial vetoes.
pub(super) fn check(inputs: &Inputs<'_>, asked: Vec<Request>) -> Result<Status, Refusal> {
    if let Some(evidence) = inputs.approvals.iter().find(|evidence| !evidence.denied.is_empty()) {
        return Err(Refusal::new(Stage::Approvals, Code::ApprovalDenied).asked(&evidence.channel));
    }
    let approved = |channel: &str| {
        inputs.approvals.iter().any(|evidence| {
            let votes = evidence.approved.iter().collect::<BTreeSet<_>>().len();
            let present = evidence.operator_present && evidence.quorum == 1;
            let quorum = evidence.quorum > 0 && votes as u64 >= u64::from(evidence.quorum);
            evidence.channel == channel && (quorum || present)
        })
    };
    match asked.into_iter().find(|request| !approved(&request.channel)) {
        Some(Request { channel, reason }) => Ok(Status::Suspended { channel, reason }),
        None => Ok(Status::Staged),
    }
}

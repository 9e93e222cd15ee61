use crate::{
    canon::CanonError,
    commit::{Commit, Origin},
    ledger::{
        Draft, Kind,
        record::{Failure, FailureCause, WhatHappened},
    },
};

/// Turns a commit that could not be stored into the failure that says so: its effect happened, and the world is unchanged.
///
/// # Errors
/// When the draft is no commit.
pub fn commit_failed(commit: Draft) -> Result<Draft, CanonError> {
    let record = serde_json::from_slice(&commit.record);
    let Commit { cost, observation, origin, undo, .. } =
        record.map_err(|error| CanonError::NotJson { what: error.to_string() })?;
    let mut named = Vec::new();
    let (effect, observation, undo) = match &origin {
        Origin::Dispatch(_) => {
            named.push(observation.output);
            named.extend(undo.as_ref().map(|undo| undo.args));
            (WhatHappened::Happened, Some(observation), undo)
        }
        Origin::Proposal(proposal) => {
            named.push(proposal.intent.args);
            named.extend(proposal.intent.rationale);
            (WhatHappened::None, None, None)
        }
    };
    let blobs = commit.blobs.into_iter().filter(|blob| named.contains(&blob.commitment())).collect();
    let cause = FailureCause::CommitFailed;
    let record = Failure { cause, cost, detail: None, effect, observation, origin, undo };
    Draft::seal_named(Kind::Failure, &record, blobs)
}

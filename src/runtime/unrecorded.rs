//! What a tool returned and the ledger would not take: it is recorded when the ledger is opened again.

use super::{authority::expect_epoch, call::Called, core::Core, error::RunError, journal::Journal};
use crate::{
    canon::{CanonError, EntryId, WritId},
    commit::Origin,
    execute,
    intent::IntentRecord,
    ledger::{
        Draft, Kind,
        record::{Failure, WhatHappened},
    },
    writ::Amounts,
};

/// The outcome of a call that could not be stored.
#[derive(Debug, Clone)]
pub(crate) struct Unrecorded {
    /// The dispatch, where the tool touched the host.
    pub(crate) dispatch: Option<EntryId>,
    pub(crate) called: Called,
    pub(crate) intent: IntentRecord,
    /// The commit or failure that was to be stored.
    pub(crate) draft: Draft,
    pub(crate) effect: WhatHappened,
    pub(crate) cost: Amounts,
    /// What is held for the dispatch.
    pub(crate) held: Amounts,
    /// The run's last entry when that failed: where the run ends otherwise, it is on record.
    pub(crate) head: EntryId,
    /// The authority that it was decided under.
    pub(crate) epoch: EntryId,
    /// The writ that was presented for it, where it is a step of an undo.
    pub(crate) presented: Option<WritId>,
}

/// Records an outcome that an earlier handle could not. A commit becomes a failure that says so: its world has gone on.
/// What touched only the world is left out when the authority has changed since, the clock is behind its decision, or the
/// budget has no room for it.
pub(crate) async fn record(
    core: &Core,
    journal: &mut Journal,
    unrecorded: Unrecorded,
    unanswered: &mut Vec<IntentRecord>,
) -> Result<(), RunError> {
    if unrecorded.presented.is_some() && unrecorded.dispatch.is_none() {
        // A step of an undo that touched only the world: it is planned once more.
        return Ok(());
    }
    let before = journal.stand_under(unrecorded.presented);
    let recorded = record_under(core, journal, unrecorded, unanswered).await;
    journal.stand_under(before);
    recorded
}

async fn record_under(
    core: &Core,
    journal: &mut Journal,
    unrecorded: Unrecorded,
    unanswered: &mut Vec<IntentRecord>,
) -> Result<(), RunError> {
    let Unrecorded { dispatch, called, intent, draft, effect, cost, held, epoch, .. } = unrecorded;
    let authority = core.authority.state();
    let draft = if draft.kind == Kind::Commit { execute::commit_failed(draft)? } else { draft };
    let held = match dispatch {
        Some(_) => held,
        // No entry is older than the decision in it.
        None if decided_ms(&draft)? > core.now(&authority).judged_ms => return Ok(()),
        // Nothing is held for it any more, and nothing came of it: where there is no room left, it is not debited.
        None if authority.epoch != epoch || !journal.reserve(core, &cost).1 => return Ok(()),
        None => cost,
    };
    let before = journal.used;
    journal.used.spent = before.spent.plus(&cost);
    let mut registers = match dispatch {
        Some(_) => {
            journal.used.held = before.held.minus(&held);
            called.concluding(journal, effect)
        }
        None => {
            let mut registers = vec![expect_epoch(&authority)];
            registers.extend(called.done_at_once(journal, false));
            registers
        }
    };
    registers.extend(journal.account());
    journal.append(core, &authority, draft, registers).await?;
    journal.requests.decided(&intent);
    journal.settle(core, &held, &cost);
    unanswered.retain(|other| *other != intent);
    for doubt in journal.doubts.iter_mut().filter(|doubt| Some(doubt.dispatch) == dispatch) {
        doubt.held = None;
    }
    if effect != WhatHappened::Unknown {
        journal.doubts.retain(|doubt| Some(doubt.dispatch) != dispatch);
    }
    Ok(())
}

/// When the failure of what touched only the world was decided on; 0 where the decision stands in an entry of its own.
fn decided_ms(failure: &Draft) -> Result<u64, CanonError> {
    let record = serde_json::from_slice::<Failure>(&failure.record);
    match record.map_err(|error| CanonError::NotJson { what: error.to_string() })?.origin {
        Origin::Dispatch(_) => Ok(0),
        Origin::Proposal(proposal) => Ok(proposal.decision.now_ms),
    }
}

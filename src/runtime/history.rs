//! What cognition is told of the past, read back from a run's entries.

use std::{collections::HashMap, sync::Arc};

use futures::future::BoxFuture;
use serde_json::Value;

use super::{children::told, error::RunError, past, submit::Submitted};
use crate::{
    canon::{Blob, Commitment, EntryId, IntentId, TrajectoryId},
    cognition::{Outcome, PastOutcome},
    commit::{Commit, Origin},
    ledger::{
        Entry, Kind, LedgerStore, StoredBlob,
        record::{
            self, ApprovalOutcome, BranchStart, Delegated, DelegationResult, Dispatch, Failure, FailureCause,
            HappenedVerdict, InDoubtResolution, Link, PendingApproval, Rejection, Resumed, Turn, TurnStart,
            WhatHappened,
        },
    },
    proposal::{Code, Proposal, Refusal, Stage, Status},
    replay::task_of,
};

/// The past of a run: its task, and what became of what cognition proposed.
pub(super) struct History {
    pub(super) task: String,
    pub(super) outcomes: Vec<PastOutcome>,
}

/// Reads the past of a run from its entries, up to its head.
///
/// Boxed: what was done before a branch is read in the same way.
pub(super) fn read<'a>(
    store: &'a dyn LedgerStore,
    run: &'a TrajectoryId,
    head: (u64, EntryId),
) -> BoxFuture<'a, Result<History, RunError>> {
    Box::pin(async move {
        let mut reader = Reader::default();
        let first = store.read(run, 0, 1).await?.into_iter().next();
        if let Some(first) = first.filter(|first| first.header.known_kind() == Some(Kind::Branch))
            && let Some(Link::Branch(point)) = first.body::<BranchStart>()?.run.start.from
        {
            reader.outcomes = read(store, &point.trajectory, (point.seq, point.entry)).await?.outcomes;
        }
        past::read(store, run, 0, head, |entry| reader.push(entry)).await?;
        Ok(History { task: reader.task, outcomes: reader.outcomes })
    })
}

#[derive(Default)]
struct Reader {
    task: String,
    outcomes: Vec<PastOutcome>,
    /// Arguments of the intents of turns, until their outcome is read. Erased ones are null.
    args: HashMap<Commitment, Value>,
    step: u64,
    dispatched: HashMap<EntryId, Arc<Proposal>>,
    /// Which outcomes tell of an effect in doubt.
    in_doubt: HashMap<EntryId, usize>,
    /// Which outcomes tell of an intent that waits for approval, and on which request.
    waiting: HashMap<IntentId, usize>,
    requests: HashMap<EntryId, Arc<Proposal>>,
    /// Which outcomes tell of a child that has not ended, and the child.
    children: HashMap<EntryId, (TrajectoryId, usize)>,
}

impl Reader {
    fn push(&mut self, entry: &Entry) -> Result<(), RunError> {
        match entry.header.known_kind() {
            Some(Kind::Root | Kind::Branch) => {
                self.task = task_of(entry).unwrap_or_default();
            }
            Some(Kind::TurnStart) => self.step = entry.body::<TurnStart>()?.step,
            Some(Kind::Turn) => {
                for intent in entry.body::<Turn>()?.intents {
                    self.args.insert(intent.args, value(entry, &intent.args));
                }
            }
            Some(Kind::Dispatch) => {
                self.dispatched.insert(entry.id(), entry.body::<Dispatch>()?.proposal);
            }
            Some(Kind::Commit) => {
                let commit: Commit = entry.body()?;
                let output = value(entry, &commit.observation.output);
                if let Some(proposal) = self.proposal(commit.origin) {
                    self.add(&proposal, entry, Outcome::Committed { output })?;
                }
            }
            Some(Kind::Failure) => {
                let failure: Failure = entry.body()?;
                let message = failure.detail.map_or(Value::Null, |detail| value(entry, &detail));
                let outcome = Outcome::Failed {
                    cause: failure.cause.to_string(),
                    message: message.as_str().unwrap_or_default().to_owned(),
                    effect: failure.effect.to_string(),
                };
                let dispatch = match &failure.origin {
                    Origin::Dispatch(dispatch) => Some(*dispatch),
                    Origin::Proposal(_) => None,
                };
                if let Some(dispatch) = &dispatch {
                    // The outcome of a call that an earlier handle could not record.
                    if let Some(past) = self.in_doubt.get(dispatch).and_then(|at| self.outcomes.get_mut(*at)) {
                        past.outcome = outcome;
                        return Ok(());
                    }
                }
                let unknown = failure.effect == WhatHappened::Unknown;
                if let Some(proposal) = self.proposal(failure.origin) {
                    let at = self.add(&proposal, entry, outcome)?;
                    self.in_doubt.extend(dispatch.filter(|_| unknown).map(|dispatch| (dispatch, at)));
                }
            }
            Some(Kind::Resumed) => {
                for dispatch in entry.body::<Resumed>()?.in_doubt {
                    if let Some(proposal) = self.dispatched.remove(&dispatch) {
                        let outcome = interrupted(WHILE_DONE, WhatHappened::Unknown);
                        let at = self.add(&proposal, entry, outcome)?;
                        self.in_doubt.insert(dispatch, at);
                    }
                }
            }
            Some(Kind::InDoubtResolution) => self.settle(entry)?,
            Some(Kind::Rejection) => match entry.body()? {
                Rejection::Refused(proposal) => {
                    if let Status::Rejected(refusal) = proposal.decision.status.clone() {
                        self.add(&proposal, entry, Outcome::Refused(refusal))?;
                    }
                }
                Rejection::Abandoned { intent, .. } => {
                    let outcome = interrupted("the run was interrupted, and nothing came of it", WhatHappened::None);
                    self.outcome(intent.id()?, intent.target.to_string(), &intent.args, entry, outcome);
                }
                Rejection::NotAttempted { intent, .. } => {
                    let id = intent.id()?;
                    self.outcome(id, intent.target.to_string(), &intent.args, entry, Outcome::NotAttempted);
                }
            },
            Some(Kind::PendingApproval) => {
                let proposal = entry.body::<PendingApproval>()?.proposal;
                if let Status::Suspended { reason, .. } = proposal.decision.status.clone() {
                    let at = self.add(&proposal, entry, Outcome::Suspended { reason })?;
                    self.waiting.insert(proposal.intent.id()?, at);
                    self.requests.insert(entry.id(), proposal);
                }
            }
            Some(Kind::ApprovalOutcome) => self.end_request(entry)?,
            Some(Kind::Delegation) => {
                let delegated: Delegated = entry.body()?;
                if let Some(proposal) = self.proposal(delegated.origin) {
                    let at = self.add(&proposal, entry, Outcome::Delegated { run: delegated.child.to_string() })?;
                    self.children.insert(entry.id(), (delegated.child, at));
                }
            }
            Some(Kind::DelegationResult) => {
                let result: DelegationResult = entry.body()?;
                if let Some((run, at)) = self.children.remove(&result.delegation)
                    && let Some(past) = self.outcomes.get_mut(at)
                {
                    let answer = result.answer.map(|answer| value(entry, &answer));
                    past.outcome = Outcome::Committed { output: told(&run, result.reason, answer, result.spent) };
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What was not approved is told as it came out.
    fn end_request(&mut self, entry: &Entry) -> Result<(), RunError> {
        let ended: ApprovalOutcome = entry.body()?;
        if ended.outcome == record::Outcome::Approved {
            return Ok(());
        }
        let Some(proposal) = self.requests.remove(&ended.pending) else { return Ok(()) };
        let Status::Suspended { channel, .. } = &proposal.decision.status else { return Ok(()) };
        let outcome = match ended.outcome {
            record::Outcome::Denied => {
                Outcome::Refused(Refusal::new(Stage::Approvals, Code::ApprovalDenied).asked(channel))
            }
            _ => Outcome::Unanswered { channel: channel.clone() },
        };
        self.add(&proposal, entry, outcome).map(drop)
    }

    /// What was in doubt when it was told is told as it turned out.
    fn settle(&mut self, entry: &Entry) -> Result<(), RunError> {
        let resolution: InDoubtResolution = entry.body()?;
        let found = match resolution.verdict {
            HappenedVerdict::Happened => WhatHappened::Happened,
            HappenedVerdict::NotDone => WhatHappened::None,
        };
        // It may have been settled before anybody told that it was in doubt.
        if let Some(proposal) = self.dispatched.remove(&resolution.dispatch) {
            return self.add(&proposal, entry, interrupted(WHILE_DONE, found)).map(drop);
        }
        let at = self.in_doubt.remove(&resolution.dispatch);
        if let Some(past) = at.and_then(|at| self.outcomes.get_mut(at))
            && let Outcome::Failed { effect, .. } = &mut past.outcome
        {
            *effect = found.to_string();
        }
        Ok(())
    }

    fn proposal(&mut self, origin: Origin) -> Option<Arc<Proposal>> {
        match origin {
            Origin::Proposal(proposal) => Some(proposal),
            Origin::Dispatch(dispatch) => self.dispatched.remove(&dispatch),
        }
    }

    fn add(&mut self, proposal: &Proposal, entry: &Entry, outcome: Outcome) -> Result<usize, RunError> {
        let intent = &proposal.intent;
        Ok(self.outcome(intent.id()?, intent.target.to_string(), &intent.args, entry, outcome))
    }

    /// Tells an outcome. Returns where it stands.
    fn outcome(&mut self, intent: IntentId, tool: String, args: &Commitment, entry: &Entry, outcome: Outcome) -> usize {
        // An intent that waited has one outcome: the last.
        if let Some(at) = self.waiting.remove(&intent)
            && let Some(past) = self.outcomes.get_mut(at)
        {
            past.outcome = outcome;
            return at;
        }
        let args = self.args.remove(args).unwrap_or_else(|| value(entry, args));
        self.outcomes.push(PastOutcome { step: self.step, intent, tool, args, outcome });
        self.outcomes.len().saturating_sub(1)
    }
}

const WHILE_DONE: &str = "the run was interrupted while it was done";

fn interrupted(message: &str, effect: WhatHappened) -> Outcome {
    Outcome::Failed {
        cause: FailureCause::Interrupted.to_string(),
        message: message.into(),
        effect: effect.to_string(),
    }
}

fn value(entry: &Entry, commitment: &Commitment) -> Value {
    let present = |blob: &StoredBlob| match blob {
        StoredBlob::Present(blob) => (blob.commitment() == *commitment).then(|| Blob::value(blob).ok()).flatten(),
        StoredBlob::Erased(_) => None,
    };
    entry.blobs.iter().find_map(present).unwrap_or(Value::Null)
}

impl From<&Submitted> for Outcome {
    fn from(submitted: &Submitted) -> Self {
        match submitted {
            Submitted::Committed { output, .. } => Self::Committed { output: output.clone() },
            Submitted::Rejected { refusal, .. } => Self::Refused(refusal.clone()),
            Submitted::Suspended { reason, .. } => Self::Suspended { reason: reason.clone() },
            Submitted::Delegated { child, .. } => Self::Delegated { run: child.to_string() },
            Submitted::Failed { cause, message, effect, .. } => {
                Self::Failed { cause: cause.to_string(), message: message.clone(), effect: effect.to_string() }
            }
        }
    }
}

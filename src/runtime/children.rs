//! The runs that a run started: their handles, and what is recorded of their ends.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{Run, StartError, error::RunError, events::EventKind, journal::Journal, resume, run::Inner};
use crate::{
    canon::{Blob, EntryId, TrajectoryId},
    delegation::Child,
    ledger::{
        Draft, Entry, Kind,
        record::{DelegationResult, EndReason, Terminated},
    },
    replay::{self, Pins},
    writ::Amounts,
};

/// What a child gave back.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildResult {
    /// The entry that records it.
    pub entry: EntryId,
    /// The child.
    pub run: TrajectoryId,
    /// Its answer, where it gave one.
    pub answer: Option<String>,
    /// Why it ended.
    pub reason: EndReason,
    /// What it spent itself; what its own children spent is theirs.
    pub spent: Amounts,
}

impl ChildResult {
    /// What cognition is told.
    pub(super) fn told(&self) -> Value {
        told(&self.run, self.reason, self.answer.as_deref().map(Value::from), self.spent)
    }
}

/// What cognition is told of a child that has ended.
pub(super) fn told(run: &TrajectoryId, reason: EndReason, answer: Option<Value>, spent: Amounts) -> Value {
    json!({"answer": answer, "ended": reason.as_str(), "run": run.to_string(), "spent": spent})
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) entry: EntryId,
    pub(super) seq: u64,
    pub(super) answer: Option<Blob>,
    pub(super) reason: EndReason,
    pub(super) spent: Amounts,
}

impl Ending {
    /// Reads the entry that ended a run; nothing of any other.
    fn read(entry: &Entry) -> Option<Self> {
        if entry.header.known_kind() != Some(Kind::Terminated) {
            return None;
        }
        let Terminated { answer, reason, spent, .. } = entry.body().ok()?;
        let answer = answer.and_then(|answer| entry.blob(&answer).cloned());
        Some(Self { entry: entry.id(), seq: entry.header.seq, answer, reason, spent })
    }
}

impl Journal {
    /// A child of which nothing is on record.
    pub(super) fn open_child(&self, run: &TrajectoryId) -> Result<&Child, RunError> {
        self.children.open().find(|child| child.run == *run).ok_or(RunError::NoChild(*run))
    }
}

/// The handles of the children that are open in this process.
#[derive(Default)]
pub(super) struct Handles(Mutex<BTreeMap<TrajectoryId, Run>>);

impl Handles {
    pub(super) fn keep(&self, run: Run) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run.id(), run);
    }

    fn find(&self, run: &TrajectoryId) -> Option<Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    /// The handle of a run or of one below it, as far as this process has them. These are the handles of `run`.
    pub(super) fn live(&self, run: &Run, wanted: &TrajectoryId) -> Option<Run> {
        if run.id() == *wanted {
            return Some(run.clone());
        }
        let children: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        children.iter().find_map(|child| child.inner().children.live(child, wanted))
    }

    fn drop_one(&self, run: &TrajectoryId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }
}

/// The handle of an open child; where this process has none that is up to date, the child is taken up.
pub(super) async fn handle(inner: &Inner, run: &TrajectoryId) -> Result<Run, StartError> {
    if let Some(handle) = inner.children.find(run)
        && !handle.with_journal(|journal| journal.stale).await
    {
        return Ok(handle);
    }
    inner.children.drop_one(run);
    let journal = resume::journal(&inner.core, run, None).await?;
    let handle = Run::below(inner, journal);
    inner.children.keep(handle.clone());
    Ok(handle)
}

/// How a child ended; `None` when it has not. It waits for what is under way in the child, so it is no part of an operation of its
/// parent.
pub(super) async fn ending(inner: &Inner, run: &TrajectoryId) -> Result<Option<Ending>, RunError> {
    if let Some(handle) = inner.children.find(run)
        && let Some(ending) = handle.with_journal(|journal| journal.ending.clone()).await
    {
        return Ok(Some(*ending));
    }
    let mut ending = None;
    let visit = |entry: &Entry, _: &replay::Replayer<'_>| ending = Ending::read(entry).or(ending.take());
    let replayed = replay::run(&*inner.core.store, run, Pins::default(), visit).await;
    replayed.map_err(|error| RunError::Child { run: *run, source: Box::new(error.into()) })?;
    Ok(ending)
}

/// Records what came of a child that has ended.
pub(super) async fn conclude(
    inner: &Inner,
    journal: &mut Journal,
    run: &TrajectoryId,
    ending: Ending,
) -> Result<ChildResult, RunError> {
    journal.check_open()?;
    let delegation = journal.open_child(run)?.delegation;
    let Ending { entry, seq, answer, reason, spent } = ending;
    let commitment = answer.as_ref().map(Blob::commitment);
    let record = DelegationResult { answer: commitment, delegation, head: entry, reason, seq, spent };
    let text = answer.as_ref().and_then(|answer| answer.value().ok());
    let answer_text = text.as_ref().and_then(Value::as_str).map(str::to_owned);
    let draft = Draft::seal(Kind::DelegationResult, &record, answer.into_iter().collect())?;
    let entry = journal.append(&inner.core, &inner.core.authority.state(), draft, vec![]).await?;
    journal.children.returned(&record)?;
    inner.children.drop_one(run);
    let result = ChildResult { entry, run: *run, answer: answer_text, reason, spent };
    let told = result.clone();
    inner.watchers.tell(Some((journal.last_seq(), entry)), || EventKind::Returned(told));
    Ok(result)
}

/// Ends a child, and all below it. It may have ended.
pub(super) async fn end(inner: &Inner, run: &TrajectoryId) -> Result<(), RunError> {
    let child = |source| RunError::Child { run: *run, source: Box::new(source) };
    let handle = match handle(inner, run).await {
        Ok(handle) => handle,
        Err(StartError::Ended(_)) => return Ok(()),
        Err(error) => return Err(child(error)),
    };
    handle.cancel();
    let detail = Some("the run that delegated it ended".to_owned());
    match handle.end(EndReason::Cancelled, detail, None).await {
        Ok(_) | Err(RunError::Ended) => Ok(()),
        Err(error) => Err(child(error.into())),
    }
}

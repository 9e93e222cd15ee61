//! Entries of a run's past, as far as its head vouches for them.

use serde_json::Value;

use super::{core::Core, error::RunError, journal::Journal};
use crate::{
    approval::{Denial, Request},
    canon::{Blob, Commitment, EntryId, TrajectoryId},
    intent::SealedIntent,
    ledger::{Entry, LedgerStore, StoreError, StoredBlob},
    proposal::ApprovalEvidence,
    replay::PageSize,
};

/// Reads the entries from `from` to the head, whose seq and id are known: each is whole and the parent of the next one. A run
/// that was taken up from a snapshot has not looked at them before. What `visit` made of them counts only where this succeeds.
pub(super) async fn read(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    from: u64,
    (head_seq, head): (u64, EntryId),
    mut visit: impl FnMut(&Entry) -> Result<(), RunError> + Send,
) -> Result<(), RunError> {
    let (mut next, mut last, mut size) = (from, None, PageSize::new());
    while next <= head_seq {
        let rest = usize::try_from(head_seq - next).unwrap_or(usize::MAX).saturating_add(1);
        let page = store.read(run, next, size.get().min(rest)).await?;
        size.read(page.iter().map(Entry::bytes));
        if page.is_empty() {
            return Err(damaged(next));
        }
        for entry in &page {
            if entry.check().is_err()
                || entry.header.seq != next
                || last.is_some_and(|last| entry.header.parent != last)
            {
                return Err(damaged(next));
            }
            visit(entry)?;
            last = Some(entry.id());
            next += 1;
        }
    }
    if last == Some(head) { Ok(()) } else { Err(damaged(from)) }
}

/// Reads the entry at `seq`, which is the one of that id.
pub(super) async fn entry(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    seq: u64,
    id: EntryId,
) -> Result<Entry, RunError> {
    let found = store.read(run, seq, 1).await?.into_iter().next();
    found.filter(|entry| entry.id() == id && entry.check().is_ok()).ok_or_else(|| damaged(seq))
}

/// The intent that a request for approval is about, with its arguments; none where they are erased.
pub(super) async fn intent(
    store: &dyn LedgerStore,
    journal: &Journal,
    request: &Request,
) -> Result<Option<SealedIntent>, RunError> {
    let record = request.pending.proposal.intent.clone();
    let args = blob(store, &journal.trajectory, request.args_seq, &record.args).await?;
    Ok(args.map(|args| SealedIntent::with_args(record, args)).transpose()?)
}

/// The votes that denied a call like this one before. Where its arguments are erased, every call of the tool is like it.
pub(super) async fn denied(
    core: &Core,
    journal: &mut Journal,
    intent: &SealedIntent,
) -> Result<Option<ApprovalEvidence>, RunError> {
    for denial in journal.requests.denied().iter().skip(journal.denied_args.len()) {
        let args = blob(&*core.store, &journal.trajectory, denial.args_seq, &denial.args).await?;
        // What cannot be read any more is like everything.
        journal.denied_args.push(args.and_then(|args| args.value().ok()));
    }
    let like = |(denial, args): &(&Denial, &Option<Value>)| {
        denial.tool == intent.record().target && args.as_ref().is_none_or(|args| args == intent.args())
    };
    let found = journal.requests.denied().iter().zip(&journal.denied_args).find(like);
    Ok(found.map(|(denial, _)| denial.evidence.clone()))
}

/// A value beside the entry at `seq`; none when it is erased.
pub(super) async fn blob(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    seq: u64,
    commitment: &Commitment,
) -> Result<Option<Blob>, RunError> {
    let entry = store.read(run, seq, 1).await?.into_iter().next().ok_or_else(|| damaged(seq))?;
    match entry.blobs.iter().find(|blob| blob.commitment() == *commitment) {
        Some(StoredBlob::Present(blob)) => Ok(Some(blob.clone())),
        Some(StoredBlob::Erased(_)) => Ok(None),
        None => Err(damaged(seq)),
    }
}

fn damaged(seq: u64) -> RunError {
    let told = format!("entry {seq} is missing or is not what it was: `thymos replay` says more");
    StoreError::Damaged(told).into()
}

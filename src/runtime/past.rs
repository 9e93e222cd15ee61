//! Entries of a run's past, as far as its head vouches for them.

use super::error::RunError;
use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::{Entry, LedgerStore, StoreError},
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

fn damaged(seq: u64) -> RunError {
    let told = format!("entry {seq} is missing or is not what it was: `thymos replay` says more");
    StoreError::Damaged(told).into()
}

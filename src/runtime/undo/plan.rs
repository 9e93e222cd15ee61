use super::{RollbackError, RollbackTo};
use crate::{
    canon::{EffectsHash, EntryId},
    ledger::record::{MAX_PLAN, Target},
    replay::{self, Options, Pins, Verdict},
    runtime::{Run, RunError, StartError},
};

/// What is to be undone, as the entries up to `head` say.
pub(super) struct Plan {
    pub(super) base: EffectsHash,
    /// The oldest first.
    pub(super) targets: Vec<Target>,
    /// The entry that stays.
    pub(super) to: EntryId,
    pub(super) head: EntryId,
    /// Effects in doubt that were dispatched after this seq are in the way of its end.
    pub(super) after: u64,
}

/// Plans what to undo of a run next, from a replay of all its entries. `None` when there is nothing. With `first`, everything that
/// is to be kept has to be there.
pub(super) async fn plan(
    run: &Run,
    to: RollbackTo,
    keep: &[EntryId],
    first: bool,
) -> Result<Option<Plan>, RollbackError> {
    let store = &*run.inner().core.store;
    let pins = Pins { options: Options { effects: true, ..Options::default() }, ..Pins::default() };
    let (mut start, mut stays) = (EntryId::ZERO, None);
    let visit = |entry: &crate::ledger::Entry, _: &replay::Replayer<'_>| {
        let id = entry.id();
        if entry.header.seq == 0 {
            start = id;
        }
        if to == RollbackTo::Entry(id) {
            stays = Some((id, entry.header.seq));
        }
    };
    let (report, folded) = replay::run(store, &run.id(), pins, visit).await?;
    if report.verdict() != Verdict::Verified {
        let reason = report.incomplete.join("; ");
        return Err(StartError::Incomplete { run: run.id(), reason }.into());
    }
    if run.head().await.1 != folded.head {
        return Err(RunError::Stale.into());
    }
    let (to, seq) = match to {
        RollbackTo::Start => (start, 0),
        RollbackTo::Entry(entry) => stays.ok_or(RollbackError::NotThere(entry))?,
    };
    let open = folded.effects.open();
    let split = open.iter().position(|target| target.seq > seq).unwrap_or(open.len());
    if let Some(before) = open.iter().skip(split).find(|target| target.seq <= seq) {
        return Err(RollbackError::Unfinished(before.entry));
    }
    let missing = |entry: &&EntryId| !open.iter().skip(split).any(|target| target.entry == **entry);
    if let Some(entry) = keep.iter().find(missing).filter(|_| first) {
        return Err(RollbackError::NotKept(*entry));
    }
    let newest = open.len().saturating_sub(MAX_PLAN);
    // What is in doubt before a portion that is not the last one is seen when its turn comes.
    let after = if newest > split { u64::MAX } else { seq };
    let split = split.max(newest);
    let base = open.iter().take(split).fold(EffectsHash::ZERO, |hash, target| hash.and(target));
    let targets = open.iter().skip(split).cloned();
    let targets: Vec<_> = targets.map(|of| Target { keep: keep.contains(&of.entry), ..of }).collect();
    let in_doubt = folded.unknown_effects.iter().any(|effect| effect.seq > after);
    Ok((in_doubt || !targets.is_empty()).then_some(Plan { base, targets, to, head: folded.head, after }))
}

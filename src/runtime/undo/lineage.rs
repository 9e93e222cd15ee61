//! Undoing a run and all below it: the newest effect first by its place in the store, whichever run it is of.

use std::collections::{BTreeMap, HashMap};

use super::{RollbackError, RollbackTo};
use crate::{
    canon::{EntryId, TrajectoryId, WritId},
    ledger::{
        Kind, LedgerStore, Position,
        record::{Delegated, RunStart, Target},
    },
    replay::{self, Options, PageSize, Pins},
    runtime::{RunError, StartError},
};

/// What a rollback would undo, of a run and of those below it: the newest effect in the store first. Nothing is undone.
///
/// # Errors
/// When there is no such run or entry, a run does not verify, or the ledger fails.
pub async fn rollback_plan(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    to: RollbackTo,
) -> Result<Vec<(TrajectoryId, Target)>, RollbackError> {
    let places = Places::read(store, run).await?;
    let after = places.stays(run, to)?;
    let mut plan = BTreeMap::new();
    for run in places.entries.keys() {
        let Left { targets, .. } = places.left(store, run).await?;
        plan.extend(targets.into_iter().filter(|(at, _)| *at > after).map(|(at, target)| (at, (*run, target))));
    }
    Ok(plan.into_values().rev().collect())
}

/// What of a run was not undone.
struct Left {
    targets: Vec<(Position, Target)>,
    /// Effects of which nobody knows.
    unknown: Vec<Position>,
}

/// Where the entries of a run and of those below it stand in the store.
pub(super) struct Places {
    entries: HashMap<TrajectoryId, Vec<(Position, EntryId)>>,
    /// The writs that they stand under.
    pub(super) writs: Vec<WritId>,
}

/// A portion of what is to be undone: of one run, down to where another one has something newer.
pub(super) struct Share {
    pub(super) run: TrajectoryId,
    pub(super) to: RollbackTo,
    /// What of it stays.
    pub(super) keep: Vec<EntryId>,
}

impl Places {
    /// Reads the places of a run and of all below it.
    pub(super) async fn read(store: &dyn LedgerStore, run: &TrajectoryId) -> Result<Self, RollbackError> {
        let mut places: HashMap<TrajectoryId, Vec<_>> = HashMap::from([(*run, Vec::new())]);
        let (mut writs, mut from, mut size) = (Vec::new(), Position::default(), PageSize::new());
        loop {
            let page = store.scan(from, size.get()).await.map_err(RunError::from)?;
            for (position, entry) in &page {
                let Some(entries) = places.get_mut(&entry.header.trajectory) else { continue };
                entries.push((*position, entry.id()));
                if entry.header.known_kind() == Some(Kind::Root) {
                    writs.push(entry.body::<RunStart>().map_err(RunError::from)?.start.writ);
                }
                if entry.header.known_kind() == Some(Kind::Delegation) {
                    let child = entry.body::<Delegated>().map_err(RunError::from)?.child;
                    places.entry(child).or_default();
                }
            }
            from = page.last().map_or(from, |(position, _)| Position(position.0.saturating_add(1)));
            if size.read(page.iter().map(|(_, entry)| entry.bytes())) {
                return Ok(Self { entries: places, writs });
            }
        }
    }

    /// Whether there is no run below.
    pub(super) fn is_of_one_run(&self) -> bool {
        self.entries.len() == 1
    }

    /// The place of the entry that stays.
    pub(super) fn stays(&self, run: &TrajectoryId, to: RollbackTo) -> Result<Position, RollbackError> {
        let entries = self.entries.get(run).map(Vec::as_slice).unwrap_or_default();
        let found = match to {
            RollbackTo::Start => entries.first(),
            RollbackTo::Entry(id) => entries.iter().find(|(_, entry)| *entry == id),
        };
        match (found, to) {
            (Some((position, _)), _) => Ok(*position),
            (None, RollbackTo::Entry(id)) => Err(RollbackError::NotThere(id)),
            (None, RollbackTo::Start) => Err(StartError::Replay(replay::ReplayError::NoRun(*run)).into()),
        }
    }

    /// What is to be undone next of everything after a place. `None` when nothing is left.
    pub(super) async fn next(
        &self,
        store: &dyn LedgerStore,
        after: Position,
        keep: &[EntryId],
    ) -> Result<Option<Share>, RollbackError> {
        let mut newest = BTreeMap::new();
        let mut kept: HashMap<TrajectoryId, Vec<(Position, Target)>> = HashMap::new();
        for run in self.entries.keys() {
            let Left { targets, unknown } = self.left(store, run).await?;
            let open = targets.iter().map(|(position, _)| *position).chain(unknown);
            if let Some(last) = open.filter(|position| *position > after).max() {
                newest.insert(last, *run);
            }
            kept.insert(*run, targets.into_iter().filter(|(_, target)| keep.contains(&target.entry)).collect());
        }
        let mut newest = newest.into_iter().rev();
        let Some((_, run)) = newest.next() else { return Ok(None) };
        let until = newest.next().map_or(after, |(position, _)| position);
        let entries = self.entries.get(&run).map(Vec::as_slice).unwrap_or_default();
        let stays = entries.iter().rev().find(|(position, _)| *position <= until);
        let to = stays.map_or(RollbackTo::Start, |(_, entry)| RollbackTo::Entry(*entry));
        let kept = kept.remove(&run).unwrap_or_default().into_iter().filter(|(position, _)| *position > until);
        Ok(Some(Share { run, to, keep: kept.map(|(_, target)| target.entry).collect() }))
    }

    async fn left(&self, store: &dyn LedgerStore, run: &TrajectoryId) -> Result<Left, RollbackError> {
        let entries = self.entries.get(run).map(Vec::as_slice).unwrap_or_default();
        let place = |seq: u64| entries.get(usize::try_from(seq).ok()?).map(|(position, _)| *position);
        let pins = Pins { options: Options { effects: true, ..Options::default() }, ..Pins::default() };
        let (_, folded) = replay::run(store, run, pins, |_, _| {}).await?;
        let targets = folded.effects.open().iter().filter_map(|target| Some((place(target.seq)?, target.clone())));
        let unknown = folded.unknown_effects.iter().filter_map(|effect| place(effect.seq));
        Ok(Left { targets: targets.collect(), unknown: unknown.collect() })
    }

    /// That everything which is to be kept is an effect that was not undone.
    pub(super) async fn check_kept(&self, store: &dyn LedgerStore, keep: &[EntryId]) -> Result<(), RollbackError> {
        let mut missing = keep.to_vec();
        for run in self.entries.keys().take_while(|_| !keep.is_empty()) {
            let Left { targets, .. } = self.left(store, run).await?;
            missing.retain(|entry| !targets.iter().any(|(_, target)| target.entry == *entry));
        }
        missing.first().map_or(Ok(()), |entry| Err(RollbackError::NotKept(*entry)))
    }
}

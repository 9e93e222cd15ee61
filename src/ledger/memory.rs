use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Batch, Entry, Head, LedgerStore, Position, RegisterKey, RegisterOp, StoreError};
use crate::canon::{Bytes, EntryId, TrajectoryId};

/// A ledger in memory, for tests and for hosts that export what they want to keep. It is gone with the process.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<Entry>,
    trajectories: BTreeMap<TrajectoryId, Trajectory>,
    registers: BTreeMap<RegisterKey, Bytes>,
    snapshots: BTreeMap<(TrajectoryId, u64), Bytes>,
}

/// What registers are to hold; nothing, where they are removed.
type Registers = BTreeMap<RegisterKey, Option<Bytes>>;

#[derive(Debug, Default)]
struct Trajectory {
    positions: Vec<usize>,
    head: Option<Head>,
}

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // `apply` checks everything before it changes anything, so a panic leaves no half batch.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The ids of the entries of a batch that fits, and what registers hold after it.
    fn check(&self, batch: &mut Batch) -> Result<(Vec<EntryId>, Registers), StoreError> {
        let mut heads: Vec<(TrajectoryId, (u64, EntryId))> = Vec::with_capacity(batch.entries.len());
        for Entry { header, .. } in &batch.entries {
            let stored = || self.trajectories.get(&header.trajectory).and_then(|t| t.head).map(|h| (h.seq, h.id));
            let before = heads.iter().rev().find(|(trajectory, _)| *trajectory == header.trajectory);
            let head = before.map(|(_, head)| *head).or_else(stored);
            let expected = head.map_or((0, EntryId::ZERO), |(seq, id)| (seq + 1, id));
            if (header.seq, header.parent) != expected {
                return Err(StoreError::HeadMoved { trajectory: header.trajectory, found: header.seq });
            }
            let id = header.id();
            heads.push((header.trajectory, (header.seq, id)));
        }
        for op in &batch.registers {
            if let RegisterOp::Expect { key, value } = op
                && self.registers.get(key) != value.as_ref()
            {
                return Err(StoreError::RegisterChanged { key: key.clone() });
            }
        }
        let mut changed = Registers::new();
        for op in batch.registers.drain(..).filter(|op| !matches!(op, RegisterOp::Expect { .. })) {
            let key = op.key().clone();
            let stored = changed.get(&key).cloned().unwrap_or_else(|| self.registers.get(&key).cloned());
            changed.insert(key, op.apply(stored)?);
        }
        Ok((heads.into_iter().map(|(_, (_, id))| id).collect(), changed))
    }

    fn apply(&mut self, mut batch: Batch) -> Result<Position, StoreError> {
        let (ids, registers) = self.check(&mut batch)?;
        let first = Position(self.log.len() as u64);
        for (entry, id) in batch.entries.into_iter().zip(ids) {
            let trajectory = self.trajectories.entry(entry.header.trajectory).or_default();
            let position = Position(self.log.len() as u64);
            trajectory.head = Some(Head { seq: entry.header.seq, id, position });
            trajectory.positions.push(self.log.len());
            self.log.push(entry);
        }
        for (key, value) in registers {
            match value {
                Some(value) => drop(self.registers.insert(key, value)),
                None => drop(self.registers.remove(&key)),
            }
        }
        Ok(first)
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[async_trait]
impl LedgerStore for MemoryLedger {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        self.state().apply(batch)
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        Ok(self.state().trajectories.get(trajectory).and_then(|trajectory| trajectory.head))
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let state = self.state();
        let positions = state.trajectories.get(trajectory).map_or(&[][..], |trajectory| &trajectory.positions);
        let wanted = positions.iter().skip(index(from_seq)).take(limit);
        Ok(wanted.filter_map(|position| state.log.get(*position).cloned()).collect())
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        let state = self.state();
        let wanted = state.log.iter().enumerate().skip(index(from.0)).take(limit);
        Ok(wanted.map(|(position, entry)| (Position(position as u64), entry.clone())).collect())
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let state = self.state();
        let wanted = state.trajectories.range((from, Bound::Unbounded));
        Ok(wanted.filter_map(|(id, trajectory)| Some((*id, trajectory.head?))).take(limit).collect())
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().registers.get(key).cloned())
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        let from = match after {
            Some(after) if after.as_bytes() >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(RegisterKey::from(prefix.to_vec())),
        };
        let state = self.state();
        let wanted = state.registers.range((from, Bound::Unbounded));
        let wanted = wanted.take_while(|(key, _)| key.as_bytes().starts_with(prefix));
        Ok(wanted.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn keep_snapshot(&self, trajectory: &TrajectoryId, seq: u64, snapshot: Bytes) -> Result<(), StoreError> {
        self.state().snapshots.insert((*trajectory, seq), snapshot);
        Ok(())
    }

    async fn snapshot(&self, trajectory: &TrajectoryId, up_to: u64) -> Result<Option<(u64, Bytes)>, StoreError> {
        let state = self.state();
        let last = state.snapshots.range((*trajectory, 0)..=(*trajectory, up_to)).next_back();
        Ok(last.map(|((_, seq), snapshot)| (*seq, snapshot.clone())))
    }
}

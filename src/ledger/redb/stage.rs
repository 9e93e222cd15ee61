use std::collections::HashMap;

use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    error::storage,
    job::{Job, Link},
    rows::Log,
    tables::{ChunkKey, ENTRIES, HEADS, INDEX, REGISTERS, SNAPSHOTS},
    trail::{Trail, chunk_key, encode_positions},
};
use crate::{
    canon::{Bytes, EntryId, TrajectoryId},
    ledger::{Position, RegisterKey, RegisterOp, StoreError},
};

/// What a transaction will write: batches are judged by it and added to it one after the other.
pub(super) struct Stage<'t> {
    log: &'t mut Log,
    first: u64,
    entries: Table<'t, u64, &'static [u8]>,
    index: Table<'t, &'static [u8; 40], &'static [u8]>,
    head_table: Table<'t, &'static [u8; 32], &'static [u8]>,
    register_table: Table<'t, &'static [u8], &'static [u8]>,
    heads: HashMap<TrajectoryId, Trail>,
    registers: HashMap<RegisterKey, Option<Bytes>>,
    chunks: Vec<(TrajectoryId, u64, Vec<u64>)>,
    snapshot_table: Table<'t, &'static ChunkKey, &'static [u8]>,
    snapshots: Vec<(ChunkKey, Bytes)>,
}

impl<'t> Stage<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction, log: &'t mut Log) -> Result<Self, StoreError> {
        Ok(Self {
            first: log.next,
            log,
            entries: transaction.open_table(ENTRIES).map_err(storage)?,
            index: transaction.open_table(INDEX).map_err(storage)?,
            head_table: transaction.open_table(HEADS).map_err(storage)?,
            register_table: transaction.open_table(REGISTERS).map_err(storage)?,
            heads: HashMap::new(),
            registers: HashMap::new(),
            chunks: Vec::new(),
            snapshot_table: transaction.open_table(SNAPSHOTS).map_err(storage)?,
            snapshots: Vec::new(),
        })
    }

    /// Adds a batch, or changes nothing when it is in conflict.
    pub(super) fn add(&mut self, job: &mut Job) -> Result<Position, StoreError> {
        self.check_links(&job.links)?;
        self.check_registers(&job.registers)?;
        let first = Position(self.log.next);
        for (link, entry) in job.links.iter().zip(&job.entries) {
            self.place(link);
            self.log.push(entry);
        }
        for op in job.registers.drain(..) {
            if let RegisterOp::Set { key, value } = op {
                self.registers.insert(key, value);
            }
        }
        self.snapshots.extend(job.snapshot.take());
        Ok(first)
    }

    /// Whether there is anything to write.
    pub(super) fn is_empty(&self) -> bool {
        self.log.next == self.first && self.registers.is_empty() && self.snapshots.is_empty()
    }

    /// Writes everything that was added.
    pub(super) fn write(mut self) -> Result<(), StoreError> {
        if self.log.next != self.first {
            self.log.write(&mut self.entries)?;
        }
        for (trajectory, chunk, positions) in self.chunks {
            let positions = encode_positions(&positions);
            self.index.insert(&chunk_key(&trajectory, chunk), positions.as_slice()).map_err(storage)?;
        }
        for (trajectory, trail) in self.heads {
            self.head_table.insert(trajectory.as_bytes(), trail.encode().as_slice()).map_err(storage)?;
        }
        for (key, value) in self.registers {
            match value {
                Some(value) => drop(self.register_table.insert(key.as_bytes(), &*value).map_err(storage)?),
                None => drop(self.register_table.remove(key.as_bytes()).map_err(storage)?),
            }
        }
        for (key, snapshot) in self.snapshots {
            self.snapshot_table.insert(&key, &*snapshot).map_err(storage)?;
        }
        Ok(())
    }

    fn check_links(&mut self, links: &[Link]) -> Result<(), StoreError> {
        let mut heads: HashMap<TrajectoryId, (u64, EntryId)> = HashMap::new();
        for link in links {
            let head = match heads.get(&link.trajectory) {
                Some(head) => Some(*head),
                None => self.head(&link.trajectory)?,
            };
            let expected = head.map_or((Some(0), EntryId::ZERO), |(seq, id)| (seq.checked_add(1), id));
            if (Some(link.seq), link.parent) != expected {
                return Err(StoreError::HeadMoved { trajectory: link.trajectory, found: link.seq });
            }
            heads.insert(link.trajectory, (link.seq, link.id));
        }
        Ok(())
    }

    fn check_registers(&self, ops: &[RegisterOp]) -> Result<(), StoreError> {
        for op in ops {
            let RegisterOp::Expect { key, value } = op else { continue };
            let holds = match self.registers.get(key) {
                Some(staged) => staged == value,
                None => {
                    let stored = self.register_table.get(key.as_bytes()).map_err(storage)?;
                    stored.as_ref().map(|stored| stored.value()) == value.as_deref()
                }
            };
            if !holds {
                return Err(StoreError::RegisterChanged { key: key.clone() });
            }
        }
        Ok(())
    }

    fn head(&mut self, trajectory: &TrajectoryId) -> Result<Option<(u64, EntryId)>, StoreError> {
        if let Some(trail) = self.heads.get(trajectory) {
            return Ok(Some((trail.seq, trail.id)));
        }
        let Some(stored) = self.head_table.get(trajectory.as_bytes()).map_err(storage)? else { return Ok(None) };
        let trail = Trail::decode(stored.value())?;
        let head = (trail.seq, trail.id);
        self.heads.insert(*trajectory, trail);
        Ok(Some(head))
    }

    /// Moves a trajectory's head to an entry that was checked to follow it, and that comes next in the log.
    fn place(&mut self, link: &Link) {
        let position = self.log.next;
        match self.heads.get_mut(&link.trajectory) {
            Some(trail) => {
                let full = trail.push(link.id, position);
                self.chunks.extend(full.map(|(chunk, positions)| (link.trajectory, chunk, positions)));
            }
            None => drop(self.heads.insert(link.trajectory, Trail::start(link.id, position))),
        }
    }
}

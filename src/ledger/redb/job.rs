use futures::channel::oneshot;

use super::{codec, tables::ChunkKey};
use crate::{
    canon::{Bytes, EntryId, TrajectoryId},
    ledger::{Batch, Position, RegisterOp, StoreError},
};

/// A batch on its way to the writer. Hashing and encoding are done by whoever appends.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) links: Vec<Link>,
    /// The entries, encoded; as many as links.
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) registers: Vec<RegisterOp>,
    pub(super) snapshot: Option<(ChunkKey, Bytes)>,
    pub(super) answer: Answer,
}

pub(super) type Answer = oneshot::Sender<Result<Position, StoreError>>;

/// How an entry is tied to its trajectory.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) trajectory: TrajectoryId,
    pub(super) seq: u64,
    pub(super) parent: EntryId,
    pub(super) id: EntryId,
}

impl Job {
    pub(super) fn new(batch: Batch, answer: Answer) -> Result<Self, StoreError> {
        let links = batch.entries.iter().map(|entry| Link {
            trajectory: entry.header.trajectory,
            seq: entry.header.seq,
            parent: entry.header.parent,
            id: entry.id(),
        });
        let links = links.collect();
        let entries = batch.entries.iter().map(codec::encode).collect::<Result<_, _>>()?;
        Ok(Self { links, entries, registers: batch.registers, snapshot: None, answer })
    }

    /// Keeps a snapshot, and appends nothing.
    pub(super) fn keep(key: ChunkKey, snapshot: Bytes, answer: Answer) -> Self {
        Self { links: vec![], entries: vec![], registers: vec![], snapshot: Some((key, snapshot)), answer }
    }

    pub(super) fn bytes(&self) -> usize {
        let snapshot = self.snapshot.as_ref().map_or(0, |(_, snapshot)| snapshot.len());
        self.entries.iter().map(Vec::len).sum::<usize>() + snapshot
    }
}

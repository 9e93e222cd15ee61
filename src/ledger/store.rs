use async_trait::async_trait;

use super::{Entry, RegisterKey, RegisterOp};
use crate::canon::{Bytes, EntryId, TrajectoryId};

/// The place of an entry in the whole store: ascending, without gaps, from 0. Not part of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// The last entry of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: EntryId,
    /// Its place in the store.
    pub position: Position,
}

/// Entries and register operations that are stored together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The entries, in order; those of one trajectory follow each other in seq.
    pub entries: Vec<Entry>,
    /// The register operations. All expectations are judged before anything is set.
    pub registers: Vec<RegisterOp>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another writer was first: an entry does not follow the head of its trajectory. Nothing was stored.
    #[error("trajectory {} has moved on: seq {found} does not follow its head", trajectory.short())]
    HeadMoved {
        /// The trajectory.
        trajectory: TrajectoryId,
        /// The seq that did not fit.
        found: u64,
    },
    /// A register does not hold what was expected. Nothing was stored.
    #[error("a register has changed: {key:?}")]
    RegisterChanged {
        /// The register.
        key: RegisterKey,
    },
    /// Another process has the ledger.
    #[error("the ledger `{path}` is held by {holder}")]
    Held {
        /// Where.
        path: String,
        /// By whom, as far as it is known.
        holder: String,
    },
    /// The device failed or is full. What the store acknowledged is safe; this operation may or may not be.
    #[error("the ledger's storage failed: {0}")]
    Io(#[source] std::io::Error),
    /// An earlier failure left the store's state unknown: it refuses everything until it is opened again.
    #[error("the ledger stopped after a failure and must be opened again: {0}")]
    Poisoned(String),
    /// The stored bytes are not what this store wrote.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether another writer was first, so that reading again and retrying makes sense.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::HeadMoved { .. } | Self::RegisterChanged { .. })
    }
}

/// Keeps entries. Implement it to put the ledger somewhere else.
///
/// # Contract
/// - `append` is atomic, and durable when it returns. Appends that are acknowledged are read by every later call.
/// - Each entry must follow its trajectory: seq 0 with a zero parent on a new one, else head's seq + 1 with the head's id
///   as parent, earlier entries of the same batch counted. Otherwise [`StoreError::HeadMoved`] and nothing is stored.
/// - Each [`RegisterOp::Expect`] is compared with the registers before the batch. Otherwise
///   [`StoreError::RegisterChanged`] and nothing is stored.
/// - Positions ascend without gaps, in the order of entries within a batch.
/// - Bytes come back as they went in. The store interprets headers only for trajectory, seq and parent.
/// - Snapshots are a cache beside the entries, and change neither them nor registers and positions. The store may forget
///   any of them; one that it returns is what was kept last of that trajectory at that seq.
/// - After an error whose outcome is unknown the store answers [`StoreError::Poisoned`] until it is opened again.
///
/// `ledger::conformance` (feature `conformance`) checks all of it.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Stores a batch, whole or not at all. Returns the position of its first entry, or of the next entry to come when
    /// the batch holds none.
    async fn append(&self, batch: Batch) -> Result<Position, StoreError>;

    /// The last entry of a trajectory; `None` when there is no such trajectory.
    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError>;

    /// Up to `limit` entries of a trajectory from `from_seq` on, in order; fewer only at its end.
    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Up to `limit` entries of the whole store from a position on, in order; fewer only at its end.
    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError>;

    /// Up to `limit` trajectories after `after` in the order of their ids, with their heads; fewer only at the end.
    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError>;

    /// What a register holds.
    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError>;

    /// Up to `limit` registers whose keys start with `prefix` and come after `after`, in order; fewer only at the end.
    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError>;

    /// Keeps `snapshot`, of what a trajectory amounts to after its entry `seq`. As good as nothing may be done: the default
    /// forgets it.
    async fn keep_snapshot(&self, _trajectory: &TrajectoryId, _seq: u64, _snapshot: Bytes) -> Result<(), StoreError> {
        Ok(())
    }

    /// The kept snapshot of a trajectory with the greatest seq up to `up_to`, and that seq.
    async fn snapshot(&self, _trajectory: &TrajectoryId, _up_to: u64) -> Result<Option<(u64, Bytes)>, StoreError> {
        Ok(None)
    }
}

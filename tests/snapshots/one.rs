//! A ledger that has one snapshot, whatever its own are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use openthymos::{
    canon::{Bytes, TrajectoryId},
    ledger::{Batch, Entry, Head, LedgerStore, MemoryLedger, Position, RegisterKey, StoreError},
};

/// Answers with `snapshot` whenever it is asked for one at or after its seq, and counts the entries that are read.
pub struct One {
    pub ledger: Arc<MemoryLedger>,
    pub snapshot: Option<(u64, Bytes)>,
    pub read: AtomicUsize,
}

impl One {
    pub fn of(ledger: &Arc<MemoryLedger>, snapshot: Option<(u64, Bytes)>) -> Self {
        Self { ledger: ledger.clone(), snapshot, read: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl LedgerStore for One {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        self.ledger.append(batch).await
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.ledger.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self.ledger.read(trajectory, from_seq, limit).await?;
        self.read.fetch_add(entries.len(), Ordering::SeqCst);
        Ok(entries)
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.ledger.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.ledger.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.ledger.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.ledger.registers(prefix, after, limit).await
    }

    async fn keep_snapshot(&self, _: &TrajectoryId, _: u64, _: Bytes) -> Result<(), StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::StorageFull.into()))
    }

    async fn snapshot(&self, _: &TrajectoryId, up_to: u64) -> Result<Option<(u64, Bytes)>, StoreError> {
        Ok(self.snapshot.clone().filter(|(seq, _)| *seq <= up_to))
    }
}

//! A ledger whose storage fails at an operation of choice, and refuses everything until it is opened again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use openthymos::{
    canon::{Bytes, TrajectoryId},
    ledger::{Batch, Entry, Head, LedgerStore, MemoryLedger, Position, RegisterKey, StoreError},
};

/// What becomes of the batch at whose append the storage fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is not there.
    Nothing,
    /// It is there, and nobody is told so.
    All,
}

/// A handle on a ledger in memory that fails from its operation `fails_at` on, counted from 0. The entries survive it.
#[derive(Debug)]
pub struct FaultyLedger {
    inner: Arc<MemoryLedger>,
    operations: AtomicU64,
    fails_at: AtomicU64,
    left: Left,
}

impl FaultyLedger {
    pub fn new(inner: &Arc<MemoryLedger>, fails_at: u64, left: Left) -> Self {
        Self { inner: inner.clone(), operations: AtomicU64::new(0), fails_at: AtomicU64::new(fails_at), left }
    }

    /// One that does not fail until it is told to.
    pub fn sound(inner: &Arc<MemoryLedger>, left: Left) -> Self {
        Self::new(inner, u64::MAX, left)
    }

    /// Fails at the next operation.
    pub fn fail_now(&self) {
        self.fails_at.store(self.operations(), Ordering::SeqCst);
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    /// Counts an operation. `Err` when it fails: with `true`, it is the first that does.
    fn step(&self) -> Result<(), (bool, StoreError)> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst);
        let fails_at = self.fails_at.load(Ordering::SeqCst);
        match number.cmp(&fails_at) {
            std::cmp::Ordering::Less => Ok(()),
            std::cmp::Ordering::Equal => Err((true, StoreError::Io(std::io::Error::other("the device is gone")))),
            std::cmp::Ordering::Greater => Err((false, StoreError::Poisoned("the device is gone".into()))),
        }
    }

    fn read_step(&self) -> Result<(), StoreError> {
        self.step().map_err(|(_, error)| error)
    }
}

#[async_trait]
impl LedgerStore for FaultyLedger {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        match self.step() {
            Ok(()) => self.inner.append(batch).await,
            Err((first, error)) => {
                if first && self.left == Left::All {
                    // A batch that would have been refused is refused, also by a device that is about to fail.
                    self.inner.append(batch).await?;
                }
                Err(error)
            }
        }
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.read_step()?;
        self.inner.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.read_step()?;
        self.inner.read(trajectory, from_seq, limit).await
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.read_step()?;
        self.inner.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.read_step()?;
        self.inner.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.read_step()?;
        self.inner.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.read_step()?;
        self.inner.registers(prefix, after, limit).await
    }
}

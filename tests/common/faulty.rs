//! A ledger whose storage fails, or whose process ends, at an operation of choice.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
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

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends: whoever waits is never answered.
    Crash(Left),
    /// The device is gone: it says so once, and then refuses everything.
    Error(Left),
    /// There is no room: appends fail, and what is there is read on.
    Full,
    /// The store panics in an append, and then refuses everything.
    Panic(Left),
}

/// What an operation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Read,
    /// An append, and how many entries it stored: none where it was refused.
    Append(usize),
    /// A step of something else than the ledger, at which the process may end.
    Pause,
}

/// A handle on a ledger in memory that fails from its operation `fails_at` on, counted from 0. The entries survive it.
#[derive(Debug)]
pub struct FaultyLedger {
    inner: Arc<MemoryLedger>,
    operations: AtomicU64,
    fails_at: AtomicU64,
    fault: Fault,
    failed: AtomicBool,
    crashed: AtomicBool,
    trace: Mutex<Vec<Op>>,
}

impl FaultyLedger {
    pub fn new(inner: &Arc<MemoryLedger>, fails_at: u64, fault: Fault) -> Self {
        Self {
            inner: inner.clone(),
            operations: AtomicU64::new(0),
            fails_at: AtomicU64::new(fails_at),
            fault,
            failed: AtomicBool::new(false),
            crashed: AtomicBool::new(false),
            trace: Mutex::default(),
        }
    }

    /// One that does not fail until it is told to.
    pub fn sound(inner: &Arc<MemoryLedger>, left: Left) -> Self {
        Self::new(inner, u64::MAX, Fault::Error(left))
    }

    /// Fails at the next operation.
    pub fn fail_now(&self) {
        self.fails_at.store(self.operations(), Ordering::SeqCst);
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    /// What they were.
    pub fn trace(&self) -> Vec<Op> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an operation failed.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Whether the process has ended, so that nothing of it must be polled any more.
    pub fn crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    /// A point outside of the ledger at which the process may end.
    pub async fn pause(&self) {
        if self.due(Op::Pause).await && matches!(self.fault, Fault::Crash(_)) {
            self.crash::<()>().await;
        }
    }

    /// Counts an operation. Whether its turn to fail has come.
    async fn due(&self, op: Op) -> bool {
        if self.crashed() {
            self.crash::<()>().await;
        }
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(op);
        self.operations.fetch_add(1, Ordering::SeqCst) >= self.fails_at.load(Ordering::SeqCst)
    }

    async fn crash<T>(&self) -> T {
        self.failed.store(true, Ordering::SeqCst);
        self.crashed.store(true, Ordering::SeqCst);
        futures::future::pending().await
    }

    async fn read_step(&self) -> Result<(), StoreError> {
        match self.fault {
            _ if !self.due(Op::Read).await => Ok(()),
            Fault::Crash(_) => self.crash().await,
            Fault::Error(_) => Err(self.error()),
            Fault::Full => Ok(()),
            Fault::Panic(_) if self.failed() => Err(self.error()),
            Fault::Panic(_) => Ok(()),
        }
    }

    fn error(&self) -> StoreError {
        let kind = if self.fault == Fault::Full { std::io::ErrorKind::StorageFull } else { std::io::ErrorKind::Other };
        match self.failed.swap(true, Ordering::SeqCst) {
            false => StoreError::Io(std::io::Error::new(kind, "the device is gone")),
            true => StoreError::Poisoned("the device is gone".into()),
        }
    }

    async fn store(&self, batch: Batch) -> Result<Position, StoreError> {
        let entries = batch.entries.len();
        let position = self.inner.append(batch).await?;
        if let Some(last) = self.trace.lock().unwrap_or_else(PoisonError::into_inner).last_mut() {
            *last = Op::Append(entries);
        }
        Ok(position)
    }
}

#[async_trait]
impl LedgerStore for FaultyLedger {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        if !self.due(Op::Append(0)).await {
            return self.store(batch).await;
        }
        if self.failed() {
            return Err(self.error());
        }
        if let Fault::Crash(Left::All) | Fault::Error(Left::All) | Fault::Panic(Left::All) = self.fault {
            // A batch that would have been refused is refused, also by a device that is about to fail.
            self.store(batch).await?;
        }
        match self.fault {
            Fault::Crash(_) => self.crash().await,
            Fault::Error(_) | Fault::Full => Err(self.error()),
            Fault::Panic(_) => {
                self.failed.store(true, Ordering::SeqCst);
                std::panic::resume_unwind(Box::new("the store panicked"))
            }
        }
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.read_step().await?;
        self.inner.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.read_step().await?;
        self.inner.read(trajectory, from_seq, limit).await
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.read_step().await?;
        self.inner.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.read_step().await?;
        self.inner.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.read_step().await?;
        self.inner.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.read_step().await?;
        self.inner.registers(prefix, after, limit).await
    }
}

/// The ways in which an operation can fail.
pub fn faults(op: Op) -> &'static [Fault] {
    match op {
        Op::Pause => &[Fault::Crash(Left::Nothing)],
        Op::Read | Op::Append(0) => &[Fault::Crash(Left::Nothing), Fault::Error(Left::Nothing)],
        Op::Append(_) => &[
            Fault::Crash(Left::Nothing),
            Fault::Crash(Left::All),
            Fault::Error(Left::Nothing),
            Fault::Error(Left::All),
            Fault::Full,
            Fault::Panic(Left::Nothing),
            Fault::Panic(Left::All),
        ],
    }
}

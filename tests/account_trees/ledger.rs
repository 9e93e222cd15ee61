//! A ledger that takes its time, and sometimes says that somebody was first.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures::executor::block_on;
use openthymos::{
    canon::{Bytes, TrajectoryId, WritId},
    ledger::{Batch, Entry, Head, LedgerStore, MemoryLedger, Position, Register, RegisterKey, StoreError},
    writ::Amounts,
};

/// A repeatable stream of numbers (splitmix64), shared by all that choose.
#[derive(Clone, Default)]
pub struct Dice(Arc<AtomicU64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))))
    }

    pub fn below(&self, limit: usize) -> usize {
        let mut mixed = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    /// Is pending a few times.
    pub async fn wait(&self) {
        for _ in 0..self.below(4) {
            once().await;
        }
    }
}

/// Is pending once.
pub async fn once() {
    let mut polled = false;
    let poll = |context: &mut Context<'_>| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    };
    std::future::poll_fn(poll).await;
}

pub struct SlowLedger {
    pub inner: MemoryLedger,
    pub dice: Dice,
    /// Whether anything is slow or in conflict.
    pub wild: AtomicBool,
    /// How many batches were stored.
    pub stored: AtomicU64,
    pub conflicts: Mutex<u64>,
}

impl SlowLedger {
    pub fn new(dice: Dice) -> Self {
        Self {
            inner: MemoryLedger::new(),
            dice,
            wild: AtomicBool::new(true),
            stored: AtomicU64::new(0),
            conflicts: Mutex::new(0),
        }
    }

    async fn wait(&self) {
        if self.wild.load(Ordering::Relaxed) {
            self.dice.wait().await;
        }
    }

    /// What is spent and held under each writ together, and by each trajectory under it: the sums of registers.
    pub fn accounts(&self) -> BTreeMap<WritId, BTreeMap<TrajectoryId, (Amounts, Amounts)>> {
        let prefix = RegisterKey::all(Register::Account);
        let mut accounts: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (key, value) in block_on(self.inner.registers(prefix.as_bytes(), None, usize::MAX)).unwrap() {
            let id = |from: usize| <[u8; 32]>::try_from(&key.as_bytes()[from..from + 32]).unwrap();
            let numbers: Vec<u64> =
                value.chunks(8).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap())).collect();
            let amounts = |at: usize| Amounts {
                tokens: numbers[at],
                tool_calls: numbers[at + 1],
                usd_millicents: numbers[at + 2],
                wall_clock_ms: numbers[at + 3],
            };
            accounts.entry(WritId(id(1))).or_default().insert(TrajectoryId(id(33)), (amounts(0), amounts(4)));
        }
        accounts
    }
}

#[async_trait]
impl LedgerStore for SlowLedger {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        self.wait().await;
        if self.wild.load(Ordering::Relaxed) && self.dice.below(12) == 0 {
            *self.conflicts.lock().unwrap() += 1;
            let Some(entry) = batch.entries.first().filter(|_| self.dice.below(3) == 0) else {
                // As if another writer had changed what is trusted.
                return Err(StoreError::RegisterChanged { key: RegisterKey::epoch() });
            };
            return Err(StoreError::HeadMoved { trajectory: entry.header.trajectory, found: entry.header.seq });
        }
        let stored = self.inner.append(batch).await;
        self.stored.fetch_add(1, Ordering::Relaxed);
        self.wait().await;
        stored
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.wait().await;
        self.inner.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.read(trajectory, from_seq, limit).await
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.inner.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.inner.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.wait().await;
        self.inner.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.wait().await;
        let page = self.inner.registers(prefix, after, limit).await;
        self.wait().await;
        page
    }
}

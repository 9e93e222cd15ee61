//! The embedded ledger: one file, one process, every acknowledged batch durable.
//!
//! [`RedbLedger`] keeps entries in a [redb] file. One thread writes: it takes the batches that wait, leaves out those in
//! conflict, commits the others as one durable two-phase transaction and answers all of them. Reads run on the caller's
//! thread, on the last commit.
//!
//! # The file
//!
//! Six tables, layout version 2; integers are big-endian unless a table's key says otherwise.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | `layout`: the layout version, a `u32` |
//! | `entries` | position of the row's first entry | a row |
//! | `heads` | trajectory | a trail |
//! | `index` | trajectory ‖ number of the chunk, `u64` | a chunk |
//! | `registers` | register key | what it holds |
//! | `snapshots` | trajectory ‖ seq, `u64` | a snapshot |
//!
//! A **row** is one or more entries, each behind its length as a `u32`. Entries are added to the last row until it would
//! exceed 16,368 bytes, which fills four pages of the file; a larger entry has a row of its own. Positions ascend without
//! gaps, so a row ends where the next begins.
//!
//! | bytes of an entry | field |
//! |---|---|
//! | 224 | the [`Header`](super::Header) |
//! | 1 | 1 when it is signed, plus 2 when its record is packed |
//! | 64 | the signature, when it is signed |
//! | 4 + n | length of the record, and the record; packed, as long as that is |
//! | 4 | number of blobs |
//! | 1 | per blob: 1 when it is present, 0 when it was erased |
//! | 16, 4 + n | per present blob: salt, length, bytes |
//! | 32 | per erased blob: the commitment that the record names it by |
//!
//! A **packed** record has 0x01 and 32 bytes in place of each quoted string of 64 lower-case hex digits, and 0x02 and 16 bytes
//! in place of each of 32; left to right, the longer one first. A record that holds one of the two bytes is not packed.
//! Layout 1 packs none, and has no snapshots: a file of it is read, and becomes one of layout 2 when it is opened for writing.
//!
//! A **chunk** holds the positions of 32 entries that follow each other on a trajectory, 8 bytes each: chunk 0 those of
//! seq 0 to 31. A **trail** holds the head's seq (8) and id (32), then the positions of the entries that fill no chunk yet,
//! the head's last. So an append changes its trajectory's trail only, and the index once in 32 appends.
//!
//! [redb]: https://github.com/cberner/redb

mod codec;
mod error;
mod job;
mod lock;
mod options;
mod pack;
mod poison;
mod reader;
mod rows;
mod stage;
mod tables;
mod trail;
mod writer;

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use async_trait::async_trait;
use futures::channel::oneshot;

use self::{
    job::{Answer, Job},
    lock::LockFile,
    poison::{Poison, contained},
    reader::Reader,
};
use super::{Batch, Entry, Head, LedgerStore, Position, RegisterKey, StoreError};
use crate::canon::{Bytes, TrajectoryId};

pub use options::RedbOptions;

/// A larger snapshot is forgotten.
const MAX_SNAPSHOT_BYTES: usize = 1 << 28;

/// A durable ledger in one file, for one process at a time.
///
/// Beside the file lies `<file>.lock`, which names the process that has the ledger; it stays when the ledger is closed.
/// After a failure of the device, or a panic of the writing thread, everything answers [`StoreError::Poisoned`] until the
/// ledger is opened again. Dropping it finishes what is queued.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("runs.db");
/// use openthymos::ledger::{Batch, LedgerStore, Position, redb::RedbLedger};
///
/// let ledger = RedbLedger::open(&path)?;
/// let next = futures::executor::block_on(ledger.append(Batch::default()))?;
/// assert_eq!(next, Position(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RedbLedger {
    writer: Option<Writer>,
    reader: Reader,
    poison: Arc<Poison>,
    // Dropped last: whoever waits for the lock must find the file closed.
    _lock: Option<LockFile>,
}

#[derive(Debug)]
struct Writer {
    queue: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl RedbLedger {
    /// Opens the ledger at `path`, or starts one there, folders included; only the owner may read what it creates.
    ///
    /// # Errors
    /// [`StoreError::Held`] when another process still has it after two seconds, [`StoreError::Damaged`] when the file is
    /// not a ledger, [`StoreError::Io`] otherwise.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(path)
    }

    /// Opens the ledger at `path` for reading. It must exist and have been closed properly, or be larger than 64 MiB: a
    /// ledger whose process was killed is repaired by [`open`](Self::open).
    ///
    /// # Errors
    /// As for [`open`](Self::open); a writer and a reader exclude each other.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open_read_only(path)
    }

    /// Opens a ledger on a device of one's own: for tests that inject faults, and for unusual storage. An empty device is
    /// laid out; where that is cut short, empty it again.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn with_backend(backend: impl redb::StorageBackend) -> Result<Self, StoreError> {
        Self::options().with_backend(backend)
    }

    /// How to open it, where the defaults do not fit.
    pub fn options() -> RedbOptions {
        RedbOptions::default()
    }

    /// Hands a job to the writer, and waits for its answer.
    async fn write(&self, job: impl FnOnce(Answer) -> Result<Job, StoreError>) -> Result<Position, StoreError> {
        self.poison.check()?;
        let Some(writer) = &self.writer else {
            return Err(StoreError::Io(std::io::Error::new(
                std::io::ErrorKind::ReadOnlyFilesystem,
                "the ledger is open for reading",
            )));
        };
        let (answer, answered) = oneshot::channel();
        // A writer that has stopped drops the job, and with it the sender of the answer.
        drop(writer.queue.send(job(answer)?));
        answered.await.unwrap_or_else(|_| Err(self.poison.error()))
    }

    fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.poison.check()?;
        contained(&self.poison, || read(&self.reader)).map_err(|error| self.poison.note(error))
    }
}

impl Drop for RedbLedger {
    fn drop(&mut self) {
        let Some(Writer { queue, thread }) = self.writer.take() else { return };
        drop(queue);
        // The writer itself drops the ledger when the task that it wakes was the ledger's last owner.
        if thread.thread().id() != std::thread::current().id() {
            drop(thread.join());
        }
    }
}

#[async_trait]
impl LedgerStore for RedbLedger {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        self.write(|answer| Job::new(batch, answer)).await
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.read(|reader| reader.head(trajectory))
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.read(|reader| reader.read(trajectory, from_seq, limit))
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.read(|reader| reader.scan(from, limit))
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.read(|reader| reader.trajectories(after, limit))
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.read(|reader| reader.register(key))
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.read(|reader| reader.registers(prefix, after, limit))
    }

    async fn keep_snapshot(&self, trajectory: &TrajectoryId, seq: u64, snapshot: Bytes) -> Result<(), StoreError> {
        if snapshot.len() > MAX_SNAPSHOT_BYTES {
            return Ok(());
        }
        let key = trail::chunk_key(trajectory, seq);
        self.write(|answer| Ok(Job::keep(key, snapshot, answer))).await.map(drop)
    }

    async fn snapshot(&self, trajectory: &TrajectoryId, up_to: u64) -> Result<Option<(u64, Bytes)>, StoreError> {
        self.read(|reader| reader.snapshot(trajectory, up_to))
    }
}

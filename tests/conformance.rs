//! Every store passes the conformance suite, and the suite catches a store that breaks a rule.
#![expect(clippy::expect_used, reason = "a test helper that goes wrong should stop the test")]

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::executor::block_on;
use openthymos::{
    canon::{Bytes, TrajectoryId},
    ledger::{
        Batch, Entry, Head, LedgerStore, MemoryLedger, Position, RegisterKey, RegisterOp, StoreError, StoredBlob,
        conformance::{CHECKS, check},
    },
};

#[test]
fn the_ledger_in_memory_conforms() {
    assert_eq!(block_on(check(async || Ok(MemoryLedger::new()))), Ok(()));
}

#[cfg(feature = "redb")]
#[test]
fn the_ledger_in_a_file_conforms() {
    use openthymos::ledger::redb::RedbLedger;

    let folder = tempfile::tempdir().unwrap();
    let number = AtomicU64::new(0);
    let open = async || RedbLedger::open(folder.path().join(number.fetch_add(1, Ordering::Relaxed).to_string()));
    assert_eq!(block_on(check(open)), Ok(()));
}

/// How a broken store differs from one that works: every method may be bent.
#[derive(Clone, Copy, Default)]
struct Bend {
    batch: Option<fn(&mut Batch)>,
    entries: Option<fn(&mut Vec<Entry>)>,
    position: Option<fn(&mut Position)>,
    register: Option<fn(&mut Option<Bytes>)>,
    limit: Option<fn(usize) -> usize>,
    after: Option<fn(&RegisterKey) -> Option<RegisterKey>>,
    /// Where a snapshot is kept, instead of where it belongs.
    snapshot: Option<fn(&TrajectoryId, u64) -> (TrajectoryId, u64)>,
    /// Appends entry by entry.
    torn: bool,
    /// Answers a conflict as if all were well.
    deaf: bool,
    /// Lets others in between judging a batch and storing it.
    racy: bool,
}

struct Broken {
    store: MemoryLedger,
    bend: Bend,
}

#[async_trait]
impl LedgerStore for Broken {
    async fn append(&self, mut batch: Batch) -> Result<Position, StoreError> {
        if let Some(bend) = self.bend.batch {
            bend(&mut batch);
        }
        let first = self.store.append(Batch::default()).await?;
        if self.bend.torn {
            for entry in std::mem::take(&mut batch.entries) {
                self.store.append(Batch { entries: vec![entry], registers: Vec::new() }).await?;
            }
        }
        if self.bend.racy {
            let expected = batch.registers.extract_if(.., |op| matches!(op, RegisterOp::Expect { .. })).collect();
            self.store.append(Batch { entries: Vec::new(), registers: expected }).await?;
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        let mut position = match self.store.append(batch).await {
            Err(error) if self.bend.deaf && error.is_conflict() => Position(0),
            result => result?,
        };
        if self.bend.torn {
            position = first;
        }
        if let Some(bend) = self.bend.position {
            bend(&mut position);
        }
        Ok(position)
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.store.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let limit = self.bend.limit.map_or(limit, |bend| bend(limit));
        let mut entries = self.store.read(trajectory, from_seq, limit).await?;
        if let Some(bend) = self.bend.entries {
            bend(&mut entries);
        }
        Ok(entries)
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.store.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.store.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        let mut value = self.store.register(key).await?;
        if let Some(bend) = self.bend.register {
            bend(&mut value);
        }
        Ok(value)
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        let bent = after.and_then(|after| self.bend.after.and_then(|bend| bend(after)));
        self.store.registers(prefix, bent.as_ref().or(after), limit).await
    }

    async fn keep_snapshot(&self, trajectory: &TrajectoryId, seq: u64, snapshot: Bytes) -> Result<(), StoreError> {
        let (trajectory, seq) = self.bend.snapshot.map_or((*trajectory, seq), |bend| bend(trajectory, seq));
        self.store.keep_snapshot(&trajectory, seq, snapshot).await
    }

    async fn snapshot(&self, trajectory: &TrajectoryId, up_to: u64) -> Result<Option<(u64, Bytes)>, StoreError> {
        self.store.snapshot(trajectory, up_to).await
    }
}

fn caught(bend: Bend) -> &'static str {
    let outcome = block_on(check(async || Ok(Broken { store: MemoryLedger::new(), bend })));
    let error = outcome.expect_err("the broken store passed");
    assert!(CHECKS.contains(&error.check) && !error.reason.is_empty(), "{error}");
    error.check
}

#[test]
fn a_store_that_is_not_bent_passes() {
    assert_eq!(block_on(check(async || Ok(Broken { store: MemoryLedger::new(), bend: Bend::default() }))), Ok(()));
}

#[test]
fn a_store_that_tears_batches_is_caught() {
    assert_eq!(caught(Bend { torn: true, ..Bend::default() }), "an_entry_must_follow_its_head");
}

#[test]
fn a_store_that_acknowledges_conflicts_is_caught() {
    assert_eq!(caught(Bend { deaf: true, ..Bend::default() }), "an_entry_must_follow_its_head");
}

#[test]
fn a_store_that_ignores_expectations_is_caught() {
    let batch = |batch: &mut Batch| batch.registers.retain(|op| matches!(op, RegisterOp::Set { .. }));
    assert_eq!(caught(Bend { batch: Some(batch), ..Bend::default() }), "a_missed_expectation_refuses_the_batch");
}

#[test]
fn a_store_that_judges_and_stores_in_two_steps_is_caught() {
    assert_eq!(caught(Bend { racy: true, ..Bend::default() }), "a_compared_register_loses_no_update");
}

#[test]
fn a_store_that_numbers_from_one_is_caught() {
    let position = |position: &mut Position| position.0 += 1;
    assert_eq!(caught(Bend { position: Some(position), ..Bend::default() }), "positions_ascend_without_gaps");
}

#[test]
fn a_store_that_drops_empty_blobs_or_signatures_is_caught() {
    let blobs = |entries: &mut Vec<Entry>| {
        for entry in entries {
            entry.blobs.retain(|blob| !matches!(blob, StoredBlob::Present(blob) if blob.bytes.is_empty()));
        }
    };
    assert_eq!(caught(Bend { entries: Some(blobs), ..Bend::default() }), "bytes_come_back_as_they_went_in");
    let unsigned = |entries: &mut Vec<Entry>| entries.iter_mut().for_each(|entry| entry.signature = None);
    assert_eq!(caught(Bend { entries: Some(unsigned), ..Bend::default() }), "bytes_come_back_as_they_went_in");
}

#[test]
fn a_store_that_takes_an_empty_register_for_none_is_caught() {
    let register = |value: &mut Option<Bytes>| *value = value.take().filter(|value| !value.is_empty());
    assert_eq!(caught(Bend { register: Some(register), ..Bend::default() }), "registers_are_set_and_removed");
}

#[test]
fn a_store_that_caps_or_lifts_limits_is_caught() {
    let capped = |limit: usize| limit.min(64);
    assert_eq!(caught(Bend { limit: Some(capped), ..Bend::default() }), "reading_a_trajectory_pages");
    let never_none = |limit: usize| limit.max(1);
    assert_eq!(caught(Bend { limit: Some(never_none), ..Bend::default() }), "reading_a_trajectory_pages");
}

#[test]
fn a_store_that_skips_a_register_between_pages_is_caught() {
    let after = |key: &RegisterKey| Some(RegisterKey::from([key.as_bytes(), b"\0"].concat()));
    assert_eq!(caught(Bend { after: Some(after), ..Bend::default() }), "listing_registers_pages");
}

#[test]
fn a_store_that_mixes_up_snapshots_is_caught() {
    let check = "a_snapshot_comes_back_as_it_was_kept_or_not_at_all";
    let at_another_seq = |trajectory: &TrajectoryId, seq: u64| (*trajectory, seq / 2);
    assert_eq!(caught(Bend { snapshot: Some(at_another_seq), ..Bend::default() }), check);
    let of_another_run = |trajectory: &TrajectoryId, seq| {
        let TrajectoryId(mut id) = *trajectory;
        id[0] ^= 3;
        (TrajectoryId(id), seq)
    };
    assert_eq!(caught(Bend { snapshot: Some(of_another_run), ..Bend::default() }), check);
}

#[test]
fn a_panic_in_a_store_is_a_failed_check() {
    let register = |_: &mut Option<Bytes>| {
        if std::thread::current().name().is_none() {
            std::panic::panic_any("broken");
        }
    };
    assert_eq!(caught(Bend { register: Some(register), ..Bend::default() }), "a_compared_register_loses_no_update");
}

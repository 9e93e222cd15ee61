//! Writers that append at the same time share commits: a sync is paid once for all of them.

use std::{
    io::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures::executor::block_on;
use openthymos::ledger::{Batch, LedgerStore, redb::RedbLedger};
use redb::{StorageBackend, backends::InMemoryBackend};

use crate::workload::Chain;

/// A device in memory whose syncs are slow, and counted.
#[derive(Debug, Default)]
struct Slow {
    memory: InMemoryBackend,
    syncs: Arc<AtomicUsize>,
}

impl StorageBackend for Slow {
    fn len(&self) -> Result<u64, Error> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> Result<(), Error> {
        thread::sleep(Duration::from_millis(20));
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.memory.write(offset, data)
    }
}

#[test]
fn writers_that_were_answered_together_are_committed_together_again() {
    const WRITERS: u8 = 16;
    const APPENDS: usize = 8;
    let slow = Slow::default();
    let syncs = Arc::clone(&slow.syncs);
    let ledger = RedbLedger::with_backend(slow).unwrap();
    let before = syncs.load(Ordering::Relaxed);
    let append = &|writer| {
        let mut chain = Chain::new(writer);
        for _ in 0..APPENDS {
            // Everybody takes another time to come back, a little less than waiting for them pays.
            thread::sleep(Duration::from_millis(u64::from(writer) % 6));
            block_on(ledger.append(Batch { entries: vec![chain.next(500)], registers: vec![] })).unwrap();
        }
    };
    thread::scope(|scope| {
        (1..=WRITERS).for_each(|writer| drop(scope.spawn(move || append(writer))));
    });
    // Two syncs a commit. The first writer comes alone; left to themselves, the quickest would each time.
    let commits = (syncs.load(Ordering::Relaxed) - before) / 2;
    assert!((APPENDS..APPENDS + APPENDS / 2).contains(&commits), "{commits}");
}

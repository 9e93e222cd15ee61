//! A damaged ledger file is refused or read in part; it never brings the process down.
//!
//! An input says how a file with a few entries was changed: seven bytes each for an offset, a length and a pattern. An
//! input that begins with `!` is the file itself.

use std::{
    io::{Error, ErrorKind},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::executor::block_on;
use openthymos::{
    ledger::{Batch, LedgerStore, Position, RegisterKey, RegisterOp, redb::RedbLedger},
    replay::{Contracts, Pins, authority_of, run as replay},
};

use super::golden;

/// The most changes that are applied.
const MAX_CHANGES: usize = 8;

pub fn run(bytes: &[u8]) {
    leave_the_engine_its_panics();
    let before = OWN_PANICS.load(Ordering::SeqCst);
    read(bytes);
    assert_eq!(OWN_PANICS.load(Ordering::SeqCst), before, "code other than the storage engine's panicked");
}

fn read(bytes: &[u8]) {
    let image = match bytes {
        [b'!', file @ ..] => file.to_vec(),
        changes => changed(changes),
    };
    let Ok(ledger) = RedbLedger::options().cache_bytes(1 << 20).with_backend(Device::of(image)) else { return };
    let mut entries = 0;
    while let Ok(page) = block_on(ledger.scan(Position(entries), 4)) {
        if page.is_empty() {
            break;
        }
        entries += page.len() as u64;
        assert!(entries < 1 << 16, "a file of this size holds fewer");
    }
    for (trajectory, head) in block_on(ledger.trajectories(None, 64)).unwrap_or_default() {
        drop(block_on(ledger.head(&trajectory)));
        drop(block_on(ledger.read(&trajectory, 0, 64)));
        drop(block_on(ledger.read(&trajectory, head.seq, 64)));
        drop(block_on(replay(&ledger, &trajectory, Pins::default(), |_, _| {})));
    }
    drop(block_on(ledger.registers(&[], None, 64)));
    drop(block_on(ledger.register(&RegisterKey::epoch())));
    drop(block_on(authority_of(&ledger, None, Contracts::All)));
    drop(block_on(ledger.append(Batch::default())));
}

/// How often other code than the storage engine's panicked: the ledger contains that too, and it is a finding.
static OWN_PANICS: AtomicUsize = AtomicUsize::new(0);

/// The storage engine panics on some files, and the ledger contains it. A fuzzer takes any panic for a finding, so it is
/// told only of those that arise in other code.
fn leave_the_engine_its_panics() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let engine = |place: &std::panic::Location<'_>| place.file().contains("/redb-");
            if !panic.location().is_some_and(engine) {
                OWN_PANICS.fetch_add(1, Ordering::SeqCst);
                tell(panic);
            }
        }));
    });
}

fn changed(changes: &[u8]) -> Vec<u8> {
    let mut image = image().to_vec();
    for change in changes.as_chunks::<7>().0.iter().take(MAX_CHANGES) {
        let [high, middle, low, what, length, value, step] = *change;
        let at = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let at = at % image.len().max(1);
        for (number, byte) in image.iter_mut().skip(at).take(usize::from(length) + 1).enumerate() {
            let new = value.wrapping_add(step.wrapping_mul(number as u8));
            *byte = if what & 1 == 0 { *byte ^ new } else { new };
        }
        if what & 0xf0 == 0xf0 {
            image.truncate(at);
        }
    }
    image
}

/// A file that holds the golden export's entries.
fn image() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let device = Device::of(Vec::new());
        let ledger = RedbLedger::with_backend(device.clone()).unwrap();
        for mut entry in golden::export_entries() {
            // Entries that no export refers to are missing: what is stored here follows in seq all the same.
            let head = block_on(ledger.head(&entry.header.trajectory)).unwrap();
            entry.header.seq = head.map_or(0, |head| head.seq + 1);
            entry.header.parent = head.map_or(openthymos::canon::EntryId::ZERO, |head| head.id);
            let key = RegisterKey::epoch();
            let value = Some(entry.header.seq.to_be_bytes().as_slice().into());
            block_on(ledger.append(Batch { entries: vec![entry], registers: vec![RegisterOp::Set { key, value }] }))
                .unwrap();
        }
        drop(ledger);
        device.bytes().clone()
    })
}

/// A device in memory.
#[derive(Debug, Clone)]
struct Device(Arc<Mutex<Vec<u8>>>);

impl Device {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    fn bytes(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl redb::StorageBackend for Device {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let bytes = self.bytes();
        let start = usize::try_from(offset).ok();
        let end = start.and_then(|start| start.checked_add(out.len()));
        let range = start.zip(end).and_then(|(start, end)| bytes.get(start..end));
        out.copy_from_slice(range.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        // A file of foreign bytes may ask for any size.
        if length > 64 << 20 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.bytes().resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut bytes = self.bytes();
        let range = (offset as usize).checked_add(data.len()).and_then(|end| bytes.get_mut(offset as usize..end));
        range.ok_or(ErrorKind::StorageFull)?.copy_from_slice(data);
        Ok(())
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let spread = (0..32u8).map(|part| vec![part, 0, 3, part, 7, part, 1]);
    spread.chain([vec![], vec![0; 7], vec![0, 16, 0, 0xf0, 1, 0, 0], b"!".to_vec(), b"!redb".to_vec()]).collect()
}

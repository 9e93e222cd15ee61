use std::{fs::OpenOptions, io, ops::Bound, path::Path, thread, time::Duration};

use redb::{BackendError, StorageBackend, backends::FileBackend};

use super::Failed;

/// A file whose syncs take a given time and are no syncs: for ledgers that only have to be there, and for disks that are
/// slower than the one at hand.
#[derive(Debug)]
pub(super) struct Device {
    file: FileBackend,
    sync: Duration,
}

impl Device {
    /// A new file that is never synced.
    pub(super) fn unsynced(path: &Path) -> Result<Self, Failed> {
        Self::syncing_in(path, Duration::ZERO)
    }

    /// A new file each of whose syncs takes that long.
    pub(super) fn syncing_in(path: &Path, sync: Duration) -> Result<Self, Failed> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Self { file: FileBackend::new(file)?, sync })
    }
}

impl StorageBackend for Device {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        thread::sleep(self.sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    // Whoever opens the file next waits until this ledger is closed, work in the background included.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

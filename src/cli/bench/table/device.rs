use std::{fs::OpenOptions, io, path::Path, thread, time::Duration};

use redb::{StorageBackend, backends::FileBackend};

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
}

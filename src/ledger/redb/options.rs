use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use redb::{Builder, DatabaseError, StorageBackend};

use super::{
    RedbLedger, Writer,
    error::{damaged, storage},
    lock::{LockFile, retry},
    poison::{Poison, contained},
    queue::{Queue, Served},
    reader::Reader,
    writer::Committer,
};
use crate::ledger::StoreError;

const WAIT: Duration = Duration::from_secs(2);
const CACHE_BYTES: usize = 128 << 20;
const QUICK_REPAIR_BYTES: u64 = 64 << 20;
/// How a file system says that it does not sync folders, or a folder that it is not ours.
const NO_SYNC: [ErrorKind; 3] = [ErrorKind::InvalidInput, ErrorKind::PermissionDenied, ErrorKind::Unsupported];

/// How a [`RedbLedger`] is opened.
#[derive(Debug, Clone)]
pub struct RedbOptions {
    wait: Duration,
    cache_bytes: usize,
    quick_repair_bytes: u64,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { wait: WAIT, cache_bytes: CACHE_BYTES, quick_repair_bytes: QUICK_REPAIR_BYTES }
    }
}

impl RedbOptions {
    /// How long to wait for another process to let go of the ledger; two seconds by default.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How much memory the storage engine may cache pages in; 128 MiB by default.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// From which size of the file on every commit also stores what a quick repair needs, so that opening after a crash
    /// takes about a millisecond and not a second per gigabyte; 64 MiB by default.
    pub fn quick_repair_bytes(mut self, bytes: u64) -> Self {
        self.quick_repair_bytes = bytes;
        self
    }

    /// Opens the ledger at `path`; see [`RedbLedger::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<RedbLedger, StoreError> {
        let deadline = Instant::now() + self.wait;
        let path = resolve(path.as_ref()).map_err(StoreError::Io)?;
        let lock = LockFile::take(&path, deadline)?;
        if std::fs::metadata(&path).map_or_else(|error| error.kind() == ErrorKind::NotFound, |file| file.len() == 0) {
            self.lay_out(&path)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(StoreError::Io)?;
        let size = file.metadata().map_err(StoreError::Io)?.len();
        let poison = Arc::<Poison>::default();
        contained(&Arc::clone(&poison), || {
            let database = retry(&path, deadline, || {
                let file = file.try_clone().map_err(StoreError::Io)?;
                unless_open(self.builder().create_file(file))
            })?;
            self.start(database, size, lock, poison)
        })
    }

    /// Opens the ledger at `path` for reading; see [`RedbLedger::open_read_only`].
    ///
    /// # Errors
    /// As there.
    pub fn open_read_only(&self, path: impl AsRef<Path>) -> Result<RedbLedger, StoreError> {
        let deadline = Instant::now() + self.wait;
        let path = path.as_ref();
        let poison = Arc::<Poison>::default();
        contained(&Arc::clone(&poison), || {
            let database = retry(path, deadline, || unless_open(self.builder().open_read_only(path)))?;
            let reader = Reader::new(Arc::new(database));
            reader.check()?;
            Ok(RedbLedger { writer: None, reader, poison, _lock: None })
        })
    }

    /// Opens a ledger on `backend`; see [`RedbLedger::with_backend`].
    ///
    /// # Errors
    /// As there.
    pub fn with_backend(&self, backend: impl StorageBackend) -> Result<RedbLedger, StoreError> {
        let size = backend.len().map_err(StoreError::Io)?;
        let poison = Arc::<Poison>::default();
        contained(&Arc::clone(&poison), || {
            let database = self.builder().create_with_backend(backend).map_err(storage)?;
            self.start(database, size, None, poison)
        })
    }

    /// Makes an empty ledger. It gets its name once it is whole: a crash must not leave a file that nothing can open.
    fn lay_out(&self, path: &Path) -> Result<(), StoreError> {
        let mut unnamed = path.as_os_str().to_owned();
        unnamed.push(".new");
        let mut options = OpenOptions::new();
        owner_only(options.read(true).write(true).create(true).truncate(true));
        let file = options.open(&unnamed).map_err(StoreError::Io)?;
        drop(self.start(self.builder().create_file(file).map_err(storage)?, 0, None, Arc::default())?);
        std::fs::rename(&unnamed, path).and_then(|()| sync_folders(path)).map_err(StoreError::Io)
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        builder
    }

    fn start(
        &self,
        database: redb::Database,
        size: u64,
        lock: Option<LockFile>,
        poison: Arc<Poison>,
    ) -> Result<RedbLedger, StoreError> {
        let database = Arc::new(database);
        let quick_repair_after = self.quick_repair_bytes.saturating_sub(size);
        let committer = Committer::new(Arc::clone(&database), Arc::clone(&poison), quick_repair_after)?;
        let queue = Arc::<Queue>::default();
        let served = Served(Arc::clone(&queue));
        let thread = std::thread::Builder::new().name("thymos-ledger".into());
        let thread = thread.spawn(move || committer.run(&served)).map_err(StoreError::Io)?;
        Ok(RedbLedger { writer: Some(Writer { queue, thread }), reader: Reader::new(database), poison, _lock: lock })
    }
}

fn unless_open<T>(result: Result<T, DatabaseError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(database) => Ok(Some(database)),
        Err(DatabaseError::DatabaseAlreadyOpen) => Ok(None),
        Err(DatabaseError::RepairAborted) => {
            Err(damaged("it was not closed properly and is repaired when it is opened for writing"))
        }
        Err(error) => Err(storage(error)),
    }
}

/// The file behind links, so that every way to it leads to one lock; its folder is made where there is none.
fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    Ok(path.file_name().map_or_else(|| path.to_owned(), |name| folder.join(name)))
}

/// Lets nobody but the owner read the file, where it is made.
pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes the names durable that lead to a new file. Elsewhere than on Unix a folder cannot be synced and need not be.
fn sync_folders(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        for folder in path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty()) {
            match File::open(folder).and_then(|folder| folder.sync_all()) {
                Err(error) if NO_SYNC.contains(&error.kind()) => break,
                result => result?,
            }
        }
    }
    Ok(())
}

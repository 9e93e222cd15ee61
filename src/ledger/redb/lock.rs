use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::options::owner_only;
use crate::ledger::StoreError;

const POLL: Duration = Duration::from_millis(20);
const MAX_HOLDER_BYTES: u64 = 256;

/// The right to a ledger: a lock of the operating system on `<ledger>.lock`, gone with the process however it ends. What
/// the file says only names the holder and never keeps anybody out.
#[derive(Debug)]
pub(super) struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock, waiting for it until `deadline`. `None` where the file system has no locks: the storage engine's own
    /// has to do then.
    pub(super) fn take(ledger: &Path, deadline: Instant) -> Result<Option<Self>, StoreError> {
        let mut options = OpenOptions::new();
        owner_only(options.read(true).write(true).create(true).truncate(false));
        let mut file = options.open(lock_path(ledger)).map_err(StoreError::Io)?;
        retry(ledger, deadline, || match file.try_lock() {
            Ok(()) => Ok(Some(true)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Some(false)),
            Err(TryLockError::Error(error)) => Err(StoreError::Io(error)),
        })?
        .then(|| name_holder(&mut file).map_err(StoreError::Io).map(|()| Self { _file: file }))
        .transpose()
    }
}

/// Tries until it succeeds, fails, or `deadline` has passed; `None` means that somebody else has the ledger.
pub(super) fn retry<T>(
    ledger: &Path,
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<T, StoreError> {
    loop {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StoreError::Held { path: ledger.display().to_string(), holder: holder(ledger) });
        }
        std::thread::sleep(POLL.min(left));
    }
}

fn lock_path(ledger: &Path) -> PathBuf {
    let mut path = ledger.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn name_holder(file: &mut File) -> std::io::Result<()> {
    // The program's name only: its arguments may hold what nobody else should read.
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{} {program}\n", std::process::id()).as_bytes())
}

fn holder(ledger: &Path) -> String {
    let mut text = String::new();
    let read = File::open(lock_path(ledger)).and_then(|file| file.take(MAX_HOLDER_BYTES).read_to_string(&mut text));
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    match line.split_once(' ') {
        Some((pid, program)) if read.is_ok() && pid.parse::<u32>().is_ok() => format!("process {pid} ({program})"),
        _ => "another process".into(),
    }
}

//! Files that commands write: whole or not at all, and never over what must not be lost.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    failure::{Done, Failure},
    home::Home,
    locate::{FOLDER, resolve},
};

/// What a ledger's file begins with.
const LEDGER_MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Where a command writes what it makes.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// File to write; standard output without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if there is one; never a ledger, nor what is in `.thymos` or THYMOS_HOME
    #[arg(long, requires = "output")]
    force: bool,
}

/// A place that may be written.
pub(super) enum Place {
    Stdout,
    /// What takes bytes and keeps no content to replace: a pipe, a terminal, `/dev/null`.
    Stream(PathBuf),
    File {
        path: PathBuf,
        replace: bool,
    },
}

impl Output {
    /// The place, found to be fit to be written; nothing is made yet.
    pub(super) fn place(&self, home: &Home, ledger: &Path) -> Done<Place> {
        let Some(path) = &self.output else { return Ok(Place::Stdout) };
        let shown = path.display();
        let refuse = |why: &str| Failure::usage(format!("`{shown}` {why}"));
        // What a link points to is written, not the link.
        let target = resolve(path);
        let found = fs::metadata(path);
        if found.is_err() && fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink()) {
            return Err(refuse("is a link to nothing that can be written").hint("choose another file"));
        }
        let found = match found {
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(refuse(&format!("cannot be looked at: {error}"))),
        };
        let elsewhere = "choose another file; --force does not replace this one";
        if target == resolve(ledger) {
            return Err(refuse("is the ledger").hint(elsewhere));
        }
        if target.starts_with(resolve(home.path())) {
            return Err(refuse("lies in THYMOS_HOME").hint(elsewhere));
        }
        let Some(found) = found else { return Ok(Place::File { path: target, replace: false }) };
        if found.is_dir() {
            return Err(refuse("is a directory").hint("give the name of a file"));
        }
        if is_disk(&found) {
            return Err(refuse("is a disk").hint("choose a file"));
        }
        let folders = target.components().map(|part| part.as_os_str());
        if folders.map(|name| name.to_string_lossy().to_lowercase()).any(|name| name == FOLDER) {
            return Err(refuse(&format!("exists, in a `{FOLDER}` folder")).hint(elsewhere));
        }
        if !found.is_file() {
            return Ok(Place::Stream(path.clone()));
        }
        let unreadable = |error| refuse(&format!("exists and cannot be read: {error}")).hint("choose another file");
        if is_ledger(&target).map_err(unreadable)? {
            return Err(refuse("is a ledger").hint(elsewhere));
        }
        if is_descriptor(path) {
            return Ok(Place::Stream(path.clone()));
        }
        if self.force {
            return Ok(Place::File { path: target, replace: true });
        }
        Err(exists(path))
    }

    /// The path as it was given.
    pub(super) fn path(&self) -> Option<&Path> {
        self.output.as_deref()
    }
}

impl Place {
    /// Opens it; a file appears only when it is finished.
    pub(super) fn open(self) -> Done<Writing> {
        Ok(match self {
            Self::Stdout => Writing { to: Box::new(io::stdout()), staged: None, shown: "the output".into() },
            Self::Stream(path) => {
                let shown = format!("`{}`", path.display());
                let stream = OpenOptions::new().append(true).open(&path).map_err(|error| failed(&shown, &error))?;
                Writing { to: Box::new(stream), staged: None, shown }
            }
            Self::File { path, replace } => {
                let shown = format!("`{}`", path.display());
                let mut unnamed = path.as_os_str().to_owned();
                unnamed.push(format!(".{}.new", std::process::id()));
                let unnamed = PathBuf::from(unnamed);
                let file = OpenOptions::new().write(true).create_new(true).open(&unnamed);
                let file = file.map_err(|error| failed(&shown, &error))?;
                let staged = Staged { unnamed, path, replace };
                let to = file.try_clone().map_err(|error| failed(&shown, &error))?;
                Writing { to: Box::new(to), staged: Some((file, staged)), shown }
            }
        })
    }

    /// Writes a text and a line's end.
    pub(super) fn write(self, text: &str) -> Done {
        let mut writing = self.open()?;
        let written = writing.out().write_all(format!("{text}\n").as_bytes());
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(failed(&writing.shown, &error)),
            _ => writing.finish(),
        }
    }
}

/// An output that is being written; without `finish` no file remains.
pub(super) struct Writing {
    to: Box<dyn Write + Send>,
    staged: Option<(File, Staged)>,
    shown: String,
}

impl Writing {
    pub(super) fn out(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.to
    }

    /// Ends the output, and gives a file its name.
    pub(super) fn finish(mut self) -> Done {
        match self.to.flush() {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(failed(&self.shown, &error)),
            _ => {}
        }
        let Some((file, staged)) = self.staged else { return Ok(()) };
        let named = file.sync_all().and_then(|()| staged.name());
        named.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(&staged.path),
            _ => failed(&self.shown, &error),
        })
    }
}

/// A file without its name yet, which goes when it does not get one.
struct Staged {
    unnamed: PathBuf,
    path: PathBuf,
    replace: bool,
}

impl Staged {
    fn name(&self) -> io::Result<()> {
        if self.replace {
            return fs::rename(&self.unnamed, &self.path);
        }
        // A link, unlike a new name, never takes the place of a file that came meanwhile.
        match fs::hard_link(&self.unnamed, &self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                // Not all file systems have links.
                if fs::symlink_metadata(&self.path).is_ok() {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                fs::rename(&self.unnamed, &self.path)
            }
            linked => linked,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.unnamed));
    }
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("`{}` exists", path.display())).hint("choose another file, or replace it with --force")
}

fn failed(shown: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("writing {shown}: {error}"))
}

/// Whether a path names a stream that the caller opened, whatever that is.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc/self/fd")
}

fn is_ledger(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(LEDGER_MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start == LEDGER_MAGIC)
}

#[cfg(unix)]
fn is_disk(found: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&found.file_type())
}

#[cfg(not(unix))]
fn is_disk(_: &Metadata) -> bool {
    false
}

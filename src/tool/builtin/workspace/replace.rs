//! Putting a content in a file's place, whole or not at all.

use std::io::{self, Write};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, File, OpenOptions, Permissions};

use crate::{canon::encode, host::Entropy};

/// A new content beside the file that it will replace. Removed when it is dropped before that.
pub(super) struct Staged<'a> {
    dir: &'a Dir,
    name: Option<String>,
}

impl<'a> Staged<'a> {
    /// Writes `content` to a new file in `dir`, durably, with the permissions of the file that it will replace.
    pub(super) fn write(
        dir: &'a Dir,
        content: &[u8],
        old: Option<Permissions>,
        entropy: &dyn Entropy,
    ) -> io::Result<Self> {
        let mut random = [0; 8];
        entropy.fill(&mut random).map_err(io::Error::other)?;
        // A name of the ledger's, so that no tool sees it should a crash leave it behind.
        let name = format!(".thymos-{}", encode(&random));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        #[cfg(unix)]
        if old.is_some() {
            use cap_std::fs::OpenOptionsExt;
            // Nobody may read the content of a private file before its permissions are set.
            options.mode(0o600);
        }
        let mut file = dir.open_with(&name, &options)?;
        let staged = Self { dir, name: Some(name) };
        file.write_all(content)?;
        if let Some(old) = old {
            keep_permissions(&file, old)?;
        }
        file.sync_all()?;
        Ok(staged)
    }

    /// Gives the content its place.
    pub(super) fn rename(mut self, name: &str) -> io::Result<()> {
        let staged = self.name.take().unwrap_or_default();
        let renamed = self.dir.rename(&staged, self.dir, name);
        if renamed.is_err() {
            self.name = Some(staged);
        }
        renamed
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Best effort: what stays behind is invisible to the tools.
            self.dir.remove_file(name).ok();
        }
    }
}

#[cfg(unix)]
fn keep_permissions(file: &File, old: Permissions) -> io::Result<()> {
    use cap_std::fs::PermissionsExt;
    // As when a file is written in place: a program that changes loses its right to act as its owner.
    file.set_permissions(Permissions::from_mode(old.mode() & 0o777))
}

#[cfg(not(unix))]
fn keep_permissions(file: &File, old: Permissions) -> io::Result<()> {
    file.set_permissions(old)
}

/// Makes the names of a directory durable.
#[cfg(unix)]
pub(super) fn sync_dir(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}

/// Does nothing: directories cannot be synced here.
#[cfg(not(unix))]
pub(super) fn sync_dir(_: &Dir) -> io::Result<()> {
    Ok(())
}

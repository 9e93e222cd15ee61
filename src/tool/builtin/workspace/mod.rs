//! Tools over the files below one directory.
//!
//! Confinement: a path is relative, has no `..`, and every step is opened from its parent's handle without following a
//! symbolic link, so neither a link nor a directory that is swapped for one leads out. Only regular files are opened.
//! What belongs to the ledger (`.thymos`, `.thymos-…`) is invisible; `.git` is not walked into and not written.

mod created;
mod error;
mod file;
mod grep;
mod ignored;
mod list;
mod path;
mod read;
mod replace;
mod select;
mod text;
mod walk;
mod write;

use std::{io, path::Path, sync::Arc};

use cap_std::{ambient_authority, fs::Dir};

use super::super::ToolContract;

/// The largest file that the tools look at, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A directory whose files an agent may be allowed to work on.
///
/// ```no_run
/// use openthymos::tool::{ToolRegistry, builtin::Workspace};
///
/// let mut registry = ToolRegistry::default();
/// for tool in Workspace::open("project".as_ref())?.tools() {
///     registry.register(tool)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Workspace {
    root: Arc<Dir>,
}

impl Workspace {
    /// Opens a directory. The tools keep to this very directory, wherever it is moved.
    ///
    /// # Errors
    /// When it is not a directory, or cannot be opened.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: Arc::new(Dir::open_ambient_dir(root, ambient_authority())?) })
    }

    /// All tools of the workspace.
    pub fn tools(&self) -> Vec<Arc<dyn ToolContract>> {
        vec![self.list_files(), self.fs_read(), self.grep(), self.fs_write()]
    }

    /// `list_files`: names, kinds and sizes, the shallowest first when there are too many.
    pub fn list_files(&self) -> Arc<dyn ToolContract> {
        list::tool(Arc::clone(&self.root))
    }

    /// `fs_read`: a text file, or a piece of it.
    pub fn fs_read(&self) -> Arc<dyn ToolContract> {
        read::tool(Arc::clone(&self.root))
    }

    /// `grep`: the lines that match a regular expression.
    pub fn grep(&self) -> Arc<dyn ToolContract> {
        grep::tool(Arc::clone(&self.root))
    }

    /// `fs_write`: creates, replaces or removes a file, whole and at once.
    pub fn fs_write(&self) -> Arc<dyn ToolContract> {
        write::tool(Arc::clone(&self.root))
    }
}

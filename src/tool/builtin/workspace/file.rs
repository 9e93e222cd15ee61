//! Opening without following links, waiting, or leaving the workspace.

use std::io::{ErrorKind, Read};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, File, FileType, Metadata, OpenOptions};

use super::{
    MAX_FILE_BYTES,
    error::{not_done, refuse},
    path::WorkspacePath,
};
use crate::{
    canon::{FileHash, domain},
    tool::ToolError,
};

/// Opens a directory, step by step.
pub(super) fn open_dir(root: &Dir, path: &WorkspacePath) -> Result<Dir, ToolError> {
    match find_dir(root, path)? {
        Some(dir) => Ok(dir),
        None => refuse(path, "does not exist"),
    }
}

/// Opens a directory, step by step; `None` when it does not exist.
pub(super) fn find_dir(root: &Dir, path: &WorkspacePath) -> Result<Option<Dir>, ToolError> {
    let mut dir = root.try_clone().map_err(not_done(path))?;
    let mut at = WorkspacePath::default();
    for name in path.names() {
        at = at.join(name);
        match find_child(&dir, &at, name)? {
            Some(child) => dir = child,
            None => return Ok(None),
        }
    }
    Ok(Some(dir))
}

/// Opens a directory within `parent`; `None` when there is nothing of that name.
pub(super) fn find_child(parent: &Dir, path: &WorkspacePath, name: &str) -> Result<Option<Dir>, ToolError> {
    let error = match parent.open_dir_nofollow(name) {
        Ok(dir) => return Ok(Some(dir)),
        Err(error) => error,
    };
    match parent.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Ok(found) if found.is_symlink() => refuse(path, "is a symbolic link, and links are not followed"),
        Ok(found) if !found.is_dir() => refuse(path, "is not a directory"),
        _ => Err(not_done(path)(error)),
    }
}

/// Opens a regular file within `parent` to read it; `None` when there is nothing of that name.
pub(super) fn open_file(parent: &Dir, path: &WorkspacePath, name: &str) -> Result<Option<(File, Metadata)>, ToolError> {
    let regular = |found: &Metadata| match kind(found.file_type()) {
        "file" => Ok(()),
        "dir" => refuse(path, "is a directory"),
        "link" => refuse(path, "is a symbolic link, and links are not followed"),
        _ => refuse(path, "is not a regular file"),
    };
    match parent.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => regular(&found.map_err(not_done(path))?)?,
    }
    // What was looked at may be replaced before it is opened: a pipe must not hang the call, nor a link lead away.
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = parent.open_with(name, &options).map_err(not_done(path))?;
    let opened = file.metadata().map_err(not_done(path))?;
    regular(&opened)?;
    Ok(Some((file, opened)))
}

/// A file's whole content, and what the file is like; `None` when there is no such file.
pub(super) fn read_file(
    parent: &Dir,
    path: &WorkspacePath,
    name: &str,
) -> Result<Option<(Vec<u8>, Metadata)>, ToolError> {
    let Some((file, metadata)) = open_file(parent, path, name)? else { return Ok(None) };
    let mut content = Vec::new();
    if metadata.len() <= MAX_FILE_BYTES {
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(not_done(path))?;
    }
    let bytes = metadata.len().max(content.len() as u64);
    if bytes > MAX_FILE_BYTES {
        return refuse(path, &format!("has {bytes} bytes, more than the {MAX_FILE_BYTES} that this tool handles"));
    }
    Ok(Some((content, metadata)))
}

/// The version of a content; [`FileHash::ZERO`] stands for a file that does not exist.
pub(super) fn version(content: Option<&[u8]>) -> FileHash {
    content.map_or(FileHash::ZERO, |content| FileHash(domain::FILE.hash(&[content])))
}

/// The word for what a directory entry is.
pub(super) fn kind(found: FileType) -> &'static str {
    if found.is_file() {
        "file"
    } else if found.is_dir() {
        "dir"
    } else if found.is_symlink() {
        "link"
    } else {
        "other"
    }
}

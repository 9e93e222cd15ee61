use std::io::ErrorKind;

use cap_std::fs::Dir;

use super::{
    error::{not_done, refuse},
    file::{find_child, open_dir},
    path::WorkspacePath,
    replace::sync_dir,
};
use crate::tool::ToolError;

/// The directories that a call created on the way to its file, to be removed again when it fails.
#[derive(Default)]
pub(super) struct CreatedDirs(Vec<(Dir, String)>);

impl CreatedDirs {
    /// Opens a directory; creates it, and those above, when that is asked for.
    pub(super) fn open(&mut self, root: &Dir, path: &WorkspacePath, create: bool) -> Result<Dir, ToolError> {
        if !create {
            return open_dir(root, path);
        }
        let mut dir = root.try_clone().map_err(not_done(path))?;
        let mut at = WorkspacePath::default();
        for name in path.names() {
            at = at.join(name);
            let child = match find_child(&dir, &at, name)? {
                Some(child) => child,
                None => self.create(&dir, &at, name)?,
            };
            dir = child;
        }
        Ok(dir)
    }

    fn create(&mut self, parent: &Dir, path: &WorkspacePath, name: &str) -> Result<Dir, ToolError> {
        match parent.create_dir(name) {
            Ok(()) => self.0.push((parent.try_clone().map_err(not_done(path))?, name.to_owned())),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(not_done(path)(error)),
        }
        sync_dir(parent).map_err(not_done(path))?;
        match find_child(parent, path, name)? {
            Some(child) => Ok(child),
            None => refuse(path, "was removed while it was created"),
        }
    }

    /// Removes the directories. When they stay, an error cannot promise any more that nothing happened.
    pub(super) fn remove(self, error: ToolError) -> ToolError {
        let removed = self.0.iter().rev().all(|(parent, name)| parent.remove_dir(name).is_ok());
        match error {
            ToolError::NotDone(why) if !removed => {
                ToolError::Failed(format!("{why}; new directories were left behind"))
            }
            error => error,
        }
    }
}

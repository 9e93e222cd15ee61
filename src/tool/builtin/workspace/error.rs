use std::io;

use super::path::WorkspacePath;
use crate::tool::ToolError;

/// Says what stood in the way, by situation: the machine's own words differ between systems.
pub(super) fn describe(path: &WorkspacePath, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("`{path}` does not exist"),
        io::ErrorKind::PermissionDenied => format!("`{path}`: permission denied"),
        io::ErrorKind::IsADirectory => format!("`{path}` is a directory"),
        io::ErrorKind::NotADirectory => format!("`{path}` is not a directory"),
        io::ErrorKind::StorageFull => format!("`{path}`: no space is left"),
        io::ErrorKind::InvalidFilename => format!("`{path}` is not a valid file name"),
        _ => format!("`{path}`: {error}"),
    }
}

/// Nothing happened, because of `error`.
pub(super) fn not_done(path: &WorkspacePath) -> impl FnOnce(io::Error) -> ToolError {
    move |error| ToolError::NotDone(describe(path, &error))
}

/// A sentence about a path as a [`ToolError::NotDone`].
pub(super) fn refuse<T>(path: &WorkspacePath, what: &str) -> Result<T, ToolError> {
    Err(ToolError::NotDone(format!("`{path}` {what}")))
}

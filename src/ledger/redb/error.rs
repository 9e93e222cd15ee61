use std::io::{Error as IoError, ErrorKind};

use crate::ledger::StoreError;

/// What went wrong in the storage engine, as the store says it.
pub(super) fn storage(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) if error.kind() == ErrorKind::InvalidData => StoreError::Damaged(error.to_string()),
        redb::Error::Io(error) => StoreError::Io(error),
        error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_)) => {
            StoreError::Poisoned(error.to_string())
        }
        error @ redb::Error::Unsupported => StoreError::Io(IoError::new(ErrorKind::Unsupported, error.to_string())),
        error @ redb::Error::ValueTooLarge(_) => {
            StoreError::Io(IoError::new(ErrorKind::InvalidInput, error.to_string()))
        }
        error => StoreError::Damaged(error.to_string()),
    }
}

pub(super) fn damaged(reason: impl Into<String>) -> StoreError {
    StoreError::Damaged(reason.into())
}

/// The same error once more: one failed commit answers many callers.
pub(super) fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io(error) => StoreError::Io(IoError::new(error.kind(), error.to_string())),
        StoreError::Damaged(reason) => StoreError::Damaged(reason.clone()),
        StoreError::Poisoned(reason) => StoreError::Poisoned(reason.clone()),
        other => StoreError::Poisoned(other.to_string()),
    }
}

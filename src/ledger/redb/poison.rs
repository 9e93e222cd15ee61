use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use super::error::damaged;
use crate::ledger::StoreError;

/// Set once a failure has left it unknown what the file holds; nothing is answered from then on.
#[derive(Debug, Default)]
pub(super) struct Poison(OnceLock<String>);

impl Poison {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.0.get().is_some() { Err(self.error()) } else { Ok(()) }
    }

    pub(super) fn error(&self) -> StoreError {
        StoreError::Poisoned(self.0.get().map_or_else(|| "the writer has stopped".into(), Clone::clone))
    }

    pub(super) fn set(&self, reason: impl Into<String>) {
        // The first reason is the one that explains the others.
        self.0.get_or_init(|| reason.into());
    }

    /// Passes an error on. After a failure of the device the engine itself refuses to go on, so the ledger says so too.
    pub(super) fn note(&self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Io(_) | StoreError::Poisoned(_)) {
            self.set(error.to_string());
        }
        error
    }
}

/// Runs what the storage engine does with a file that may hold anything: where it panics, the file is damaged.
pub(super) fn contained<T>(poison: &Poison, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // What a panic leaves half changed is the engine's state, and nobody asks it anything from then on.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let reason = "the storage engine cannot make sense of the file";
        poison.set(reason);
        Err(damaged(reason))
    })
}

/// Poisons the ledger when its writer panics.
pub(super) struct PoisonOnPanic<'a>(pub(super) &'a Poison);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set("the writer panicked");
        }
    }
}

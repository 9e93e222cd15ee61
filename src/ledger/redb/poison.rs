use std::sync::OnceLock;

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

/// Poisons the ledger when its writer panics.
pub(super) struct PoisonOnPanic<'a>(pub(super) &'a Poison);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set("the writer panicked");
        }
    }
}

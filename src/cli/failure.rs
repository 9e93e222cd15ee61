use std::process::ExitCode;

use anstream::eprintln;

use super::style::{BAD, HINT, paint, prose};
use crate::{ledger::StoreError, replay::ReplayError};

/// What a command comes to when it does not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    message: Option<String>,
    hint: Option<String>,
}

pub(super) type Done<T = ()> = Result<T, Failure>;

impl Failure {
    /// The command line asks for something that does not exist or makes no sense.
    pub(super) fn usage(message: impl ToString) -> Self {
        Self { code: 2, message: Some(message.to_string()), hint: None }
    }

    /// The work or a verification failed.
    pub(super) fn failed(message: impl ToString) -> Self {
        Self { code: 1, message: Some(message.to_string()), hint: None }
    }

    /// A simulation found something that changes, and the output says so already.
    pub(super) fn changes() -> Self {
        Self { code: 3, message: None, hint: None }
    }

    /// The run waits for approval, and the output says so already.
    pub(super) fn waits() -> Self {
        Self { code: 4, message: None, hint: None }
    }

    /// It failed, and the output says so already.
    pub(super) fn told() -> Self {
        Self { code: 1, message: None, hint: None }
    }

    /// Says what to do about it.
    pub(super) fn hint(self, hint: impl ToString) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    /// Tells the user, and gives the process its exit code.
    pub(super) fn report(self) -> ExitCode {
        if let Some(message) = self.message {
            eprintln!("{} {}", paint(BAD, "error:"), prose(&message));
        }
        if let Some(hint) = self.hint {
            eprintln!("{} {}", paint(HINT, "hint:"), prose(&hint));
        }
        ExitCode::from(self.code)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let held = matches!(error, StoreError::Held { .. });
        let failure = Self::failed(error);
        if held { failure.hint("one process at a time works on a ledger: wait for it to end") } else { failure }
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Store(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

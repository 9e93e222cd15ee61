use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::error::RunError;
use crate::{
    host::{Clock, Signer},
    ledger::AuthorityState,
};

/// One epoch: the authority, the key that signs entries, and the latest time on record. Whoever works with it works with
/// all three as they belong together; a store takes no entry of an epoch that is over.
#[derive(Clone)]
pub(crate) struct InForce {
    state: Arc<AuthorityState>,
    mark: Mark,
    pub(crate) signer: Option<Arc<dyn Signer>>,
}

/// The latest time on record, from one reset of the clock to the next.
#[derive(Clone)]
pub(crate) struct Mark(Arc<AtomicU64>);

/// Two readings: what the clock says, and the later of that and the latest time on record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) clock_ms: u64,
    pub(crate) judged_ms: u64,
}

impl Mark {
    pub(crate) fn at(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }
}

impl InForce {
    pub(crate) fn new(state: Arc<AuthorityState>, mark: Mark, signer: Option<Arc<dyn Signer>>) -> Self {
        Self { state, mark, signer }
    }

    /// The epoch that comes after this one. A reset of the clock begins a mark of its own: what was read before it does not
    /// raise the new one.
    pub(crate) fn followed_by(&self, state: Arc<AuthorityState>, signer: Option<Arc<dyn Signer>>) -> Self {
        let mark = match &state.clock_reset {
            Some(reset) if self.state.clock_reset.as_ref() != Some(reset) => Mark::at(reset.statement.reading_ms),
            _ => self.mark.clone(),
        };
        Self { state, mark, signer }
    }

    /// What entries are signed with, if they are signed.
    pub(crate) fn signing(&self) -> Result<Option<&dyn Signer>, RunError> {
        match (self.runtime_key(), &self.signer) {
            (Some(named), None) => Err(RunError::KeyReplaced { key: named.key }),
            (_, signer) => Ok(signer.as_deref()),
        }
    }

    /// Reads the clock, and raises the mark to it.
    pub(crate) fn now(&self, clock: &dyn Clock) -> Now {
        let clock_ms = reading(clock);
        let before = self.mark.0.fetch_max(clock_ms, Ordering::SeqCst);
        Now { clock_ms, judged_ms: before.max(clock_ms) }
    }

    /// Reads the clock, and leaves the mark as it is.
    pub(crate) fn peek(&self, clock: &dyn Clock) -> Now {
        let (clock_ms, mark_ms) = (reading(clock), self.mark.0.load(Ordering::SeqCst));
        Now { clock_ms, judged_ms: mark_ms.max(clock_ms) }
    }
}

/// What a clock says, as far as it can be recorded.
pub(crate) fn reading(clock: &dyn Clock) -> u64 {
    clock.now_ms().min(crate::canon::MAX_INTEGER)
}

impl Deref for InForce {
    type Target = AuthorityState;
    fn deref(&self) -> &AuthorityState {
        &self.state
    }
}

//! Calls of this process that touch the host: those under way, and those that were left while their tool may go on.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::canon::EntryId;

/// Calls by their dispatches; those that returned are forgotten.
#[derive(Default)]
pub(crate) struct Calls(Mutex<HashMap<EntryId, State>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    /// Nobody waits for it any more: its time is up, it was cancelled, or its caller has gone.
    Left,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, HashMap<EntryId, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins. Unless it is said to have returned, it counts as left.
    pub(super) fn begin(&self, dispatch: EntryId) -> UnderWay<'_> {
        self.lock().insert(dispatch, State::UnderWay);
        UnderWay { calls: self, dispatch }
    }

    pub(super) fn is_under_way(&self, dispatch: &EntryId) -> bool {
        self.lock().get(dispatch) == Some(&State::UnderWay)
    }

    /// Whether the tool may go on although nobody waits for it.
    pub(super) fn is_left(&self, dispatch: &EntryId) -> bool {
        self.lock().get(dispatch) == Some(&State::Left)
    }

    pub(super) fn forget(&self, dispatch: &EntryId) {
        self.lock().remove(dispatch);
    }
}

/// A call under way.
pub(super) struct UnderWay<'a> {
    calls: &'a Calls,
    dispatch: EntryId,
}

impl UnderWay<'_> {
    /// The tool's code came to its end.
    pub(super) fn returned(self) {
        self.calls.forget(&self.dispatch);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.calls.lock().get_mut(&self.dispatch) {
            *state = State::Left;
        }
    }
}

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Tells a call to stop. Clones tell the same call.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    parent: Option<CancelToken>,
    waiting: Mutex<Waiting>,
}

/// Who is to be woken. Those who stop waiting leave, so it does not grow with the calls that were made.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl CancelToken {
    /// A token that is told whenever this one is, and that can be told without telling this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(State { parent: Some(self.clone()), ..State::default() }))
    }

    /// Tells it.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut self.waiting().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Whether it was told.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst) || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }

    /// Completes when it is told.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        let tokens = std::iter::successors(Some(self.clone()), |token| token.0.parent.clone());
        Cancelled(tokens.map(|token| (token, None)).collect())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits at a token and all above it, each with the place that it was given there.
struct Cancelled(Vec<(CancelToken, Option<u64>)>);

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for (token, place) in &mut self.0 {
            let mut waiting = token.waiting();
            if token.0.cancelled.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            let place = *place.get_or_insert_with(|| {
                waiting.next += 1;
                waiting.next
            });
            waiting.wakers.insert(place, context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        for (token, place) in &self.0 {
            if let Some(place) = place {
                token.waiting().wakers.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_child_hears_its_parent_and_a_parent_does_not_hear_its_child() {
        let run = CancelToken::default();
        let (one, other) = (run.child(), run.child());
        one.cancel();
        assert!(one.is_cancelled() && !run.is_cancelled() && !other.is_cancelled());
        let mut waits = Box::pin(other.cancelled());
        assert!((&mut waits).now_or_never().is_none());
        run.cancel();
        assert!((&mut waits).now_or_never().is_some() && other.is_cancelled());
    }

    #[test]
    fn those_who_stop_waiting_leave_nothing_behind() {
        let run = CancelToken::default();
        for _ in 0..100 {
            let mut waits = Box::pin(run.child().cancelled());
            assert!((&mut waits).now_or_never().is_none());
        }
        assert!(run.waiting().wakers.is_empty());
    }
}

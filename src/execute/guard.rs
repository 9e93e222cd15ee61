use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{Either, pending, select},
};

use crate::{host::Timer, tool::CancelToken};

/// How a tool's code ended.
#[derive(Debug)]
pub(super) enum Guarded<T> {
    Returned(T),
    Panicked(String),
    TimedOut,
    Cancelled,
}

/// Runs a tool's future until it returns, panics, is cancelled, if it can be, or has used up its time.
///
/// The timer is armed only when the future does not return at once.
pub(super) async fn guard<T>(
    work: impl Future<Output = T> + Send,
    deadline: Duration,
    cancel: Option<&CancelToken>,
    timer: &dyn Timer,
) -> Guarded<T> {
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    if let Some(result) = (&mut work).now_or_never() {
        return returned(result);
    }
    let cancelled = cancel.map_or_else(|| pending().boxed(), |cancel| cancel.cancelled().boxed());
    let stop = select(timer.sleep(deadline), cancelled);
    match select(work, stop).await {
        Either::Left((result, _)) => returned(result),
        Either::Right((Either::Left(_), _)) => Guarded::TimedOut,
        Either::Right((Either::Right(_), _)) => Guarded::Cancelled,
    }
}

/// Runs a tool's synchronous code, catching its panic.
pub(super) fn guard_sync<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(&*panic))
}

fn returned<T>(result: Result<T, Box<dyn Any + Send>>) -> Guarded<T> {
    match result {
        Ok(value) => Guarded::Returned(value),
        Err(panic) => Guarded::Panicked(message(&*panic)),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked").to_owned()
}

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use futures::channel::oneshot;

use super::ToolError;
use crate::host::Spawn;

/// Runs `job` on a thread of `spawn`, and waits for it without blocking the caller's. A panic goes on in the caller.
///
/// # Errors
/// Those of `job`; [`ToolError::NotDone`] when there is no thread, so that `job` did not run.
pub async fn blocking<T: Send + 'static>(
    spawn: &Arc<dyn Spawn>,
    job: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let (sender, receiver) = oneshot::channel();
    spawn
        .spawn_blocking(Box::new(move || {
            // Nobody listens any more once the deadline has passed.
            sender.send(catch_unwind(AssertUnwindSafe(job))).ok();
        }))
        .map_err(|error| ToolError::NotDone(format!("no thread for the call: {error}")))?;
    match receiver.await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(oneshot::Canceled) => Err(ToolError::Failed("the call's thread ended without an answer".into())),
    }
}

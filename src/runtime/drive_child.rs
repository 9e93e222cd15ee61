//! A drive's way down: letting somebody work as a child of the run that is driven.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::future::BoxFuture;

use super::{
    ChildResult, Limits, Run, StartError, Summary, WhyStopped,
    drive::drive,
    error::RunError,
    history::{self, History},
};
use crate::{canon::TrajectoryId, cognition::Cognition};

/// Drives a child to its end and records what came of it. Nothing when the child waits: for approval, for somebody to work as it, or
/// for whoever else drives it. Boxed, since it drives.
pub(super) fn drive_child<'a>(
    run: &'a Run,
    child: TrajectoryId,
    cognition: &'a mut dyn Cognition,
    limits: Limits,
) -> BoxFuture<'a, Result<Option<ChildResult>, RunError>> {
    Box::pin(async move {
        match work(run, child, cognition, limits).await {
            Ok(Some(Summary { why: WhyStopped::Suspended, .. })) | Ok(None) | Err(RunError::Driven) => return Ok(None),
            Ok(Some(_)) | Err(RunError::Ended) => {}
            Err(error) => return Err(error),
        }
        run.conclude(&child).await.map(Some)
    })
}

/// Lets somebody work as the child. Nothing when there is nobody.
async fn work(
    run: &Run,
    child: TrajectoryId,
    cognition: &mut dyn Cognition,
    limits: Limits,
) -> Result<Option<Summary>, RunError> {
    let handle = match run.child(&child).await {
        Ok(handle) => handle,
        Err(StartError::Ended(_)) => return Err(RunError::Ended),
        Err(source) => return Err(RunError::Child { run: child, source: Box::new(source) }),
    };
    handle.with_journal(|journal| journal.check_open()).await?;
    let store = &*run.inner().core.store;
    let History { task, .. } = history::read(store, &child, handle.head().await).await?;
    // A cognition that panics names nobody.
    match catch_unwind(AssertUnwindSafe(|| cognition.delegate(&task))).ok().flatten() {
        Some(mut worker) => drive(&handle, &mut *worker, limits).await.map(Some),
        None => Ok(None),
    }
}

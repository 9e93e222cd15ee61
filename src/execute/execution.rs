use std::{sync::Arc, time::Duration};

use super::{
    conclude::{Finished, Returned},
    guard::{Guarded, guard},
    quote::gather,
    secrets::{Filled, hide},
};
use crate::{
    canon::{CanonError, EntryId, MAX_INTEGER},
    compile::Staged,
    host::Host,
    ledger::{Draft, Kind, record::Dispatch},
    tool::{Call, CancelToken, Reads, ToolContract, ToolError},
    world::World,
    writ::Amounts,
};

/// A staged proposal about to be carried out, with its own copies of all that the tool will see.
pub struct Execution {
    staged: Staged,
    tool: Arc<dyn ToolContract>,
    reads: Reads,
    filled: Filled,
    compensates: Option<EntryId>,
}

impl Execution {
    /// Prepares a staged proposal. `filled` has the arguments of its intent.
    pub fn new(staged: Staged, tool: Arc<dyn ToolContract>, world: &World, filled: Filled) -> Self {
        let ids: Vec<_> = staged.quote().reads.iter().map(|read| read.resource.clone()).collect();
        let (_, reads) = gather(&ids, world);
        Self { staged, tool, reads, filled, compensates: None }
    }

    /// Says whose effect the call undoes.
    pub fn undoing(&mut self, effect: Option<EntryId>) {
        self.compensates = effect;
    }

    /// The proposal.
    pub fn staged(&self) -> &Staged {
        &self.staged
    }

    /// What the call may cost at most: held from the dispatch on.
    pub fn cost(&self) -> Amounts {
        self.staged.quote().cost
    }

    /// The record that has to be durable before [`run`](Self::run); none for a tool without a host effect.
    ///
    /// # Errors
    /// When the record cannot be sealed; the tool must not be called then.
    pub fn dispatch(&self) -> Result<Option<Draft>, CanonError> {
        if !self.staged.contract().has_host_effect() {
            return Ok(None);
        }
        let record = Dispatch { compensates: self.compensates, proposal: self.staged.shared(), reserved: self.cost() };
        let blobs = self.staged.intent().blobs().cloned().collect();
        Draft::seal_named(Kind::Dispatch, &record, blobs).map(Some)
    }

    /// Calls the tool, until it returns, panics, has used up its time, or `cancel` is told. `dispatch` is the entry that
    /// [`dispatch`](Self::dispatch) became.
    pub async fn run(mut self: Box<Self>, dispatch: Option<EntryId>, cancel: CancelToken, host: &Host) -> Finished {
        let deadline = Duration::from_millis(self.cost().wall_clock_ms);
        // The call's own token: a deadline stops this call, not the run.
        let stop = cancel.child();
        let call = Call {
            args: self.filled.args.take(),
            reads: self.reads.clone(),
            probe: self.staged.quote().probe,
            proposal: self.staged.id(),
            deadline,
            cancel: stop.clone(),
            spawn: Arc::clone(&host.spawn),
        };
        let tool = &self.tool;
        let started = host.clock.monotonic();
        let returned = if cancel.is_cancelled() {
            Returned::NotDone("cancelled before the call".into())
        } else {
            match guard(async { tool.call(call).await }, deadline, Some(&cancel), &*host.timer).await {
                Guarded::Returned(Ok(output)) => Returned::Output(output),
                Guarded::Returned(Err(ToolError::NotDone(message))) => Returned::NotDone(message),
                Guarded::Returned(Err(ToolError::Failed(message))) => Returned::Failed(message),
                Guarded::Panicked(message) => Returned::Panicked(message),
                Guarded::TimedOut => Returned::TimedOut,
                Guarded::Cancelled => Returned::Cancelled,
            }
        };
        stop.cancel();
        let elapsed = host.clock.monotonic().saturating_sub(started);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(MAX_INTEGER).min(MAX_INTEGER);
        let Self { staged, tool, reads, filled: Filled { veil, .. }, compensates } = *self;
        let returned = hide(&veil, returned);
        Finished { staged, tool, reads, compensates, dispatch, returned, elapsed_ms, veil }
    }
}

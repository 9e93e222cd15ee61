//! The untrusted process that proposes. It is handed plain values, and nothing to execute, append or mutate with.

mod context;
mod explorer;
mod mock;
mod tally;
mod turn;

pub use context::{Context, Outcome, PastOutcome, ToolInfo};
pub use explorer::Explorer;
pub use mock::{MAX_SCRIPT_BYTES, MAX_SCRIPT_STEPS, MAX_STEP_CALLS, Mock, ScriptError, ScriptFault};
pub use turn::{CognitionError, Request, Turn, TurnEvents, TurnPiece};

use async_trait::async_trait;

/// Proposes what to do next.
///
/// All that a step is given is a [`Context`] of plain values and a sink for show. There is nothing in it to execute with:
///
/// ```compile_fail
/// async fn step(context: &openthymos::cognition::Context, intent: openthymos::Intent) {
///     context.submit(intent).await;
/// }
/// ```
///
/// ```compile_fail
/// fn step(context: &openthymos::cognition::Context) {
///     context.tools[0].call(serde_json::json!({}));
/// }
/// ```
///
/// # Contract
/// - `step` is called again with the outcomes of what it proposed, until it answers or the run ends.
/// - A [`Turn`] that proposes nothing ends the run, with its answer or without.
/// - `step` may be dropped when the run is cancelled or its deadline passes.
/// - Whatever it returns is untrusted: it is sealed, compiled and recorded, and grants nothing.
#[async_trait]
pub trait Cognition: Send {
    /// What the ledger calls it: provider and model.
    fn name(&self) -> String;

    /// The most that one step may cost; held before the step and settled after it.
    fn estimate(&self) -> crate::writ::Amounts {
        crate::writ::Amounts::ZERO
    }

    /// Who works as a child of the run, on a task that was handed down; it sees nothing else of the run. By default nobody does: a
    /// drive stops then, and the host drives the child.
    fn delegate(&mut self, _task: &str) -> Option<Box<dyn Cognition>> {
        None
    }

    /// The next turn.
    ///
    /// # Errors
    /// When no turn can be had; the failure is recorded with the usage that it reports, and ends the run.
    async fn step(&mut self, context: &Context, events: &dyn TurnEvents) -> Result<Turn, CognitionError>;
}

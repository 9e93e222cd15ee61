//! Capabilities: what a tool is, and the registry that the runtime executes from.

mod blocking;
pub mod builtin;
mod call;
mod cancel;
mod delegate;
mod function;
mod preview;
mod probe;
mod registry;

pub use blocking::blocking;
pub use call::{Call, ReadResource, Reads, ToolError, ToolOutput};
pub use cancel::CancelToken;
pub use function::{FnTool, FnToolBuilder, tool};
pub use preview::{Content, Preview};
pub use probe::Probe;
pub use registry::{RegisterError, ToolRegistry};

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    canon::FileHash,
    contract::{ArgumentFault, Contract},
    host::Spawn,
    proposal::PreconditionFault,
    world::ResourceId,
    writ::Amounts,
};

/// Something that an agent may be allowed to do.
///
/// Only [`contract`](Self::contract) and [`call`](Self::call) have to be written. [`tool`] makes a tool from a function.
///
/// # Contract
/// - Everything but `call`, `probe`, `preview` and `reconcile` is a pure function of its arguments, and has no effect.
/// - `probe`, `preview` and `reconcile` read, and change nothing.
/// - `call` is reached only with a staged proposal: the arguments have passed the schema, the scopes and the policies.
/// - `call` never blocks its thread; blocking work goes through [`blocking`] (a [`FnTool`] does that); so with `probe`,
///   `preview` and `reconcile`.
/// - [`ToolError::NotDone`] promises that nothing happened. Any other error of a tool with a host effect leaves the
///   effect *in doubt*.
/// - A panic is caught. It counts as an error that promises nothing.
#[async_trait]
pub trait ToolContract: Send + Sync {
    /// What the tool declares. Hashed once, when the tool is registered.
    fn contract(&self) -> Contract;

    /// Whether the arguments have the tool's own types.
    ///
    /// # Errors
    /// Where they do not.
    fn check_arguments(&self, _args: &Value) -> Result<(), ArgumentFault> {
        Ok(())
    }

    /// Whether [`check_arguments`](Self::check_arguments) judges the arguments by itself. Without feature `schema` nothing
    /// else does, and a tool that does not is refused when it is registered.
    fn checks_arguments(&self) -> bool {
        false
    }

    /// The resources that the call needs to see. They are recorded, and handed to `call` as owned copies.
    fn reads(&self, _args: &Value) -> Vec<ResourceId> {
        Vec::new()
    }

    /// The most that the call costs.
    fn cost(&self, _args: &Value) -> Amounts {
        Amounts::ONE_CALL
    }

    /// Looks at the host state that the call is about, such as the content of a file.
    ///
    /// # Errors
    /// When the state cannot be read; the proposal is refused then.
    async fn probe(&self, _args: &Value, _spawn: &Arc<dyn Spawn>) -> Result<Probe, ToolError> {
        Ok(Probe::default())
    }

    /// What the call would change, for whoever is asked to approve it. Nothing is decided by it, and nothing may be changed; secrets
    /// in the arguments are masked.
    async fn preview(&self, _args: &Value, _spawn: &Arc<dyn Spawn>) -> Option<Preview> {
        None
    }

    /// What must hold before the call.
    ///
    /// # Errors
    /// The code of what does not.
    fn precondition(&self, _args: &Value, _reads: &Reads) -> Result<(), PreconditionFault> {
        Ok(())
    }

    /// Whether this call could be undone, as far as arguments and world tell; [`Probe::compensable`] must agree, and the
    /// [contract](Contract::compensable) too, of which no call can say more.
    fn compensable(&self, _args: &Value, _reads: &Reads) -> bool {
        true
    }

    /// The business key under which the effect may happen only once in a store, such as an invoice number.
    ///
    /// A call whose key was used is refused, in every run; so is one whose key is in doubt, until
    /// [`reconcile`](Self::reconcile) or an operator says what happened. Without a key, calls with the same arguments are
    /// refused while one is in doubt, in the same run. The ledger shows a hash of the key: whoever can guess it can confirm it.
    /// The arguments have placeholders where secrets were, and those are others after a restart: make no key of them.
    fn idempotency_key(&self, _args: &Value) -> Option<String> {
        None
    }

    /// How long a call may take.
    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Does it.
    ///
    /// # Errors
    /// See [`ToolError`]: which error is returned decides what the ledger says about the effect.
    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError>;

    /// What must hold after the call.
    ///
    /// # Errors
    /// A short stable code of what does not; the effect is then recorded as happened.
    fn postcondition(&self, _args: &Value, _reads: &Reads, _output: &ToolOutput) -> Result<(), String> {
        Ok(())
    }

    /// Finds out whether an effect in doubt happened; `None` when that cannot be told. `probe` is the version that
    /// [`probe`](Self::probe) found when the call was decided.
    ///
    /// It is asked when the run is taken up again, and when the effect stands in the way of another call of the same run.
    /// `Some(false)` promises that the effect did not happen *and will not*: a request that was sent may arrive yet. It is not
    /// taken of a call that this runtime left behind when its time was up or it was cancelled, since its code may go on as long
    /// as the process does. A panic, or more than ten seconds, count as `None`.
    async fn reconcile(&self, _args: &Value, _probe: Option<FileHash>, _spawn: &Arc<dyn Spawn>) -> Option<bool> {
        None
    }
}

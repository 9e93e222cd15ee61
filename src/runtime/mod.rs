//! Composition: a store, tools, policies, trust and a host make a [`Runtime`]; a writ and a task make a [`Run`].
//!
//! ```text
//! submit: seal → admit → quote → reserve → decide ─ rejected ──▶ rejection entry
//!                                             ├──── suspended ─▶ pending approval entry
//!                                             └──── staged ────▶ (dispatch) → tool → commit | failure
//! ```

mod accounts;
mod authority;
mod builder;
mod core;
mod drive;
mod error;
mod events;
mod export;
mod history;
mod journal;
mod revoke;
mod run;
mod start;
mod submit;
mod summary;
mod turn;

pub use builder::{BuildError, Builder};
pub use drive::Limits;
pub use error::{RunError, StartError};
pub use events::{Event, EventKind};
pub use export::{ExportError, export};
pub use revoke::RevokeError;
pub use run::Run;
pub use submit::Submitted;
pub use summary::{Summary, WhyStopped};

use std::sync::Arc;

use self::core::Core;
use crate::{
    canon::{StoreId, TrajectoryId, WritId},
    contract::ContractSet,
    host::Signer,
    ledger::LedgerStore,
    replay::{Pins, ReplayError, Report},
    writ::UnverifiedChain,
};

/// The composed kernel. Cheap to clone; clones are the same runtime.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Core>);

impl Runtime {
    /// Starts to compose a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The store's id: what a writ's audience names.
    pub fn store_id(&self) -> StoreId {
        self.0.store_id
    }

    /// The contracts of the registered tools.
    pub fn contracts(&self) -> &ContractSet {
        self.0.tools.contracts()
    }

    /// The ledger, for reading: export, audit and replay.
    pub fn ledger(&self) -> &Arc<dyn LedgerStore> {
        &self.0.store
    }

    /// Starts a run of `task` under a writ chain. `subject` holds the key of the last writ's subject.
    ///
    /// # Errors
    /// When the writ is not good for a start: the refusal is in the ledger then. When the ledger fails.
    pub async fn start(
        &self,
        task: &str,
        chain: impl Into<UnverifiedChain>,
        subject: &dyn Signer,
    ) -> Result<Run, StartError> {
        start::start(&self.0, task, chain.into(), subject).await
    }

    /// Takes up a run that another process left, or that was suspended. All of it is replayed first.
    ///
    /// # Errors
    /// When there is no such run, it does not verify, it has ended, or the ledger fails.
    pub async fn resume(&self, run: &TrajectoryId) -> Result<Run, StartError> {
        start::resume(&self.0, run).await
    }

    /// Revokes a writ, and with it all that were issued below it. `signer` holds the key of a trusted writ issuer, and `name`
    /// is what audits call it.
    ///
    /// When it returns, no effect is dispatched under the writ any more; one that was dispatched before is not called back.
    ///
    /// # Errors
    /// When the key is not trusted as writ issuer, or the ledger or the key fails.
    pub async fn revoke(&self, writ: WritId, reason: &str, name: &str, signer: &dyn Signer) -> Result<(), RevokeError> {
        revoke::revoke(&self.0, writ, reason, name, signer).await
    }

    /// Replays a run: every hash, link and signature, and the fold of its commits.
    ///
    /// # Errors
    /// The first fault, a pin that does not hold, or the store's failure.
    pub async fn replay(&self, run: &TrajectoryId, pins: Pins) -> Result<Report, ReplayError> {
        crate::replay::run(&*self.0.store, run, pins, |_, _| {}).await.map(|(report, _)| report)
    }
}

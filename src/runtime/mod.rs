//! Composition: a store, tools, policies, trust and a host make a [`Runtime`]; a writ and a task make a [`Run`].
//!
//! ```text
//! submit: seal → admit → quote → reserve → decide ─ rejected ──▶ rejection entry
//!                                             ├──── suspended ─▶ pending approval entry
//!                                             └──── staged ────▶ (dispatch) → tool → commit | failure
//! ```

mod accounts;
mod approval;
mod authority;
mod branch;
mod builder;
mod call;
mod calls;
mod carry_out;
mod children;
mod clock;
mod core;
mod delegation;
mod doubt;
mod drive;
mod drive_child;
mod error;
mod events;
mod export;
mod history;
mod in_force;
mod journal;
mod outcome;
mod past;
mod resume;
mod revoke;
mod rotate;
mod routing;
mod run;
mod secrets;
mod sieve;
mod skills;
mod snapshots;
mod start;
mod submit;
mod summary;
mod turn;
mod undo;
mod unrecorded;

pub use approval::{Answer, VoteError, Voted};
pub use builder::{BuildError, Builder};
pub use children::ChildResult;
pub use clock::{ClockError, ClockStatus, latest_time};
pub use delegation::Subjects;
pub use doubt::{Resolution, ResolveError};
pub use drive::Limits;
pub use error::{RunError, StartError};
pub use events::{Event, EventKind};
pub use export::{ExportError, export};
pub use revoke::RevokeError;
pub use rotate::{RotateError, Rotation};
pub use run::Run;
pub use skills::{BindError, Binding};
pub use submit::Submitted;
pub use summary::{Summary, WhyStopped};
pub use undo::{Halt, HaltCause, Rollback, RollbackError, RollbackTo, Under, Undone, rollback_plan};

use std::sync::Arc;

use self::core::Core;
use crate::{
    canon::{EntryId, StoreId, TrajectoryId, WritId},
    contract::ContractSet,
    host::Signer,
    ledger::{LedgerStore, StoreError},
    replay::{Pins, ReplayError, Report, Routed},
    writ::PresentedChain,
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
    /// A [`WritChain`](crate::WritChain) was verified when it was made, and its signatures are not checked again; whether its root
    /// is trusted, and whether it holds here and now, is judged at every start.
    ///
    /// # Errors
    /// When the writ is not good for a start: the refusal is in the ledger then. When the ledger fails.
    pub async fn start(
        &self,
        task: &str,
        chain: impl Into<PresentedChain>,
        subject: &dyn Signer,
    ) -> Result<Run, StartError> {
        start::start(&self.0, task, chain.into(), subject, vec![], None).await
    }

    /// As [`start`](Self::start), with the run bound to skills from its first decision on: they stand in the ledger with its
    /// start, or there is no run. See [`Run::bind`].
    ///
    /// # Errors
    /// As [`start`](Self::start), and when a skill cannot be used, or not with its parameters; nothing is recorded then.
    pub async fn start_with(
        &self,
        task: &str,
        chain: impl Into<PresentedChain>,
        subject: &dyn Signer,
        skills: impl IntoIterator<Item = Binding>,
    ) -> Result<Run, StartError> {
        start::start(&self.0, task, chain.into(), subject, skills.into_iter().collect(), None).await
    }

    /// Starts a branch: a run that begins on the world that `run` had after its entry `seq`, and that touches neither that run nor the
    /// host: tools with a host effect are refused, and so are delegations. It is a run of its own, under the writ that is given and on
    /// its accounts; no request or approval of the other one is its own. Without a `task` it is on that of the other. Cognition
    /// is told what was done up to there.
    ///
    /// # Errors
    /// When there is no such run or entry, the run does not verify, the writ is not good for a start, or the ledger fails.
    pub async fn branch(
        &self,
        (run, seq): (&TrajectoryId, u64),
        task: Option<&str>,
        chain: impl Into<PresentedChain>,
        subject: &dyn Signer,
    ) -> Result<Run, StartError> {
        branch::branch(&self.0, (run, seq), task, chain.into(), subject).await
    }

    /// Takes up a run that another process left, or that was suspended. It is replayed first: from its last snapshot on,
    /// where the store has one that fits, and from its start otherwise. What is before a snapshot rests on the runtime's key,
    /// which signed it; [`Builder::snapshot_every`] of 0 replays all of it.
    ///
    /// Of every intent without an outcome it is recorded that nothing came of it. Where an effect is in doubt, the tool is
    /// asked: see [`crate::tool::ToolContract::reconcile`]; what it does not know stays in doubt.
    ///
    /// # Errors
    /// When there is no such run, it does not verify, it has ended, or the ledger fails.
    pub async fn resume(&self, run: &TrajectoryId) -> Result<Run, StartError> {
        resume::resume(&self.0, run, None).await
    }

    /// Takes up a run whose ledger failed under it, on a runtime that has opened the ledger again: as
    /// [`resume`](Self::resume), and what the old handle knows of a call that could not be recorded is recorded now.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub async fn take_over(&self, run: &Run) -> Result<Run, StartError> {
        resume::resume(&self.0, &run.id(), run.unrecorded().await).await
    }

    /// Undoes what a run and those below it did, ended or not: as [`Run::compensate_to`]. A run that has not ended is taken up first, as
    /// [`resume`](Self::resume) does.
    ///
    /// # Errors
    /// As [`Run::compensate_to`], and when there is no such run, or it does not verify.
    pub async fn compensate_to(
        &self,
        run: &TrajectoryId,
        to: impl Into<RollbackTo>,
        under: Under<'_>,
    ) -> Result<Rollback, RollbackError> {
        undo::undo(&self.0, run, None, to.into(), under).await
    }

    /// Settles an effect in doubt on an operator's word. `signer` holds the key of a trusted approver. The run may have ended,
    /// or be one that cannot be verified wholly any more; a handle that still has it falls behind the ledger.
    ///
    /// # Errors
    /// When nothing is in doubt there, the key is not trusted as approver, or the ledger or the key fails.
    pub async fn resolve(
        &self,
        run: &TrajectoryId,
        resolution: Resolution<'_>,
        signer: &dyn Signer,
    ) -> Result<EntryId, ResolveError> {
        let (mut journal, _) = resume::take_up(&self.0, run, false).await?;
        let resolved = doubt::resolve(&self.0, &mut journal, resolution, signer).await;
        journal.leave_accounts(&self.0);
        resolved
    }

    /// Votes on a request for approval. The run need not be taken up; a handle that has it falls behind the ledger, so where one is
    /// at hand, vote with [`Run::vote`].
    ///
    /// When it returns, the vote is durable, and so is the request's end where the vote decides it. What is approved is carried out when
    /// the run goes on: see [`Run::carry_on`].
    ///
    /// # Errors
    /// When the request does not wait, the vote does not count, a call of the run is under way in this process, the run does not
    /// verify, or the ledger or the key fails.
    pub async fn vote(&self, run: &TrajectoryId, answer: Answer<'_>) -> Result<Voted, VoteError> {
        let (mut journal, _) = resume::take_up(&self.0, run, true).await?;
        if let Some(doubt) = journal.doubts.iter().find(|doubt| self.0.calls.is_under_way(&doubt.dispatch)) {
            return Err(StartError::UnderWay { run: *run, dispatch: doubt.dispatch }.into());
        }
        let statement = approval::statement(&self.0, &journal, &answer)?;
        let signed = approval::sign(&self.0, &answer, statement).await?;
        approval::cast(&self.0, &mut journal, signed).await
    }

    /// The requests for approval that wait in all runs: each run, and the seq of the request.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn waiting(&self) -> Result<Vec<(TrajectoryId, u64)>, StoreError> {
        crate::approval::waiting(&*self.0.store).await
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

    /// Replaces a key: a root of trust in its roles, or the key that signs entries. `by` holds the old key, or that of a
    /// trusted writ issuer when the old one is lost or compromised.
    ///
    /// When it returns, the old key has no role any more, and all that is stored from then on is signed by the new one. After
    /// a compromise of a key that signs entries, roots and policies are stated anew with the key that takes over.
    ///
    /// # Errors
    /// When a key does not have the role for it, the new key was in use before, or the ledger or a key fails.
    pub async fn rotate(&self, rotation: Rotation, by: &dyn Signer) -> Result<(), RotateError> {
        rotate::rotate(&self.0, rotation, by).await
    }

    /// Accepts a clock that is behind the latest time on record: what it says becomes that time. `signer` holds the key of a
    /// trusted writ issuer, and `name` is what audits call it.
    ///
    /// Writs that had expired only by the time on record are good again.
    ///
    /// # Errors
    /// When the key is not trusted as writ issuer, the clock is not behind, or the ledger or the key fails.
    pub async fn reset_clock(&self, name: &str, signer: &dyn Signer) -> Result<ClockStatus, ClockError> {
        clock::reset(&self.0, name, signer).await
    }

    /// What the clock says, and the latest time on record.
    pub fn clock(&self) -> ClockStatus {
        clock::status(&self.0)
    }

    /// The authority as it stands: what is trusted, revoked and in force.
    pub fn authority(&self) -> crate::ledger::AuthorityState {
        crate::ledger::AuthorityState::clone(&self.0.authority.state())
    }

    /// Replays a run: every hash, link and signature, and the fold of its commits.
    ///
    /// # Errors
    /// The first fault, a pin that does not hold, or the store's failure.
    pub async fn replay(&self, run: &TrajectoryId, pins: Pins) -> Result<Report, ReplayError> {
        crate::replay::run(&*self.0.store, run, pins, |_, _| {}).await.map(|(report, _)| report)
    }

    /// What a run says of the routes that a router chose, for the router to learn from: nothing of what was done on them.
    ///
    /// # Errors
    /// As [`replay`](Self::replay): nothing is told of a run that does not verify.
    pub async fn routing(&self, run: &TrajectoryId) -> Result<Vec<Routed>, ReplayError> {
        crate::replay::routing(&*self.0.store, run).await.map(|(_, routed)| routed)
    }
}

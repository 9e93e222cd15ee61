//! Undoing what a run did: newest first, under a writ that is presented for it, each step as a commit of its own.

mod lineage;
mod plan;
mod report;
mod steps;

pub use lineage::rollback_plan;
pub use report::{Halt, HaltCause, Rollback, RollbackError, Undone};

use std::sync::Arc;

use self::{
    lineage::{Places, Share},
    plan::Plan,
    steps::{Portion, Presentation},
};
use super::{
    Run, StartError,
    core::Core,
    doubt,
    error::RunError,
    resume,
    start::{refuse, standing},
};
use crate::{
    canon::{Blob, EntryId, Nonce, Salt, TrajectoryId, WritId},
    crypto::Purpose,
    host::Signer,
    ledger::record::{Compensation, CompensationStatement},
    proposal::{Code, Refusal, Stage},
    writ::{PresentedChain, WritChain},
};

/// How often undoing is planned again because the run or the authority changed meanwhile.
const ATTEMPTS: usize = 8;

/// How far back a run is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollbackTo {
    /// All that it did.
    Start,
    /// What it did after this entry, which stays.
    Entry(EntryId),
}

impl From<EntryId> for RollbackTo {
    fn from(entry: EntryId) -> Self {
        Self::Entry(entry)
    }
}

/// On whose authority a run is undone.
#[derive(Clone)]
pub struct Under<'a> {
    chain: PresentedChain,
    subject: &'a dyn Signer,
    keep: Vec<EntryId>,
}

impl<'a> Under<'a> {
    /// Presents a writ chain that is not the run's own. `subject` holds the key of its last writ's subject.
    pub fn writ(chain: impl Into<PresentedChain>, subject: &'a dyn Signer) -> Self {
        Self { chain: chain.into(), subject, keep: Vec::new() }
    }

    /// Says of effects that they stay as they are, for good: what cannot be undone, or was dealt with otherwise.
    #[must_use]
    pub fn keeping(self, effects: impl IntoIterator<Item = EntryId>) -> Self {
        Self { keep: effects.into_iter().collect(), ..self }
    }
}

/// Undoes what a run and all below it did. `handle` is that of the run, where this process has one.
pub(super) async fn undo(
    core: &Arc<Core>,
    run: &TrajectoryId,
    handle: Option<&Run>,
    to: RollbackTo,
    under: Under<'_>,
) -> Result<Rollback, RollbackError> {
    let places = Places::read(&*core.store, run).await?;
    let find = |of: TrajectoryId| handle.and_then(|handle| handle.inner().children.live(handle, &of));
    if places.is_of_one_run() {
        let handle = taken(core, run, find(*run)).await?;
        return of_one(&handle, to, under).await;
    }
    let Under { chain, subject, keep } = under;
    if chain.id().is_some_and(|writ| places.writs.contains(&writ)) {
        return Err(RollbackError::OwnWrit);
    }
    let after = places.stays(run, to)?;
    places.check_kept(&*core.store, &keep).await?;
    let (mut rollback, mut before) = (Rollback::default(), None);
    while let Some(Share { run, to, keep }) = places.next(&*core.store, after, &keep).await? {
        let handle = taken(core, &run, find(run)).await?;
        let under = Under { chain: chain.clone(), subject, keep };
        let Rollback { undone, halted, left } = of_one(&handle, to, under).await?;
        // What is neither undone nor in the way was done by somebody else meanwhile.
        if undone.is_empty() && halted.is_none() && before.replace((run, to)) == Some((run, to)) {
            return Err(RunError::Stale.into());
        }
        rollback.undone.extend(undone);
        if halted.is_some() {
            return Ok(Rollback { halted, left, ..rollback });
        }
    }
    Ok(rollback)
}

/// The handle of a run, ended or not; where there is none, it is taken up.
async fn taken(core: &Arc<Core>, run: &TrajectoryId, handle: Option<Run>) -> Result<Run, RollbackError> {
    if let Some(handle) = handle
        && !handle.with_journal(|journal| journal.stale).await
    {
        return Ok(handle);
    }
    if !core.runs {
        return Err(StartError::AuthorityOnly.into());
    }
    let (mut journal, folded) = resume::take_up(core, run, true).await?;
    if folded.ended.is_none() {
        return Ok(resume::resume(core, run, None).await?);
    }
    if let Some(doubt) = journal.doubts.iter().find(|doubt| core.calls.is_under_way(&doubt.dispatch)) {
        return Err(StartError::UnderWay { run: *run, dispatch: doubt.dispatch }.into());
    }
    journal.open_accounts(core);
    Ok(Run::new(Arc::clone(core), journal))
}

/// Undoes what one run did, a portion at a time.
async fn of_one(run: &Run, to: RollbackTo, under: Under<'_>) -> Result<Rollback, RollbackError> {
    let core = &run.inner().core;
    let Under { chain, subject, keep } = under;
    let chain = presented(core, run, chain, subject).await?;
    run.exclusively(|inner| async move {
        let mut journal = inner.journal.lock().await;
        doubt::reconcile_all(&inner.core, &mut journal).await
    })
    .await??;
    let mut rollback = Rollback::default();
    let (mut attempts, mut first) = (ATTEMPTS, true);
    while attempts > 0 {
        let Some(plan) = plan::plan(run, to, &keep, first).await? else { return Ok(rollback) };
        first = false;
        let presentation = sign(core, run, plan, &chain, subject).await?;
        let portion = run
            .exclusively(move |inner| async move {
                let mut journal = inner.journal.lock().await;
                steps::carry_out(&inner, &mut journal, presentation).await
            })
            .await??;
        match portion {
            Portion::Moved => attempts -= 1,
            Portion::Refused(refusal) => return Err(refused(core, run, Some(chain.id()), refusal).await?.into()),
            Portion::Over { undone, halted, left } => {
                attempts = ATTEMPTS;
                rollback.undone.extend(undone);
                if halted.is_some() {
                    return Ok(Rollback { halted, left, ..rollback });
                }
            }
        }
    }
    Err(RunError::Stale.into())
}

/// Verifies what is presented, and that it is good for an undo here and now.
async fn presented(
    core: &Core,
    run: &Run,
    chain: PresentedChain,
    subject: &dyn Signer,
) -> Result<WritChain, RollbackError> {
    let writ = chain.id();
    let chain = match chain.verify() {
        Ok(chain) => chain,
        Err(fault) => {
            let refusal = Refusal::new(Stage::Chain, Code::InvalidChain).at(fault.index());
            refused(core, run, writ, refusal.clone()).await?;
            return Err(StartError::InvalidChain { fault: Box::new(fault), refusal }.into());
        }
    };
    let own = run.writ().await;
    if own.id() == chain.id() {
        return Err(RollbackError::OwnWrit);
    }
    let (tenant, of_run) = (&chain.leaf().tenant, &own.leaf().tenant);
    if tenant != of_run {
        let refusal = Refusal::new(Stage::Audience, Code::WrongTenant).asked(tenant).allowed(of_run);
        return Err(refused(core, run, writ, refusal).await?.into());
    }
    if subject.public_key() != chain.leaf().subject.key {
        let refusal = Refusal::new(Stage::Chain, Code::WrongSubject);
        let refusal = refusal.asked(subject.public_key()).allowed(chain.leaf().subject.key);
        return Err(refused(core, run, writ, refusal).await?.into());
    }
    if let Err(refusal) = standing(core, &chain, &core.authority.state()) {
        return Err(refused(core, run, writ, refusal).await?.into());
    }
    Ok(chain)
}

/// Records that a writ is not good for an undo, as a start that was refused.
async fn refused(core: &Core, run: &Run, writ: Option<WritId>, refusal: Refusal) -> Result<StartError, RunError> {
    let mut salt = Salt([0; 16]);
    core.host.entropy.fill(&mut salt.0)?;
    let task = Blob::seal(&format!("undo run {}", run.id()).into(), salt)?;
    refuse(core, refusal, task, writ).await
}

/// Has the subject of the writ sign what is to be undone.
async fn sign(
    core: &Core,
    run: &Run,
    plan: Plan,
    chain: &WritChain,
    subject: &dyn Signer,
) -> Result<Presentation, RollbackError> {
    let mut nonce = Nonce([0; 16]);
    core.host.entropy.fill(&mut nonce.0).map_err(RunError::from)?;
    let Plan { base, targets, to, head, after } = plan;
    let (store, trajectory, writ) = (core.store_id, run.id(), chain.id());
    let statement = CompensationStatement { base, nonce, plan: targets, store, to, trajectory, writ };
    let hash = statement.hash().map_err(RunError::from)?;
    let signature = subject.sign(Purpose::Compensation, hash.as_bytes()).await.map_err(RunError::from)?;
    let verified = subject.public_key().verify(Purpose::Compensation, hash.as_bytes(), &signature);
    verified.map_err(RollbackError::Signature)?;
    let record = Compensation {
        chain: chain.signed().to_vec(),
        contracts: core.tools.contracts().hashes(),
        policy_set: core.policies.hash(),
        signature,
        statement,
    };
    Ok(Presentation { record, chain: chain.clone(), head, after })
}

use std::sync::Arc;

use serde_json::Value;

use super::{
    Binding, Run, accounts,
    authority::expect_epoch,
    core::{Core, Place, seal},
    delegation::Lineage,
    error::{RunError, StartError},
    in_force::InForce,
    journal::Journal,
    secrets,
    skills::{self, Sealed},
};
use crate::{
    canon::{Blob, CanonError, EntryId, Nonce, Salt, WritId},
    compile::{Standing, check_standing},
    crypto::Purpose,
    host::Signer,
    ledger::{
        Draft, Kind, RegisterKey, RegisterOp,
        record::{BranchPoint, BranchStart, Link, RunOpened, RunStart, StartRefused, StartStatement},
        register::seq_bytes,
    },
    proposal::{Code, Refusal, Stage},
    world::World,
    writ::{Amounts, PresentedChain, WritChain},
};

/// How often a start is tried again when the authority changes while it is recorded.
const ATTEMPTS: usize = 8;

/// What a branch starts from.
pub(super) struct Fork {
    pub(super) point: BranchPoint,
    pub(super) world: World,
}

pub(super) async fn start(
    core: &Arc<Core>,
    task: &str,
    chain: PresentedChain,
    subject: &dyn Signer,
    skills: Vec<Binding>,
    fork: Option<Fork>,
) -> Result<Run, StartError> {
    if !core.runs {
        return Err(StartError::AuthorityOnly);
    }
    let skills = skills::seal(core, 0, skills)?;
    let mut salt = Salt([0; 16]);
    core.host.entropy.fill(&mut salt.0).map_err(RunError::from)?;
    let task = Blob::seal(&Value::from(secrets::text(&core.redactor, task)), salt).map_err(RunError::from)?;
    let presented = chain.id();
    let chain = match chain.verify() {
        Ok(chain) => chain,
        Err(fault) => {
            let refusal = Refusal::new(Stage::Chain, Code::InvalidChain).at(fault.index());
            refuse(core, refusal.clone(), task, presented).await?;
            return Err(StartError::InvalidChain { fault: Box::new(fault), refusal });
        }
    };
    if subject.public_key() != chain.leaf().subject.key {
        let refusal = Refusal::new(Stage::Chain, Code::WrongSubject);
        let refusal = refusal.asked(subject.public_key()).allowed(chain.leaf().subject.key);
        return Err(refuse(core, refusal, task, presented).await?);
    }
    let mut nonce = Nonce([0; 16]);
    core.host.entropy.fill(&mut nonce.0).map_err(RunError::from)?;
    let from = fork.as_ref().map(|fork| Link::Branch(fork.point));
    let statement = StartStatement { from, nonce, store: core.store_id, task: task.commitment(), writ: chain.id() };
    let trajectory = statement.trajectory().map_err(RunError::from)?;
    let signature = subject.sign(Purpose::Start, trajectory.as_bytes()).await.map_err(RunError::from)?;
    if chain.leaf().subject.key.verify(Purpose::Start, trajectory.as_bytes(), &signature).is_err() {
        let refusal = Refusal::new(Stage::Chain, Code::WrongSubject).allowed(chain.leaf().subject.key);
        return Err(refuse(core, refusal, task, presented).await?);
    }
    let start = RunStart {
        chain: chain.signed().to_vec(),
        contracts: core.tools.contracts().hashes(),
        policy_set: core.policies.hash(),
        signature,
        start: statement,
    };
    for _ in 0..ATTEMPTS {
        let authority = core.authority.state();
        if let Err(refusal) = standing(core, &chain, &authority) {
            return Err(refuse(core, refusal, task, presented).await?);
        }
        core.accounts.load(&*core.store, &chain).await.map_err(RunError::from)?;
        let first = first(&start, fork.as_ref(), &task).map_err(RunError::from)?;
        match open(core, &chain, &start, first, &skills, &authority).await {
            Ok(head) => {
                let tenure = core.accounts.open((trajectory, None), &chain, Amounts::ZERO);
                let mut journal = Journal::new(trajectory, chain, head, tenure);
                if let Some(Fork { world, .. }) = fork {
                    journal.world = world;
                    journal.lineage = Lineage::of(&*core.store, &start.start, trajectory).await?;
                }
                for skill in &skills {
                    journal.skills.push(skill.bound(journal.next_seq, &journal));
                    journal.next_seq += 1;
                }
                return Ok(Run::new(Arc::clone(core), journal));
            }
            Err(RunError::Store(error)) if error.is_conflict() => core.authority.refresh(core).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(RunError::Stale.into())
}

pub(super) fn standing(core: &Core, chain: &WritChain, authority: &InForce) -> Result<(), Refusal> {
    let now = core.now(authority);
    check_standing(&Standing {
        chain,
        clock_ms: now.clock_ms,
        now_ms: now.judged_ms,
        revoked: &authority.revoked,
        store: core.store_id,
        trust: &authority.trust,
    })
}

/// The first entry of a run, or of a branch.
fn first(start: &RunStart, fork: Option<&Fork>, task: &Blob) -> Result<Draft, CanonError> {
    match fork {
        None => Draft::seal(Kind::Root, start, vec![task.clone()]),
        Some(Fork { world, .. }) => {
            let branch = BranchStart { run: start.clone(), world_root: world.root() };
            Draft::seal(Kind::Branch, &branch, vec![task.clone()])
        }
    }
}

/// Stores the run's first entry, the skills that it is bound to and its opening in one batch. Returns the run's last entry.
async fn open(
    core: &Core,
    chain: &WritChain,
    start: &RunStart,
    root: Draft,
    skills: &[Sealed],
    authority: &InForce,
) -> Result<EntryId, RunError> {
    let trajectory = start.start.trajectory()?;
    let mut place = Place {
        trajectory,
        seq: 0,
        parent: EntryId::ZERO,
        authority: authority.epoch,
        base_seq: 0,
        time_ms: core.now(authority).judged_ms,
    };
    let mut entries = Vec::with_capacity(1 + skills.len());
    for draft in [root].into_iter().chain(skills.iter().map(|skill| skill.draft.clone())) {
        let (entry, id) = seal(core.store_id, authority.signing()?, place, draft).await?;
        place = Place { seq: place.seq + 1, parent: id, ..place };
        entries.push(entry);
    }
    let opened = Draft::seal(Kind::RunOpened, &RunOpened { trajectory, writ: chain.id() }, vec![])?;
    let mut ops = accounts::begin_totals(&*core.store, chain).await?;
    let registers = |seq: u64| {
        let (key, value) = (RegisterKey::opened(&trajectory), Some(seq_bytes(seq)));
        ops.extend([expect_epoch(authority), RegisterOp::Set { key, value }]);
        ops
    };
    core.authority.append(core, vec![opened], entries, registers).await?;
    Ok(place.parent)
}

/// Records that a start was refused.
pub(super) async fn refuse(
    core: &Core,
    refusal: Refusal,
    task: Blob,
    writ: Option<WritId>,
) -> Result<StartError, RunError> {
    let record = StartRefused { refusal: refusal.clone(), task: task.commitment(), writ };
    let draft = Draft::seal(Kind::StartRefused, &record, vec![task])?;
    core.authority.append(core, vec![draft], vec![], |_| vec![]).await?;
    Ok(StartError::Refused(refusal))
}

//! What of a run's effects was not undone, and the writs that were presented to undo them.

use std::collections::HashMap;

use crate::{
    canon::{EffectsHash, EntryId, StoreId, TrajectoryId, WritId},
    commit::{Commit, Origin, Undo},
    crypto::{PublicKey, Purpose, SignatureError},
    intent::IntentRecord,
    ledger::record::{Compensation, Target},
    writ::{Amounts, UnverifiedChain, WritChain},
};

use super::FaultKind;

/// The effects of one run that were not undone, as a stack: an undo takes the newest off.
///
/// It holds their hash, and those that the last plan names; all of them where that is asked for.
#[derive(Debug, Clone)]
pub struct Effects {
    base: EffectsHash,
    open: Vec<Target>,
    /// How many of the newest the last plan names.
    planned: usize,
    whole: bool,
}

impl Effects {
    pub(super) fn new(whole: bool) -> Self {
        Self { base: EffectsHash::ZERO, open: Vec::new(), planned: 0, whole }
    }

    /// All of them, hashed one after the other.
    pub fn hash(&self) -> EffectsHash {
        hash(self.base, &self.open)
    }

    /// Those that are at hand, the newest last.
    pub fn open(&self) -> &[Target] {
        &self.open
    }

    /// Something happened. What was planned before does not hold any more.
    fn happened(&mut self, effect: Target) {
        self.planned = 0;
        if self.whole {
            self.open.push(effect);
        } else {
            self.base = self.hash().and(&effect);
            self.open.clear();
        }
    }

    /// A plan names the newest; those that it keeps are not undone, now or later.
    fn plan(&mut self, base: EffectsHash, plan: &[Target]) -> Result<(), UndoFault> {
        if hash(base, plan) != self.hash() {
            return Err(UndoFault::Plan);
        }
        if self.whole {
            self.open.truncate(self.open.len().saturating_sub(plan.len()));
        } else {
            self.base = base;
            self.open.clear();
        }
        let before = self.open.len();
        self.open.extend(plan.iter().filter(|target| !target.keep).cloned());
        self.planned = self.open.len() - before;
        Ok(())
    }

    /// The effect that is to be undone next.
    fn next(&self) -> Option<&Target> {
        self.open.last().filter(|_| self.planned > 0)
    }

    fn take(&mut self) -> Option<Target> {
        self.planned = self.planned.saturating_sub(1);
        self.open.pop()
    }
}

fn hash(base: EffectsHash, effects: &[Target]) -> EffectsHash {
    effects.iter().fold(base, |hash, effect| hash.and(effect))
}

/// A writ chain that was presented to undo what a run did, and what was spent under it there.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The chain.
    pub chain: WritChain,
    /// What undoing spent.
    pub spent: Amounts,
    /// What is held for steps without an outcome.
    pub held: Amounts,
}

/// A step that was dispatched, and of which the outcome is not known.
#[derive(Debug)]
struct Step {
    target: Target,
    writ: WritId,
}

/// What is wrong with the undoing of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UndoFault {
    /// The statement is about another run, store or writ.
    #[error("what was signed to undo the run is about another run, store or writ")]
    Statement,
    /// The presented writ is the run's own.
    #[error("the writ that was presented to undo the run is the run's own")]
    OwnWrit,
    /// The presented writ is of another tenant.
    #[error("the writ that was presented to undo the run is of another tenant")]
    Tenant,
    /// The statement is not signed by the subject of the presented writ.
    #[error("what was presented to undo the run: {0}")]
    Signature(SignatureError),
    /// The issuer of the presented root writ was not trusted.
    #[error("the issuer {0} of the writ that was presented to undo the run was not trusted")]
    Untrusted(PublicKey),
    /// The plan leaves something out, or names what is not there.
    #[error("the plan is not what the entries before it leave to be undone")]
    Plan,
    /// Nothing is planned to be undone, or not under this writ.
    #[error("no plan under its writ has anything left to be undone")]
    Unplanned,
    /// It is not the newest effect that is undone, or not marked as such.
    #[error("it does not say that it undoes entry {}, the newest effect that was not undone", .0.short())]
    Order(EntryId),
    /// Another call than the one that the effect's tool recorded.
    #[error("it is not the call that was recorded to undo entry {}", .0.short())]
    Call(EntryId),
    /// It says that it undoes something, and its writ was not presented for that.
    #[error("it says that it undoes entry {}, under a writ that was not presented for that", .0.short())]
    Unpresented(EntryId),
    /// An effect after it is in doubt.
    #[error("an effect in doubt comes after what it undoes")]
    InDoubt,
    /// Undoing stopped, and had not begun.
    #[error("undoing stopped, and no writ was presented before")]
    NotBegun,
}

/// What a replay follows of the undoing of one run.
#[derive(Debug)]
pub(super) struct Undoing {
    pub(super) effects: Effects,
    pub(super) presented: Vec<Presented>,
    steps: HashMap<EntryId, Step>,
    /// The writ of the last presentation.
    current: Option<WritId>,
}

impl Undoing {
    pub(super) fn new(whole: bool) -> Self {
        Self { effects: Effects::new(whole), presented: Vec::new(), steps: HashMap::new(), current: None }
    }

    /// A writ is presented. `trusts` says whether a key is trusted as writ issuer.
    pub(super) fn present(
        &mut self,
        record: &Compensation,
        (store, run, own): (StoreId, TrajectoryId, &WritChain),
        trusts: impl FnOnce(&PublicKey) -> bool,
    ) -> Result<PublicKey, FaultKind> {
        let chain = UnverifiedChain { chain: record.chain.clone() }.verify()?;
        let statement = &record.statement;
        let (writ, issuer) = (chain.id(), chain.root().issuer.key);
        if (statement.store, statement.trajectory, statement.writ) != (store, run, writ) {
            return Err(UndoFault::Statement.into());
        }
        if writ == own.id() {
            return Err(UndoFault::OwnWrit.into());
        }
        if chain.leaf().tenant != own.leaf().tenant {
            return Err(UndoFault::Tenant.into());
        }
        let hash = statement.hash().map_err(|_| UndoFault::Statement)?;
        let subject = chain.leaf().subject.key;
        subject.verify(Purpose::Compensation, hash.as_bytes(), &record.signature).map_err(UndoFault::Signature)?;
        if !trusts(&issuer) {
            return Err(UndoFault::Untrusted(issuer).into());
        }
        self.effects.plan(statement.base, &statement.plan)?;
        if self.of(&writ).is_none() {
            self.presented.push(Presented { chain, spent: Amounts::ZERO, held: Amounts::ZERO });
        }
        self.current = Some(writ);
        Ok(issuer)
    }

    /// What was presented, where this is such a writ.
    pub(super) fn of(&self, writ: &WritId) -> Option<&Presented> {
        self.presented.iter().find(|presented| presented.chain.id() == *writ)
    }

    /// Checks that a proposal under a presented writ is the call that undoes the newest effect. `in_doubt` is the seq of the last
    /// dispatch of which the effect is in doubt.
    pub(super) fn check_call(
        &self,
        intent: &IntentRecord,
        writ: WritId,
        in_doubt: Option<u64>,
    ) -> Result<(), UndoFault> {
        let target = self.effects.next().filter(|_| self.current == Some(writ)).ok_or(UndoFault::Unplanned)?;
        let call = Undo { args: intent.args, tool: intent.target.clone() };
        if target.undo.as_ref() != Some(&call) {
            return Err(UndoFault::Call(target.entry));
        }
        if in_doubt.is_some_and(|seq| seq > target.seq) {
            return Err(UndoFault::InDoubt);
        }
        Ok(())
    }

    /// Checks that an entry under a writ says what it undoes, where the writ was presented for that, and nothing otherwise.
    pub(super) fn check_mark(&self, writ: &WritId, compensates: Option<EntryId>) -> Result<(), UndoFault> {
        let newest = self.of(writ).and_then(|_| self.effects.next()).map(|target| target.entry);
        match (newest, compensates) {
            (newest, said) if newest == said => Ok(()),
            (Some(newest), _) => Err(UndoFault::Order(newest)),
            (None, Some(said)) => Err(UndoFault::Unpresented(said)),
            (None, None) => Ok(()),
        }
    }

    /// A step was dispatched: its target is out of the way until it is known that it was not done.
    pub(super) fn dispatched(&mut self, dispatch: EntryId, writ: WritId, held: &Amounts) {
        if self.of(&writ).is_some()
            && let Some(target) = self.effects.take()
        {
            self.alter(&writ, |presented| presented.held = presented.held.plus(held));
            self.steps.insert(dispatch, Step { target, writ });
        }
    }

    /// The writ of a step that was dispatched and is not over, and what it undoes.
    pub(super) fn step(&self, dispatch: &EntryId) -> Option<(WritId, EntryId)> {
        self.steps.get(dispatch).map(|step| (step.writ, step.target.entry))
    }

    /// What is held for a step is debited. It stays in doubt until it is known what happened.
    pub(super) fn settled(&mut self, writ: &WritId, held: &Amounts, cost: &Amounts) {
        self.alter(writ, |presented| {
            presented.held = presented.held.minus(held);
            presented.spent = presented.spent.plus(cost);
        });
    }

    /// A step that was dispatched is over. What it was not able to undo is there still, as the newest.
    pub(super) fn over(&mut self, dispatch: &EntryId, happened: bool) {
        if let Some(step) = self.steps.remove(dispatch)
            && !happened
        {
            self.effects.happened(step.target);
        }
    }

    /// A step that touches only the world was done.
    pub(super) fn done_at_once(&mut self) {
        drop(self.effects.take());
    }

    /// Something happened that an undo has to deal with.
    pub(super) fn happened(&mut self, entry: EntryId, seq: u64, undo: Option<Undo>) {
        self.effects.happened(Target { entry, keep: false, seq, undo });
    }

    fn alter(&mut self, writ: &WritId, by: impl FnOnce(&mut Presented)) {
        if let Some(presented) = self.presented.iter_mut().find(|presented| presented.chain.id() == *writ) {
            by(presented);
        }
    }
}

/// Whether a commit leaves something to be undone: it changed the world, touched the host, or says how to undo it.
pub(super) fn has_effect(commit: &Commit) -> bool {
    matches!(commit.origin, Origin::Dispatch(_)) || !commit.delta.is_empty() || commit.undo.is_some()
}

use serde::{Deserialize, Serialize};

use crate::{
    canon::{CanonError, Commitment, EntryId, IntentId, StoreId, TrajectoryId, WritId},
    commit::Origin,
    ledger::record::{Delegated, DelegationResult, EndReason, StartStatement},
    proposal::{ChildQuote, Plan, Proposal, Resolved},
    writ::Amounts,
};

/// The children of one run, in the order in which it started them.
///
/// The runtime and a replay follow them alike, entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Children(Vec<Child>);

/// A run that another one started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// The entry that started it.
    pub delegation: EntryId,
    /// The budget of its writ.
    pub granted: Amounts,
    /// The intent that asked for it.
    pub intent: IntentId,
    /// What came of it; absent while nothing is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
    /// The child.
    pub run: TrajectoryId,
    /// The seq of the entry that started it.
    pub seq: u64,
    /// Commits to its task.
    pub task: Commitment,
    /// Its writ.
    pub writ: WritId,
}

/// What a child gave back, as its parent has it on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// Commits to its answer, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Commitment>,
    /// The entry that ended it.
    pub head: EntryId,
    /// Why it ended.
    pub reason: EndReason,
    /// The seq of the entry that ended it.
    pub seq: u64,
    /// What it spent itself.
    pub spent: Amounts,
}

/// What does not fit the children of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildFault {
    /// The entry does not carry a staged proposal to delegate.
    #[error("it does not carry the staged proposal of a delegation")]
    Proposal,
    /// The child is not the run that the proposal starts.
    #[error("it starts run {}, and its proposal starts another one", .0.short())]
    Child(TrajectoryId),
    /// The decision rests on another number of children.
    #[error("it was decided with {said} children so far, and there are {found}")]
    Count {
        /// What the decision says.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// No child of that entry is open.
    #[error("entry {} has not started a child of which nothing is on record", .0.short())]
    NotOpen(EntryId),
    /// The run ended, and says nothing of a child.
    #[error("the run ended, and nothing is on record of its child {}", .0.short())]
    LeftOpen(TrajectoryId),
}

impl Children {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Child] {
        &self.0
    }

    /// Those of which nothing is on record yet.
    pub fn open(&self) -> impl Iterator<Item = &Child> {
        self.0.iter().filter(|child| child.returned.is_none())
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The budgets of all together: what they may spend between them.
    pub fn granted(&self) -> Amounts {
        self.0.iter().fold(Amounts::ZERO, |sum, child| sum.plus(&child.granted))
    }

    /// The child that an intent asked for.
    pub fn of(&self, intent: &IntentId) -> Option<&Child> {
        self.0.iter().find(|child| child.intent == *intent)
    }

    /// Checks a delegation, and adds its child. `place` is the trajectory and its store, `entry` the delegation with its seq.
    ///
    /// # Errors
    /// When it does not carry the proposal of this child, or counts the children before it otherwise.
    pub fn delegated(
        &mut self,
        place: (StoreId, TrajectoryId),
        entry: (EntryId, u64),
        delegated: &Delegated,
    ) -> Result<(), ChildFault> {
        let Origin::Proposal(proposal) = &delegated.origin else { return Err(ChildFault::Proposal) };
        let child = Child::of(place, entry, proposal, delegated.granted).ok().flatten().ok_or(ChildFault::Proposal)?;
        if child.run != delegated.child || self.0.iter().any(|other| other.run == child.run) {
            return Err(ChildFault::Child(delegated.child));
        }
        quoted(proposal).ok_or(ChildFault::Proposal)?;
        self.check_count(proposal)?;
        self.0.push(child);
        Ok(())
    }

    /// Checks that a decision about a child, refusals included, rests on the children that there are.
    ///
    /// # Errors
    /// When it counts others.
    pub fn check_count(&self, proposal: &Proposal) -> Result<(), ChildFault> {
        match quoted(proposal).map(|quoted| quoted.children) {
            Some(said) if said != self.count() => Err(ChildFault::Count { said, found: self.count() }),
            _ => Ok(()),
        }
    }

    /// A child's end was recorded.
    ///
    /// # Errors
    /// When no child of that entry is open.
    pub fn returned(&mut self, result: &DelegationResult) -> Result<&Child, ChildFault> {
        let DelegationResult { answer, delegation, head, reason, seq, spent } = *result;
        let open = |child: &&mut Child| child.delegation == delegation && child.returned.is_none();
        let child = self.0.iter_mut().find(open).ok_or(ChildFault::NotOpen(delegation))?;
        child.returned = Some(Returned { answer, head, reason, seq, spent });
        Ok(child)
    }

    /// A run ends only when something is on record of every child.
    ///
    /// # Errors
    /// The first of which nothing is.
    pub fn check_over(&self) -> Result<(), ChildFault> {
        self.open().next().map_or(Ok(()), |child| Err(ChildFault::LeftOpen(child.run)))
    }
}

fn quoted(proposal: &Proposal) -> Option<&ChildQuote> {
    proposal.decision.quote.as_ref()?.child.as_deref()
}

impl Child {
    /// The child that a proposal starts; `None` when it does not delegate.
    fn of(
        (store, trajectory): (StoreId, TrajectoryId),
        (delegation, seq): (EntryId, u64),
        proposal: &Proposal,
        granted: Amounts,
    ) -> Result<Option<Self>, CanonError> {
        let Some(Resolved { plan: Plan::Delegate { task, writ }, .. }) = proposal.resolved else { return Ok(None) };
        let intent = proposal.intent.id()?;
        let run =
            StartStatement::of_child(store, trajectory, (intent, proposal.intent.nonce), task, writ).trajectory()?;
        Ok(Some(Self { delegation, granted, intent, returned: None, run, seq, task, writ }))
    }
}

//! One trajectory's end: where the next entry goes.

use super::{
    accounts,
    core::{Core, Place},
    doubt::Doubt,
    error::RunError,
    unrecorded::Unrecorded,
};
use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::{AuthorityState, Batch, Draft, RegisterOp, StoreError, register::Account},
    world::World,
    writ::{Amounts, WritChain},
};

/// A run's state: the fold of its entries, and its place in the ledger.
pub(crate) struct Journal {
    pub(crate) trajectory: TrajectoryId,
    pub(crate) chain: WritChain,
    pub(crate) world: World,
    pub(crate) base_seq: u64,
    pub(crate) next_seq: u64,
    pub(crate) head: EntryId,
    pub(crate) used: Account,
    pub(crate) steps: u64,
    /// Effects of this run of which nobody knows whether they happened.
    pub(crate) doubts: Vec<Doubt>,
    /// The turn without an outcome, and what is held for it.
    pub(crate) open_turn: Option<(EntryId, Amounts)>,
    pub(crate) ended: bool,
    /// Set when the ledger may hold something that this state does not.
    pub(crate) stale: bool,
    /// What the ledger would not take, though a tool had returned.
    pub(crate) unrecorded: Option<Unrecorded>,
}

impl Journal {
    /// The journal of a run that has its first entry and no other.
    pub(crate) fn new(trajectory: TrajectoryId, chain: WritChain, head: EntryId) -> Self {
        Self {
            trajectory,
            chain,
            world: World::default(),
            base_seq: 0,
            next_seq: 1,
            head,
            used: Account::default(),
            steps: 0,
            doubts: Vec::new(),
            open_turn: None,
            ended: false,
            stale: false,
            unrecorded: None,
        }
    }

    /// Whether more may be recorded.
    pub(crate) fn check_open(&self) -> Result<(), RunError> {
        match (self.ended, self.stale) {
            (true, _) => Err(RunError::Ended),
            (_, true) => Err(RunError::Stale),
            _ => Ok(()),
        }
    }

    /// Signs and appends one entry; on success it is durable and the state has moved on.
    pub(crate) async fn append(
        &mut self,
        core: &Core,
        authority: &AuthorityState,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        self.check_open()?;
        self.push(core, authority, draft, registers).await
    }

    /// As [`append`](Self::append), also to a run that has ended: a doubt may be settled later.
    pub(crate) async fn append_even_after_the_end(
        &mut self,
        core: &Core,
        authority: &AuthorityState,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        if self.stale {
            return Err(RunError::Stale);
        }
        self.push(core, authority, draft, registers).await
    }

    async fn push(
        &mut self,
        core: &Core,
        authority: &AuthorityState,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        let place = Place {
            trajectory: self.trajectory,
            seq: self.next_seq,
            parent: self.head,
            authority: authority.epoch,
            base_seq: self.base_seq,
            time_ms: core.now().judged_ms,
        };
        let entry = core.seal(place, draft).await?;
        let id = entry.id();
        match core.store.append(Batch { entries: vec![entry], registers }).await {
            Ok(_) => {
                self.head = id;
                self.next_seq += 1;
                Ok(id)
            }
            Err(error) => {
                // A changed register leaves the trajectory as it was; anything else may not have.
                self.stale |= !matches!(error, StoreError::RegisterChanged { .. });
                Err(error.into())
            }
        }
    }

    /// The registers of this trajectory's accounts, as they shall be.
    pub(crate) fn account(&self) -> Vec<RegisterOp> {
        accounts::registers(&self.used, &self.chain, &self.trajectory)
    }

    /// The seq of the last entry.
    pub(crate) fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }
}

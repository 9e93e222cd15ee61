//! One trajectory's end: where the next entry goes.

use super::{
    accounts,
    authority::expect_epoch,
    core::{Core, Place},
    doubt::Doubt,
    error::RunError,
    in_force::InForce,
    unrecorded::Unrecorded,
};
use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::{Batch, Draft, RegisterKey, RegisterOp, StoreError, register::Account},
    world::World,
    writ::{Amounts, WritChain},
};

/// How often an entry is signed again because the authority changes while it is stored.
const ATTEMPTS: usize = 64;

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
    ///
    /// It is stored only while `authority` is the last epoch. What was decided in that epoch says so in `registers`, and
    /// fails with it; anything else is signed again in the epoch that follows.
    pub(crate) async fn append(
        &mut self,
        core: &Core,
        authority: &InForce,
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
        authority: &InForce,
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
        authority: &InForce,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        let expects = |op: &RegisterOp| matches!(op, RegisterOp::Expect { key, .. } if *key == RegisterKey::epoch());
        let decided = registers.iter().any(expects);
        let mut epoch = authority.clone();
        for _ in 0..ATTEMPTS {
            let place = Place {
                trajectory: self.trajectory,
                seq: self.next_seq,
                parent: self.head,
                authority: epoch.epoch,
                base_seq: self.base_seq,
                time_ms: core.now(&epoch).judged_ms,
            };
            let entry = core.seal(&epoch, place, draft.clone()).await?;
            let id = entry.id();
            let mut registers = registers.clone();
            if !decided {
                registers.push(expect_epoch(&epoch));
            }
            match core.store.append(Batch { entries: vec![entry], registers }).await {
                Ok(_) => {
                    self.head = id;
                    self.next_seq += 1;
                    return Ok(id);
                }
                Err(StoreError::RegisterChanged { key }) if !decided && key == RegisterKey::epoch() => {
                    epoch = core.authority.after(core, &epoch).await?;
                }
                Err(error) => {
                    // A changed register leaves the trajectory as it was; anything else may not have.
                    self.stale |= !matches!(error, StoreError::RegisterChanged { .. });
                    return Err(error.into());
                }
            }
        }
        Err(RunError::Stale)
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

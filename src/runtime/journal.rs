//! One trajectory's end: where the next entry goes.

use super::{
    accounts,
    core::{Core, Place},
    error::RunError,
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
    /// The turn without an outcome, and what is held for it.
    pub(crate) open_turn: Option<(EntryId, Amounts)>,
    pub(crate) ended: bool,
    /// Set when the ledger may hold something that this state does not.
    pub(crate) stale: bool,
}

impl Journal {
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

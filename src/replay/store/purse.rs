use super::wide::Wide;
use crate::{canon::WritId, ledger::register::Account, writ::Amounts};

/// What one trajectory uses of the accounts of one writ chain.
#[derive(Default)]
pub(super) struct Purse {
    /// The accounts of its writs, the root's first.
    pub(super) chain: Vec<usize>,
    /// The last writ, where the chain was presented to undo what the trajectory did.
    pub(super) presented: Option<WritId>,
    /// What is spent and held.
    pub(super) used: Account,
    /// What its last entry cost beyond what was held for it.
    pub(super) exceeded: Wide,
    /// For every account, what had been reserved under it by the last entry, or was spent beyond that: no later decision
    /// can have overlooked it.
    pub(super) known: Vec<Wide>,
}

/// What an entry does to the accounts of a chain.
#[derive(Default)]
pub(super) struct Movement {
    /// It is held from now on.
    pub(super) reserved: Amounts,
    /// It is held no more.
    pub(super) returned: Amounts,
    /// It is spent.
    pub(super) cost: Amounts,
}

impl Purse {
    pub(super) fn new(chain: Vec<usize>, presented: Option<WritId>) -> Self {
        let known = vec![Wide::default(); chain.len()];
        Self { chain, presented, known, ..Self::default() }
    }

    pub(super) fn moved(&mut self, movement: &Movement) {
        let Movement { reserved, returned, cost } = movement;
        self.used.held = self.used.held.plus(reserved).minus(returned);
        self.used.spent = self.used.spent.plus(cost);
    }
}

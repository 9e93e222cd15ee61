use std::collections::HashMap;

use super::{
    StoreFault, WritAccount,
    purse::{Movement, Purse},
    wide::Wide,
};
use crate::{
    canon::{MAX_INTEGER, TrajectoryId, WritId},
    writ::{Amounts, Dimension, WritChain},
};

/// The accounts of all writs, summed up from the entries in the order in which they were stored.
#[derive(Default)]
pub(super) struct Accounts {
    writs: Vec<Sums>,
    index: HashMap<WritId, usize>,
}

struct Sums {
    writ: WritId,
    parent: Option<WritId>,
    budget: Amounts,
    runs: u64,
    spent: Wide,
    held: Wide,
    /// All that was ever held.
    reserved: Wide,
    /// What of it was given back, since it was not used.
    returned: Wide,
    /// What outcomes cost beyond what was held for them, once their run went on.
    exceeded: Wide,
    /// The most that was spent and held at once.
    peak: Wide,
}

impl Accounts {
    /// Opens the accounts of a chain that a run stands on: the root's first. A chain that is presented to undo a run counts for no
    /// run.
    pub(super) fn open(&mut self, chain: &WritChain, presented: bool) -> Purse {
        let mut parent = None;
        let mut accounts = Vec::with_capacity(chain.links().len());
        for (writ, body) in chain.links() {
            let at = *self.index.entry(writ).or_insert(self.writs.len());
            if at == self.writs.len() {
                self.writs.push(Sums::new(writ, parent, body.budget));
            }
            if let Some(sums) = self.writs.get_mut(at) {
                sums.runs += u64::from(!presented);
            }
            accounts.push(at);
            parent = Some(writ);
        }
        Purse::new(accounts, presented.then(|| chain.id()))
    }

    /// The writ of an account.
    pub(super) fn writ(&self, account: usize) -> Option<WritId> {
        self.writs.get(account).map(|sums| sums.writ)
    }

    /// Whether a run was opened under a writ.
    pub(super) fn has(&self, writ: &WritId) -> bool {
        self.index.contains_key(writ)
    }

    /// Checks the balances that a decision was made on.
    ///
    /// What a run holds is reserved before its entry is stored, and given back after the entry that settles it is. So when
    /// a run decides, whatever was reserved by its own last entry counts, but for what was given back by now: the recorded
    /// balance may be lower, since others may have reserved what came to nothing, and never higher.
    pub(super) fn check_balances(
        &self,
        purse: &Purse,
        run: TrajectoryId,
        position: u64,
        balances: &[Amounts],
    ) -> Result<(), StoreFault> {
        for ((at, known), said) in purse.chain.iter().zip(&purse.known).zip(balances) {
            let Some(sums) = self.writs.get(*at) else { continue };
            let counted = known.plus(purse.exceeded).minus(sums.returned).amounts();
            let most = sums.budget.minus(&counted);
            // Sums of this size are held at the largest amount, and what is taken off then is taken off too little.
            let exact = |dimension: &Dimension| sums.peak.amounts().get(*dimension) < MAX_INTEGER;
            let above = |dimension: &Dimension| said.get(*dimension) > most.get(*dimension);
            if let Some(dimension) = Dimension::ALL.into_iter().filter(exact).find(above) {
                let (writ, said, most) = (sums.writ, said.get(dimension), most.get(dimension));
                return Err(StoreFault::Balance { position, run, writ, dimension, said, most });
            }
        }
        Ok(())
    }

    /// Adds what an entry does. At no position may more be granted than the budget: what is held, and what was spent, but
    /// for what outcomes cost beyond what was held for them.
    pub(super) fn add(
        &mut self,
        purse: &mut Purse,
        run: TrajectoryId,
        position: u64,
        movement: &Movement,
    ) -> Result<(), StoreFault> {
        let Movement { reserved, returned, cost } = movement;
        for (at, known) in purse.chain.iter().zip(&mut purse.known) {
            let Some(sums) = self.writs.get_mut(*at) else { continue };
            sums.exceeded = sums.exceeded.plus(purse.exceeded);
            sums.reserved = sums.reserved.plus((*reserved).into());
            let granted = sums.reserved.minus(sums.returned);
            if let Some(dimension) = granted.exceeds(&sums.budget) {
                let (granted, budget) = (granted.amounts().get(dimension), sums.budget.get(dimension));
                return Err(StoreFault::Overdrawn { position, run, writ: sums.writ, dimension, granted, budget });
            }
            sums.returned = sums.returned.plus(returned.minus(&cost.least(returned)).into());
            sums.spent = sums.spent.plus((*cost).into());
            sums.held = sums.held.plus((*reserved).into()).minus((*returned).into());
            sums.peak = sums.peak.most(sums.spent.plus(sums.held));
            *known = sums.reserved.plus(sums.exceeded);
        }
        purse.exceeded = cost.minus(returned).into();
        Ok(())
    }

    /// What the accounts come to, each writ after the one above it.
    pub(super) fn report(self) -> Vec<WritAccount> {
        let report = |sums: Sums| WritAccount {
            writ: sums.writ,
            parent: sums.parent,
            budget: sums.budget,
            spent: sums.spent.amounts(),
            held: sums.held.amounts(),
            runs: sums.runs,
        };
        self.writs.into_iter().map(report).collect()
    }
}

impl Sums {
    fn new(writ: WritId, parent: Option<WritId>, budget: Amounts) -> Self {
        let zero = Wide::default();
        Self {
            writ,
            parent,
            budget,
            runs: 0,
            spent: zero,
            held: zero,
            reserved: zero,
            returned: zero,
            exceeded: zero,
            peak: zero,
        }
    }
}

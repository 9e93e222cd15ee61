//! Budgets as accounts of the writ tree: what is spent or held under a writ counts against every writ above it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    canon::{TrajectoryId, WritId},
    ledger::{LedgerStore, RegisterKey, RegisterOp, StoreError, register::Account},
    writ::{Amounts, WritChain},
};

/// How many registers are read at a time.
const PAGE: usize = 1_024;

/// The accounts of all writs that runs of this process use.
#[derive(Default)]
pub(crate) struct Accounts {
    used: Mutex<HashMap<WritId, Amounts>>,
}

impl Accounts {
    fn lock(&self) -> MutexGuard<'_, HashMap<WritId, Amounts>> {
        // Every change is a single assignment, so a panic elsewhere leaves no half change.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads the accounts of a chain that are not loaded yet.
    pub(crate) async fn load(&self, store: &dyn LedgerStore, chain: &WritChain) -> Result<(), StoreError> {
        for (writ, _) in chain.links() {
            if self.lock().contains_key(&writ) {
                continue;
            }
            let prefix = RegisterKey::accounts(&writ);
            let (mut used, mut after) = (Amounts::ZERO, None);
            loop {
                let page = store.registers(prefix.as_bytes(), after.as_ref(), PAGE).await?;
                for (_, value) in &page {
                    let Account { spent, held } = Account::from_bytes(value)?;
                    used = used.plus(&spent).plus(&held);
                }
                match page.into_iter().nth(PAGE - 1) {
                    Some((last, _)) => after = Some(last),
                    None => break,
                }
            }
            self.lock().entry(writ).or_insert(used);
        }
        Ok(())
    }

    /// What every writ of the chain has left, root first.
    pub(crate) fn balances(&self, chain: &WritChain) -> Vec<Amounts> {
        balances(&self.lock(), chain)
    }

    /// Holds `amount` on every account of the chain, or on none. Returns what was left before either way.
    pub(crate) fn reserve(&self, chain: &WritChain, amount: &Amounts) -> (Vec<Amounts>, bool) {
        let mut used = self.lock();
        let left = balances(&used, chain);
        let fits = left.iter().all(|left| amount.exceeds(left).is_none());
        if fits {
            change(&mut used, chain, |used| used.plus(amount));
        }
        (left, fits)
    }

    /// Gives back what was held.
    pub(crate) fn release(&self, chain: &WritChain, held: &Amounts) {
        self.settle(chain, held, &Amounts::ZERO);
    }

    /// Turns what was held into what was spent, which may be more.
    pub(crate) fn settle(&self, chain: &WritChain, held: &Amounts, spent: &Amounts) {
        change(&mut self.lock(), chain, |used| used.minus(held).plus(spent));
    }
}

fn balances(used: &HashMap<WritId, Amounts>, chain: &WritChain) -> Vec<Amounts> {
    let left = |(id, writ): (WritId, &crate::writ::WritBody)| match used.get(&id) {
        Some(used) => writ.budget.minus(used),
        // An account that is not loaded grants nothing.
        None => Amounts::ZERO,
    };
    chain.links().map(left).collect()
}

fn change(used: &mut HashMap<WritId, Amounts>, chain: &WritChain, by: impl Fn(&Amounts) -> Amounts) {
    for (writ, _) in chain.links() {
        if let Some(used) = used.get_mut(&writ) {
            *used = by(used);
        }
    }
}

/// The registers of one trajectory's accounts: the same value for every writ of its chain.
pub(crate) fn registers(account: &Account, chain: &WritChain, trajectory: &TrajectoryId) -> Vec<RegisterOp> {
    let value = account.to_bytes();
    let set = |(writ, _): (WritId, _)| {
        let key = RegisterKey::account(&writ, trajectory);
        RegisterOp::Set { key, value: Some(value.clone()) }
    };
    chain.links().map(set).collect()
}

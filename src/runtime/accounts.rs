//! Budgets as accounts of the writ tree: what is spent or held under a writ counts against every writ above it.

use std::{
    collections::BTreeMap,
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
pub(crate) struct Accounts(Mutex<State>);

#[derive(Default)]
struct State {
    /// What is spent or held under a writ, by all runs.
    used: BTreeMap<WritId, Amounts>,
    /// What of it is due to the runs that are open here, and to undoing them.
    runs: BTreeMap<Holder, Share>,
    tenures: u64,
}

/// Who uses the accounts of a chain: a run, or the undoing of a run under the writ that was presented for it.
pub(crate) type Holder = (TrajectoryId, Option<WritId>);

struct Share {
    tenure: u64,
    amount: Amounts,
}

/// The right to use the accounts for a run: that of the handle that took the run up last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenure {
    holder: Holder,
    number: u64,
}

impl Tenure {
    /// No right at all: of a handle that only reads so far.
    pub(crate) fn none(trajectory: TrajectoryId) -> Self {
        Self { holder: (trajectory, None), number: 0 }
    }
}

impl Accounts {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between the changes of one call can panic, so a panic elsewhere leaves no half change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads the accounts of a chain that are not loaded yet.
    pub(crate) async fn load(&self, store: &dyn LedgerStore, chain: &WritChain) -> Result<(), StoreError> {
        for (writ, _) in chain.links() {
            if self.lock().used.contains_key(&writ) {
                continue;
            }
            let Account { spent, held } = match store.register(&RegisterKey::total(&writ)).await? {
                Some(total) => Account::from_bytes(&total)?,
                None => sum(store, &writ).await?,
            };
            self.lock().used.entry(writ).or_insert(spent.plus(&held));
        }
        Ok(())
    }

    /// What every writ of the chain has left, root first.
    pub(crate) fn balances(&self, chain: &WritChain) -> Vec<Amounts> {
        balances(&self.lock().used, chain)
    }

    /// Opens the accounts for a run, whose chain is loaded. `on_record` is what the ledger has of it: what an earlier handle
    /// reserved beyond that is given back, and that handle can reserve nothing more.
    pub(crate) fn open(&self, holder: Holder, chain: &WritChain, on_record: Amounts) -> Tenure {
        let mut state = self.lock();
        state.tenures += 1;
        let number = state.tenures;
        let share = Share { tenure: number, amount: on_record };
        // What is not open is in the accounts as it is on record.
        let before = state.runs.insert(holder, share).map_or(on_record, |share| share.amount);
        change(&mut state.used, chain, |used| used.minus(&before).plus(&on_record));
        Tenure { holder, number }
    }

    /// Holds `amount` on every account of the chain, or on none. Returns what was left before either way.
    pub(crate) fn reserve(&self, tenure: Tenure, chain: &WritChain, amount: &Amounts) -> (Vec<Amounts>, bool) {
        let mut state = self.lock();
        let left = balances(&state.used, chain);
        let fits = left.iter().all(|left| amount.exceeds(left).is_none());
        let reserved = fits && state.alter(tenure, chain, |used| used.plus(amount));
        (left, reserved)
    }

    /// Gives back what was held.
    pub(crate) fn release(&self, tenure: Tenure, chain: &WritChain, held: &Amounts) {
        self.settle(tenure, chain, held, &Amounts::ZERO);
    }

    /// Turns what was held into what was spent, which may be more.
    pub(crate) fn settle(&self, tenure: Tenure, chain: &WritChain, held: &Amounts, spent: &Amounts) {
        self.lock().alter(tenure, chain, |used| used.minus(held).plus(spent));
    }

    /// A handle is gone: what it reserved beyond `on_record` is given back. A run that has ended is forgotten.
    pub(crate) fn leave(&self, tenure: Tenure, chain: &WritChain, on_record: Amounts, ended: bool) {
        let mut state = self.lock();
        let reserved = state.runs.get(&tenure.holder).map_or(Amounts::ZERO, |share| share.amount);
        if state.alter(tenure, chain, |used| used.minus(&reserved).plus(&on_record)) && ended {
            state.runs.remove(&tenure.holder);
        }
    }
}

impl State {
    /// Changes what a run uses, unless another handle has taken it up.
    fn alter(&mut self, tenure: Tenure, chain: &WritChain, by: impl Fn(&Amounts) -> Amounts) -> bool {
        let Some(share) = self.runs.get_mut(&tenure.holder).filter(|share| share.tenure == tenure.number) else {
            return false;
        };
        share.amount = by(&share.amount);
        change(&mut self.used, chain, by);
        true
    }
}

/// The sum of the accounts under a writ whose total is not kept.
async fn sum(store: &dyn LedgerStore, writ: &WritId) -> Result<Account, StoreError> {
    let prefix = RegisterKey::accounts(writ);
    let (mut sum, mut after) = (Account::default(), None);
    loop {
        let page = store.registers(prefix.as_bytes(), after.as_ref(), PAGE).await?;
        for (_, value) in &page {
            sum = sum.add(&Account::default(), &Account::from_bytes(value)?);
        }
        match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => after = Some(last),
            None => return Ok(sum),
        }
    }
}

/// Begins the totals of those writs of a chain that nothing was spent under so far. It fails where another run does, too.
pub(crate) async fn begin_totals(store: &dyn LedgerStore, chain: &WritChain) -> Result<Vec<RegisterOp>, StoreError> {
    let mut ops = Vec::new();
    for (writ, _) in chain.links() {
        let key = RegisterKey::total(&writ);
        if store.register(&key).await?.is_none()
            && store.registers(RegisterKey::accounts(&writ).as_bytes(), None, 1).await?.is_empty()
        {
            ops.push(RegisterOp::Expect { key: key.clone(), value: None });
            ops.push(RegisterOp::Set { key, value: Some(Account::default().to_bytes()) });
        }
    }
    Ok(ops)
}

fn balances(used: &BTreeMap<WritId, Amounts>, chain: &WritChain) -> Vec<Amounts> {
    let left = |(id, writ): (WritId, &crate::writ::WritBody)| match used.get(&id) {
        Some(used) => writ.budget.minus(used),
        // An account that is not loaded grants nothing.
        None => Amounts::ZERO,
    };
    chain.links().map(left).collect()
}

fn change(used: &mut BTreeMap<WritId, Amounts>, chain: &WritChain, by: impl Fn(&Amounts) -> Amounts) {
    for (writ, _) in chain.links() {
        if let Some(used) = used.get_mut(&writ) {
            *used = by(used);
        }
    }
}

/// The registers of one holder's accounts, the same value for every writ of its chain, and of the totals that they are part of.
pub(crate) fn registers(
    before: Account,
    after: Account,
    chain: &WritChain,
    (trajectory, presented): &Holder,
) -> Vec<RegisterOp> {
    let value = after.to_bytes();
    let mut ops = Vec::with_capacity(2 * chain.links().len());
    for (writ, _) in chain.links() {
        let key = match presented {
            Some(presented) => RegisterKey::undo_account(&writ, trajectory, presented),
            None => RegisterKey::account(&writ, trajectory),
        };
        ops.push(RegisterOp::Set { key, value: Some(value.clone()) });
        ops.push(RegisterOp::Add { key: RegisterKey::total(&writ), before, after });
    }
    ops
}

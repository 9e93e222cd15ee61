//! The verification of a store as a whole: what no run can show of itself.
//!
//! Each run is replayed by itself first. Then all entries are read once more in the order in which they were stored, which
//! shows that nothing is missing or added, sums up the accounts that runs share, and tells what every register has to be.

mod accounts;
mod authority;
mod fault;
mod lane;
mod lineages;
mod log;
mod pins;
mod purse;
mod registers;
mod report;
mod runs;
mod wide;

pub use fault::StoreFault;
pub use pins::{Kept, StorePins};
pub use report::{Progress, StoreReport, WritAccount};

pub(super) use self::authority::Authority;
use self::{log::Log, runs::Runs};
use super::ReplayError;
use crate::ledger::LedgerStore;

/// How many heads or registers are read from a store at a time.
const PAGE: usize = 512;

/// Verifies a whole store: the authority trajectory entry by entry, every run that was opened, the order in which all was
/// stored, the account of every writ, and every register.
///
/// Reads every entry twice. Memory is bounded by the largest world and by the number of runs, writs and contracts, not by
/// the number of entries; a run under replay keeps the id of each proposal that it dispatched. Nothing may be appended
/// meanwhile.
///
/// # Errors
/// The first thing that does not hold, an empty store included; a run that does not hold is told to `progress`, and the
/// other runs are replayed before the error is returned. A pin that does not hold, or the store's failure.
pub async fn store(
    store: &dyn LedgerStore,
    pins: StorePins,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<StoreReport, ReplayError> {
    let authority = Authority::read(store, &pins).await?;
    if let Some(required) = pins.store.filter(|required| *required != authority.log.store()) {
        let (found, required) = (authority.log.store().to_string(), required.to_string());
        return Err(ReplayError::Pin { what: "the store", found, required });
    }
    let runs = Runs::replay(store, &authority, &pins, &mut progress).await?;
    let log = Log::read(store, &authority, &runs, &pins, &mut progress).await?;
    log.check_heads(store).await?;
    let registers = if runs.unknown { 0 } else { registers::compare(store, &authority, &log).await? };
    Ok(StoreReport {
        store: authority.log.store(),
        entries: log.entries,
        runs: runs.by_id.len() as u64,
        open: runs.open,
        in_doubt: runs.in_doubt,
        head: log.head,
        as_of_ms: log.as_of_ms,
        pinned: pins.kept.iter().copied().max_by_key(|kept| kept.position),
        signers: authority.log.state().runtime_keys.clone(),
        signer_pinned: pins.signer.is_some(),
        batched: pins.signer.is_some() && pins.options.batch,
        accounts: log.accounts.report(),
        registers,
        rederived: runs.rederived,
        incomplete: runs.incomplete,
    })
}

impl From<StoreFault> for ReplayError {
    fn from(fault: StoreFault) -> Self {
        Self::Whole(Box::new(fault))
    }
}

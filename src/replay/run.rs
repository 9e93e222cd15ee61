use super::{AuthorityLog, Folded, Pins, ReplayError, Replayer, Report, authority_of};
use crate::{
    canon::TrajectoryId,
    ledger::{Entry, LedgerStore, record::RunStart},
};

/// How many entries are read from a store at a time.
const PAGE: usize = 512;

/// Replays one run of a store: every hash, link and signature, and the fold.
///
/// # Errors
/// The first fault, a pin that does not hold, or the store's failure.
pub async fn run(
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    pins: Pins,
    mut visit: impl FnMut(&Entry, &Replayer<'_>) + Send,
) -> Result<(Report, Folded), ReplayError> {
    let log = closure(store, trajectory).await?;
    let mut replayer = Replayer::new(&log, *trajectory, pins);
    let mut from = 0;
    loop {
        let page = store.read(trajectory, from, PAGE).await?;
        for entry in &page {
            replayer.push(entry)?;
            visit(entry, &replayer);
        }
        from += page.len() as u64;
        if page.len() < PAGE {
            return replayer.finish();
        }
    }
}

/// The authority entries that a run refers to: its epochs, its opening, and the contracts that it started with.
///
/// # Errors
/// When there is no such run, the store fails, or an entry does not hold.
pub async fn closure(store: &dyn LedgerStore, trajectory: &TrajectoryId) -> Result<AuthorityLog, ReplayError> {
    let root = store.read(trajectory, 0, 1).await?;
    let root = root.first().ok_or(ReplayError::NoRun(*trajectory))?;
    let contracts = root.body::<RunStart>().map(|start| start.contracts).unwrap_or_default();
    authority_of(store, Some(trajectory), &contracts).await
}

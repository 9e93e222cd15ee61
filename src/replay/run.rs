use super::{
    AuthorityLog, Contracts, Fault, Folded, Pins, ReplayError, Replayer, Report, authority_of, fault::at, invalid_from,
    pages::PageSize,
};
use crate::{
    canon::TrajectoryId,
    ledger::{
        Entry, EntryError, Kind, LedgerStore,
        record::{BranchStart, Compensation, Resumed, RunStart},
    },
};

/// Replays one run of a store: every hash, link and signature, and the fold.
///
/// # Errors
/// The first fault, a pin that does not hold, or the store's failure.
pub async fn run(
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    pins: Pins,
    visit: impl FnMut(&Entry, &Replayer<'_>) + Send,
) -> Result<(Report, Folded), ReplayError> {
    let log = authority_of(store, Some(trajectory), Contracts::All).await?;
    run_under(&log, store, trajectory, pins, visit).await
}

/// Replays one run of a store whose authority entries are at hand.
pub(super) async fn run_under(
    log: &AuthorityLog,
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    pins: Pins,
    visit: impl FnMut(&Entry, &Replayer<'_>) + Send,
) -> Result<(Report, Folded), ReplayError> {
    run_by(Replayer::new(log, *trajectory, pins), store, trajectory, visit).await
}

/// Has a replayer go through a run of a store.
pub(super) async fn run_by(
    mut replayer: Replayer<'_>,
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    mut visit: impl FnMut(&Entry, &Replayer<'_>) + Send,
) -> Result<(Report, Folded), ReplayError> {
    replayer.invalid(invalid_from(store, trajectory, replayer.authority()).await?);
    let mut ahead = replayer.ahead();
    let (mut from, mut size) = (0, PageSize::new());
    loop {
        let page = match store.read(trajectory, from, size.get()).await {
            Ok(page) => page,
            Err(error) => {
                // What is wrong before it is told first.
                replayer.judge(&mut ahead, 0, visit)?;
                return Err(error.into());
            }
        };
        let (entries, last) = (page.len(), size.read(page.iter().map(Entry::bytes)));
        from += entries as u64;
        ahead.give(page);
        // While these are worked on elsewhere, those before them are judged here.
        replayer.judge(&mut ahead, if last { 0 } else { entries }, &mut visit)?;
        if last {
            return replayer.finish();
        }
    }
}

/// The authority entries that a run refers to: the epochs, its opening, and the contracts that it was decided under.
///
/// # Errors
/// When there is no such run, the store fails, or an entry does not hold.
pub async fn closure(store: &dyn LedgerStore, trajectory: &TrajectoryId) -> Result<AuthorityLog, ReplayError> {
    let (mut contracts, mut from, mut size) = (Vec::new(), 0, PageSize::new());
    loop {
        let page = store.read(trajectory, from, size.get()).await?;
        for entry in &page {
            match entry.header.known_kind() {
                Some(Kind::Root) => contracts.extend(entry.body::<RunStart>().map_err(unreadable(entry))?.contracts),
                Some(Kind::Branch) => {
                    contracts.extend(entry.body::<BranchStart>().map_err(unreadable(entry))?.run.contracts);
                }
                Some(Kind::Compensation) => {
                    contracts.extend(entry.body::<Compensation>().map_err(unreadable(entry))?.contracts);
                }
                Some(Kind::Resumed) => contracts.extend(entry.body::<Resumed>().map_err(unreadable(entry))?.contracts),
                _ => {}
            }
        }
        from += page.len() as u64;
        if size.read(page.iter().map(Entry::bytes)) {
            break;
        }
    }
    if from == 0 {
        return Err(ReplayError::NoRun(*trajectory));
    }
    authority_of(store, Some(trajectory), Contracts::Of(&contracts)).await
}

fn unreadable(entry: &Entry) -> impl FnOnce(EntryError) -> Fault + '_ {
    |error| at(entry, error.into())
}

use futures::future::BoxFuture;

use super::{
    AuthorityLog, Contracts, Fault, FaultKind, Folded, Pins, ReplayError, Replayer, Report, authority_of, fault::at,
    invalid_from, pages::PageSize,
};
use crate::{
    canon::{EntryId, TrajectoryId},
    crypto::PublicKey,
    ledger::{
        Entry, EntryError, Kind, LedgerStore,
        record::{BranchStart, Compensation, Link, Resumed, RunStart},
    },
    world::World,
};

/// How many entries of a branch's parent are read at a time.
const PAGE: usize = 512;

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
    if let Some(world) = ground(store, trajectory, replayer.signer()).await? {
        replayer.ground(world);
    }
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

/// The world that a run starts from, where it is a branch: its parent is replayed up to the branch point.
fn ground<'a>(
    store: &'a dyn LedgerStore,
    trajectory: &'a TrajectoryId,
    signer: Option<PublicKey>,
) -> BoxFuture<'a, Result<Option<World>, ReplayError>> {
    Box::pin(async move {
        let Some(first) = store.read(trajectory, 0, 1).await?.into_iter().next() else { return Ok(None) };
        if first.header.known_kind() != Some(Kind::Branch) {
            return Ok(None);
        }
        let branch: BranchStart = first.body().map_err(unreadable(&first))?;
        let Some(Link::Branch(point)) = branch.run.start.from else { return Ok(None) };
        let log = authority_of(store, Some(&point.trajectory), Contracts::All).await?;
        let mut parent = Replayer::new(&log, point.trajectory, Pins { signer, ..Pins::default() });
        if let Some(world) = ground(store, &point.trajectory, signer).await? {
            parent.ground(world);
        }
        let (mut next, mut last) = (0, EntryId::ZERO);
        while next <= point.seq {
            let left = usize::try_from(point.seq - next).unwrap_or(usize::MAX).saturating_add(1);
            let page = store.read(&point.trajectory, next, left.min(PAGE)).await?;
            if page.is_empty() {
                break;
            }
            for entry in &page {
                let pushed = parent.push(entry).map_err(ReplayError::from);
                pushed.map_err(|source| ReplayError::Run { run: point.trajectory, source: Box::new(source) })?;
                (next, last) = (entry.header.seq.saturating_add(1), entry.id());
            }
        }
        if (next, last) != (point.seq.saturating_add(1), point.entry) {
            return Err(at(&first, FaultKind::BranchPoint(point.entry)).into());
        }
        Ok(Some(parent.world().clone()))
    })
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

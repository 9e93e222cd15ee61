use super::load::load;
use crate::{
    canon::TrajectoryId,
    ledger::{
        Entry, LedgerStore, RegisterKey,
        register::{Account, ProposalState},
    },
    replay::{Contracts, Folded, Replayer, Report, authority_of, pages::PageSize},
};

/// Replays the end of a run from its last snapshot on, up to its entry `until` or its last one. `None` when there is no
/// snapshot, anything about it is in doubt, or an entry after it does not hold: [`run`](crate::replay::run) tells more then.
///
/// The first entry, the snapshot's and the last commit before it are checked as in every replay, and so are all entries
/// after it. Of those in between it is taken from the snapshot what they amount to. Its report says so in
/// [`Report::since`], and counts what it checked after it.
pub async fn since_snapshot(
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    until: Option<u64>,
) -> Option<(Report, Folded)> {
    let (seq, kept) = store.snapshot(trajectory, until.unwrap_or(u64::MAX)).await.ok()??;
    let log = authority_of(store, Some(trajectory), Contracts::All).await.ok()?;
    let mut replayer = load(store, &log, trajectory, (seq, &kept)).await?;
    let (mut next, mut size) = (seq + 1, PageSize::new());
    loop {
        let left = until.map_or(u64::MAX, |until| until.saturating_add(1).saturating_sub(next));
        let most = usize::try_from(left).map_or(size.get(), |left| left.min(size.get()));
        let page = store.read(trajectory, next, most).await.ok()?;
        for entry in &page {
            replayer.push(entry).ok()?;
        }
        next += page.len() as u64;
        if size.read(page.iter().map(Entry::bytes)) {
            break;
        }
    }
    match until {
        Some(until) => replayer.finish().ok().filter(|(report, _)| report.head_seq == until),
        None => at_the_end(store, trajectory, replayer, seq).await,
    }
}

/// At the end of a run the registers say what its entries amount to, whatever a snapshot said.
async fn at_the_end(
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    replayer: Replayer<'_>,
    since: u64,
) -> Option<(Report, Folded)> {
    // A proposal that was dispatched before the snapshot, and once more after it, had an outcome before.
    for proposal in replayer.dispatched() {
        let state = store.register(&RegisterKey::outcome(proposal)).await.ok()??;
        let (ProposalState::Dispatched { seq } | ProposalState::Concluded { seq }) =
            ProposalState::from_bytes(&state).ok()?;
        if seq <= since {
            return None;
        }
    }
    let (report, folded) = replayer.finish().ok()?;
    let account = store.register(&RegisterKey::account(&folded.chain.id(), trajectory)).await.ok()?;
    let account = account.map_or(Some(Account::default()), |value| Account::from_bytes(&value).ok())?;
    (account == Account { spent: folded.spent, held: folded.held }).then_some((report, folded))
}

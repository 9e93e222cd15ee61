//! Every decision is derived again from what the ledger says, and one that does not follow is named.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

#[path = "../store_verification/altered.rs"]
#[expect(dead_code, reason = "each test uses a part of it")]
#[expect(clippy::expect_used, reason = "a helper that goes wrong should stop the test")]
mod altered;
#[path = "../common/mod.rs"]
mod common;
mod forged;
mod gaps;
mod honest;
mod policies;
mod routing;
mod scripts;
mod simulated;
mod skills;
mod votes;

use std::sync::Arc;

use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    commit::{Commit, Origin},
    ledger::{
        Entry, Kind, LedgerStore,
        record::{Dispatch, Failure, PendingApproval, Rejection},
    },
    proposal::Proposal,
    replay::{self, Pins, Rederived, ReplayError, Report, Verdict},
};

/// The proposal that an entry holds, if it holds one.
fn proposal(entry: &Entry) -> Option<Arc<Proposal>> {
    let held = |origin| match origin {
        Origin::Proposal(proposal) => Some(proposal),
        Origin::Dispatch(_) => None,
    };
    match entry.header.known_kind()? {
        Kind::Dispatch => Some(entry.body::<Dispatch>().unwrap().proposal),
        Kind::PendingApproval => Some(entry.body::<PendingApproval>().unwrap().proposal),
        Kind::Commit => held(entry.body::<Commit>().unwrap().origin),
        Kind::Failure => held(entry.body::<Failure>().unwrap().origin),
        Kind::Rejection => match entry.body().unwrap() {
            Rejection::Refused(proposal) => Some(proposal),
            _ => None,
        },
        _ => None,
    }
}

/// The proposals that a run's entries hold.
fn proposals(store: &dyn LedgerStore, run: &TrajectoryId) -> Vec<Proposal> {
    block_on(store.read(run, 0, usize::MAX)).unwrap().iter().filter_map(proposal).map(Arc::unwrap_or_clone).collect()
}

/// Replays a run, with or without deriving its decisions again.
fn replayed(store: &dyn LedgerStore, run: &TrajectoryId, rederive: bool) -> Result<Report, ReplayError> {
    block_on(replay::run(store, run, Pins { rederive, ..Pins::default() }, |_, _| {})).map(|(report, _)| report)
}

/// Every decision of a run is derived again: the counts are those of its entries.
fn rederives(store: &dyn LedgerStore, run: &TrajectoryId) -> Rederived {
    let report = replayed(store, run, true).unwrap();
    assert_eq!(report.verdict(), Verdict::Verified, "{report}");
    let rederived = report.rederived.unwrap();
    assert_eq!(rederived.decisions(), proposals(store, run).len() as u64);
    assert_eq!((rederived.derived, rederived.asserted), (report.derived, report.asserted));
    assert!(rederived.not_derived.is_empty());
    rederived
}

/// The ledger of a fixture, to be shared.
fn shared(fixture: &Fixture) -> Arc<dyn LedgerStore> {
    fixture.ledger.clone()
}

use serde::Serialize;

use super::{Fault, Pins, ReplayError, Replayer, Report, fault::at, run};
use crate::{
    canon::{StatementHash, TrajectoryId},
    ledger::{
        Entry, EntryError, Kind, LedgerStore,
        record::{RoutingOutcome, RoutingStatus},
    },
};

/// What a router may learn of one of its decisions: how the route did, and nothing of what was done on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Routed {
    /// The router's own hash of its decision.
    pub decision_hash: StatementHash,
    /// How long the turn took.
    pub latency_ms: u64,
    /// The name of the route that was taken.
    pub selected: String,
    /// What came of the turn.
    pub status: RoutingStatus,
}

/// Replays a run, and gives what it says of its routes.
///
/// # Errors
/// As [`run`].
pub async fn routing(store: &dyn LedgerStore, trajectory: &TrajectoryId) -> Result<(Report, Vec<Routed>), ReplayError> {
    let mut routed: Result<_, Fault> = Ok(Vec::new());
    let visit = |entry: &Entry, _: &Replayer<'_>| {
        if let (Some(Kind::Routing), Ok(all)) = (entry.header.known_kind(), &mut routed) {
            match read(entry) {
                Ok(one) => all.push(one),
                Err(error) => routed = Err(at(entry, error.into())),
            }
        }
    };
    let (report, _) = run(store, trajectory, Pins::default(), visit).await?;
    Ok((report, routed?))
}

fn read(entry: &Entry) -> Result<Routed, EntryError> {
    let RoutingOutcome { evidence, latency_ms, status, .. } = entry.body()?;
    let (decision_hash, selected) = (evidence.decision_hash, evidence.selected.route);
    Ok(Routed { decision_hash, latency_ms, selected, status })
}

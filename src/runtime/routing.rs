//! A router's evidence as it is recorded: without secrets, bounded, and beside the turn. Nothing else reads it.

use super::{error::RunError, secrets};
use crate::{
    canon::{EntryId, MAX_INTEGER},
    cognition::Turn,
    ledger::{
        Draft, Kind,
        record::{RoutingOutcome, RoutingStatus},
    },
    proposal::{MAX_ALTERNATIVES, MAX_ROUTE_BYTES, RouteEstimate, RoutingEvidence},
    redact::Redactor,
};

/// What stands for the name of a route that is none: it could hold anything.
const UNNAMED: &str = "unnamed";
/// All of it, in hundredths of a per cent.
const CERTAIN: u32 = 10_000;

/// Evidence without secrets, and no more of it than is recorded.
pub(super) fn bounded(redactor: &Redactor, evidence: RoutingEvidence) -> RoutingEvidence {
    let RoutingEvidence { alternatives, confidence_bp, decision_hash, selected } = evidence;
    RoutingEvidence {
        alternatives: alternatives.into_iter().take(MAX_ALTERNATIVES).map(|route| estimate(redactor, route)).collect(),
        confidence_bp: confidence_bp.min(CERTAIN),
        decision_hash,
        selected: estimate(redactor, selected),
    }
}

fn estimate(
    redactor: &Redactor,
    RouteEstimate { cost_usd_millicents, latency_ms, route }: RouteEstimate,
) -> RouteEstimate {
    // What is longer than a name is not looked through.
    let route = if route.len() > MAX_ROUTE_BYTES { String::new() } else { secrets::text(redactor, &route) };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/@-[]".contains(&byte);
    let is_name = (1..=MAX_ROUTE_BYTES).contains(&route.len()) && route.bytes().all(fits);
    RouteEstimate {
        cost_usd_millicents: cost_usd_millicents.min(MAX_INTEGER),
        latency_ms: latency_ms.min(MAX_INTEGER),
        route: if is_name { route } else { UNNAMED.into() },
    }
}

/// What came of a turn, of whose requests so many became intents. `failed` where there was none.
pub(super) fn status(turn: &Turn, intents: usize, failed: bool) -> RoutingStatus {
    match (failed, intents, turn.requests.is_empty()) {
        (true, ..) => RoutingStatus::Failed,
        (false, 1.., _) => RoutingStatus::Proposed,
        (false, 0, false) => RoutingStatus::Malformed,
        (false, 0, true) if turn.answer.is_none() && turn.text.is_none() => RoutingStatus::Empty,
        (false, 0, true) => RoutingStatus::Answered,
    }
}

/// How a route did, to be recorded with the turn.
pub(super) struct Route {
    pub(super) evidence: RoutingEvidence,
    pub(super) latency_ms: u64,
    pub(super) status: RoutingStatus,
}

impl Route {
    pub(super) fn draft(&self, turn: EntryId) -> Result<Draft, RunError> {
        let Self { evidence, latency_ms, status } = self;
        let outcome = RoutingOutcome { evidence: evidence.clone(), latency_ms: *latency_ms, status: *status, turn };
        Ok(Draft::seal(Kind::Routing, &outcome, vec![])?)
    }
}

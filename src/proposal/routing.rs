use serde::{Deserialize, Serialize};

use crate::canon::StatementHash;

/// The most routes that were not taken that are recorded of one decision.
pub const MAX_ALTERNATIVES: usize = 16;
/// The most bytes that the name of a route may have.
pub const MAX_ROUTE_BYTES: usize = 128;

/// A router's account of why it chose a model. Recorded with the outcome, never read for authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingEvidence {
    /// The routes that were not taken.
    pub alternatives: Vec<RouteEstimate>,
    /// How sure the router was, in hundredths of a per cent.
    pub confidence_bp: u32,
    /// The router's own hash of its decision.
    pub decision_hash: StatementHash,
    /// The route that was taken.
    pub selected: RouteEstimate,
}

/// A route and what the router expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEstimate {
    /// Expected cost in thousandths of a US cent.
    pub cost_usd_millicents: u64,
    /// Expected latency in milliseconds.
    pub latency_ms: u64,
    /// The route's name.
    pub route: String,
}

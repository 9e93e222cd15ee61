use serde::{Deserialize, Serialize};

use crate::contract::Risk;

/// What needs approval even where every rule permits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The least risk class that needs approval; none when `null`.
    pub approve_risk_from: Option<Risk>,
    /// Whether irreversible calls that cannot be undone need approval.
    pub approve_uncompensable: bool,
    /// Who is asked.
    pub channel: String,
}

impl Default for Gates {
    /// Critical tools and uncompensable calls need approval on the channel `operator`.
    fn default() -> Self {
        Self { approve_risk_from: Some(Risk::Critical), approve_uncompensable: true, channel: "operator".into() }
    }
}

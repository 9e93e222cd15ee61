use serde::{Deserialize, Serialize};

use crate::canon::TrajectoryId;

/// An earlier call that stands in the way of one with the same business key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The seq of its entry: of the dispatch while it is in doubt, of the outcome once it is done.
    pub seq: u64,
    /// What is known of it.
    pub state: ClaimState,
    /// The trajectory of its entry.
    pub trajectory: TrajectoryId,
}

/// What is known of the call that has a business key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// It was dispatched, and whether its effect happened is not known, or not yet.
    InDoubt,
    /// Its effect happened.
    Done,
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.trajectory, self.seq)
    }
}

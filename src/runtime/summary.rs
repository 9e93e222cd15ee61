use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::record::EndReason,
    writ::Amounts,
};

/// How a drive went.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The run.
    pub run: TrajectoryId,
    /// Why it stopped.
    pub why: WhyStopped,
    /// More about it: the budget's dimension, the limit, the error.
    pub detail: Option<String>,
    /// The final answer.
    pub answer: Option<String>,
    /// How many steps cognition made.
    pub steps: u64,
    /// How many proposals were committed.
    pub committed: u64,
    /// How many were refused.
    pub rejected: u64,
    /// How many failed.
    pub failed: u64,
    /// How many wait for approval.
    pub suspended: u64,
    /// How many children were started.
    pub delegated: u64,
    /// What the run spent in all.
    pub spent: Amounts,
    /// The last entry.
    pub head: EntryId,
    /// Its seq.
    pub head_seq: u64,
}

/// Why a drive stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyStopped {
    /// The run ended.
    Ended(EndReason),
    /// A proposal waits for approval, or a child for whoever works as it. The run goes on with `resume`.
    Suspended,
}

use super::Kept;
use crate::{
    canon::{StoreId, TrajectoryId, WritId},
    crypto::NamedKey,
    replay::{Rederived, ReplayError, Report, Verdict, report::signed_by},
    writ::Amounts,
};

/// What the verification of a whole store found to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreReport {
    /// The store.
    pub store: StoreId,
    /// How many entries it has.
    pub entries: u64,
    /// How many runs.
    pub runs: u64,
    /// How many of them have not ended.
    pub open: u64,
    /// How many effects are in doubt.
    pub in_doubt: u64,
    /// The last entry: keep it elsewhere, and pin it the next time.
    pub head: Kept,
    /// Its time, in milliseconds since 1970.
    pub as_of_ms: u64,
    /// The last of the pinned entries; `None` when none was pinned.
    pub pinned: Option<Kept>,
    /// The keys that signed the entries; none in an unsigned ledger.
    pub signers: Vec<NamedKey>,
    /// Whether the signer was pinned by the caller.
    pub signer_pinned: bool,
    /// Whether the signer's signatures were verified in batches, which is weaker than strictly:
    /// [`Options::batch`](crate::replay::Options::batch).
    pub batched: bool,
    /// The account of every writ that a run stands on, summed from the entries; each writ follows the one above it.
    pub accounts: Vec<WritAccount>,
    /// How many registers were compared with the entries.
    pub registers: u64,
    /// What came of deriving every decision again, of all runs; `None` when that was not asked for.
    pub rederived: Option<Rederived>,
    /// What could not be checked; empty for a complete verification.
    pub incomplete: Vec<String>,
}

/// What was used of a writ's budget, by its own runs and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritAccount {
    /// The writ.
    pub writ: WritId,
    /// The writ above it; `None` for a root writ.
    pub parent: Option<WritId>,
    /// What it grants.
    pub budget: Amounts,
    /// What is spent, what models used beyond what was held for them included.
    pub spent: Amounts,
    /// What is held for turns and dispatches without an outcome.
    pub held: Amounts,
    /// How many runs stand on it.
    pub runs: u64,
}

/// How far the verification of a store has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A run was replayed.
    Run {
        /// The run.
        run: TrajectoryId,
        /// What was found.
        outcome: Result<&'a Report, &'a ReplayError>,
    },
    /// So many entries of the whole log were read.
    Entries(u64),
}

impl StoreReport {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        if self.incomplete.is_empty() { Verdict::Verified } else { Verdict::Incomplete }
    }
}

impl std::fmt::Display for StoreReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.verdict() {
            Verdict::Verified => write!(f, "consistent · {} runs", self.runs)?,
            Verdict::Incomplete => write!(f, "INCOMPLETE ({})", self.incomplete.join("; "))?,
        }
        write!(f, " · {}", signed_by(&self.signers, self.signer_pinned, self.batched))?;
        if let Some(rederived) = &self.rederived {
            write!(f, " · {rederived}")?;
        }
        write!(f, " · complete to position {}", self.head.position.0)?;
        match self.pinned {
            Some(kept) => write!(f, ", pinned at {}", kept.position.0)?,
            None => f.write_str(", not pinned")?,
        }
        write!(f, " as of {} ms", self.as_of_ms)
    }
}

use std::collections::BTreeSet;

use super::Rederived;
use crate::{
    canon::{EntryId, PolicySetHash, StoreId, TrajectoryId, WorldRoot, WritId},
    crypto::NamedKey,
    ledger::record::EndReason,
    writ::Amounts,
};

/// What a replay found to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The store.
    pub store: StoreId,
    /// The trajectory.
    pub trajectory: TrajectoryId,
    /// The writ it ran under.
    pub writ: WritId,
    /// The seq of the snapshot that it went on from: what is before it was not checked now. `None` when all was.
    pub since: Option<u64>,
    /// How many entries were checked.
    pub entries: u64,
    /// How many of them are commits.
    pub commits: u64,
    /// How many decisions rest on declarative rules and the compiler alone: anyone can derive them again.
    pub derived: u64,
    /// How many decisions rest on a verdict of Rust code, which is recorded and not derivable.
    pub asserted: u64,
    /// What came of deriving every decision again; `None` when that was not asked for.
    pub rederived: Option<Rederived>,
    /// The last entry.
    pub head: EntryId,
    /// Its seq.
    pub head_seq: u64,
    /// Its time, in milliseconds since 1970.
    pub as_of_ms: u64,
    /// The root of the folded world.
    pub world_root: WorldRoot,
    /// The keys that signed the entries; none in an unsigned ledger.
    pub signers: Vec<NamedKey>,
    /// Whether the signer was pinned by the caller.
    pub signer_pinned: bool,
    /// The compiler versions that decided.
    pub compilers: BTreeSet<u32>,
    /// The policy sets that decided.
    pub policy_sets: BTreeSet<PolicySetHash>,
    /// Dispatches whose effects are in doubt.
    pub in_doubt: Vec<EntryId>,
    /// How many values were erased.
    pub erased: u64,
    /// What the run spent.
    pub spent: Amounts,
    /// Why the run ended; `None` when it has not.
    pub ended: Option<EndReason>,
    /// What could not be checked; empty for a complete verification.
    pub incomplete: Vec<String>,
}

/// Whether everything that was replayed could be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was checked and holds.
    Verified,
    /// Nothing was found wrong, and not everything could be checked. Not success.
    Incomplete,
}

impl Report {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        if self.incomplete.is_empty() { Verdict::Verified } else { Verdict::Incomplete }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.verdict() {
            Verdict::Verified => f.write_str("consistent")?,
            Verdict::Incomplete => write!(f, "INCOMPLETE ({})", self.incomplete.join("; "))?,
        }
        if let Some(seq) = self.since {
            write!(f, " since the snapshot at {seq}")?;
        }
        match (self.signers.as_slice(), self.signer_pinned) {
            ([], _) => f.write_str(" · unsigned")?,
            (keys, pinned) => {
                let names: Vec<_> = keys.iter().map(|named| format!("{} {}", named.name, named.key)).collect();
                write!(f, " · signer {}{}", names.join(", "), if pinned { "" } else { " not pinned" })?;
            }
        }
        if let Some(rederived) = &self.rederived {
            write!(f, " · {rederived}")?;
        }
        write!(f, " · complete to {} as of {} ms", self.head_seq, self.as_of_ms)
    }
}

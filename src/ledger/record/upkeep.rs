use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    canon::{CheckpointHash, Commitment, EntryId, SkillHash, words},
    crypto::NamedKey,
    proposal::RoutingEvidence,
    writ::Skill,
};

/// `skill`: a skill was bound to the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkillBound {
    /// The definition.
    pub definition: Arc<Skill>,
    /// Its hash.
    pub hash: SkillHash,
    /// Commits to the values of its parameters, an object, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Commitment>,
}

/// `routing`: a router's evidence and how the route did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingOutcome {
    /// The evidence.
    pub evidence: RoutingEvidence,
    /// How long the turn took.
    pub latency_ms: u64,
    /// What came of the turn.
    pub status: RoutingStatus,
    /// The turn: the entry before this one.
    pub turn: EntryId,
}

/// What came of a turn that a router chose a model for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoutingStatus {
    /// It asked for something.
    Proposed,
    /// It answered, or said something, and asked for nothing.
    Answered,
    /// All that it asked for could not be made an intent.
    Malformed,
    /// It was empty.
    Empty,
    /// There was none: cognition failed.
    Failed,
}
words!(RoutingStatus, "routing status", {
    Proposed = "proposed", Answered = "answered", Malformed = "malformed", Empty = "empty", Failed = "failed",
});

/// `erasure`: the salt and bytes of blobs were dropped. Ids and hashes stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// What was erased.
    pub blobs: Vec<Erased>,
    /// Who asked for it.
    pub by: NamedKey,
    /// Why: a reference that may be kept, such as the number of a request.
    pub reason: String,
}

/// One erased blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// The blob.
    pub commitment: Commitment,
    /// The entry that introduced it.
    pub entry: EntryId,
}

/// `checkpoint`: a Merkle root over the entries of this trajectory up to here (RFC 6962's tree, with BLAKE3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How many entries it covers, from seq 0 on.
    pub length: u64,
    /// The place of the last of them in the store.
    pub position: u64,
    /// The root.
    pub root: CheckpointHash,
}

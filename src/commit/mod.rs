//! What happened: the record of a change, what a tool observed, and the change itself.

mod delta;

pub use delta::{Change, Delta, DeltaOp};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    canon::{Commitment, EntryId, WorldRoot},
    contract::ToolName,
    proposal::Proposal,
    writ::Amounts,
};

/// The only record that changes a world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The entry whose effect this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensates: Option<EntryId>,
    /// What it cost.
    pub cost: Amounts,
    /// The change, in order.
    pub delta: Vec<DeltaOp>,
    /// What the tool observed.
    pub observation: Observation,
    /// Where the proposal stands: here, or in a dispatch before.
    pub origin: Origin,
    /// How to undo it, where the tool said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// The root of the world after the change.
    pub world_root: WorldRoot,
}

/// Where the proposal of an outcome stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the dispatch entry that was made durable before the tool ran.
    Dispatch(EntryId),
    /// Here: the tool touches only the world, so nothing was done before this entry.
    Proposal(Arc<Proposal>),
}

/// What a tool observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// JSON pointers of numbers in the output that were recorded as decimal strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalised: Vec<String>,
    /// Commits to the output.
    pub output: Commitment,
}

/// A call that undoes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Commits to its arguments.
    pub args: Commitment,
    /// The tool.
    pub tool: ToolName,
}

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;

use super::CancelToken;
use crate::{
    canon::{FileHash, ProposalId},
    commit::Delta,
    contract::ToolName,
    host::Spawn,
    world::ResourceId,
    writ::Amounts,
};

/// Everything that a tool is given for one call: owned copies, nothing to reach further with.
#[derive(Clone)]
pub struct Call {
    /// The arguments, as they were decided upon.
    pub args: Value,
    /// The resources that [`super::ToolContract::reads`] named.
    pub reads: Reads,
    /// What [`super::ToolContract::probe`] found when the call was decided. Check it again before acting.
    pub probe: Option<FileHash>,
    /// The proposal: the same on every attempt, so it serves as an idempotency key elsewhere.
    pub proposal: ProposalId,
    /// How long the call may take.
    pub deadline: Duration,
    /// Tells that the run was cancelled or the deadline has passed.
    pub cancel: CancelToken,
    /// Where blocking work goes.
    pub spawn: Arc<dyn Spawn>,
}

/// The resources that a tool is given, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reads(BTreeMap<(String, String), ReadResource>);

/// One resource as a tool is given it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadResource {
    /// Its version; 0 when there is none.
    pub version: u64,
    /// Its value; absent when there is none, or when it was erased.
    pub value: Option<Arc<Value>>,
}

impl Reads {
    /// Adds a resource.
    pub fn insert(&mut self, id: &ResourceId, version: u64, value: Option<Arc<Value>>) {
        self.0.insert((id.kind().to_owned(), id.id().to_owned()), ReadResource { version, value });
    }

    /// The version of a resource; 0 when there is none or it was not asked for.
    pub fn version(&self, id: &ResourceId) -> u64 {
        self.find(id).map_or(0, |read| read.version)
    }

    /// The value of a resource.
    pub fn value(&self, id: &ResourceId) -> Option<&Value> {
        self.find(id)?.value.as_deref()
    }

    fn find(&self, id: &ResourceId) -> Option<&ReadResource> {
        self.0.get(&(id.kind().to_owned(), id.id().to_owned()))
    }
}

/// What a tool returns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolOutput {
    /// What it observed; what the model gets to see.
    pub output: Value,
    /// How the world changes.
    pub delta: Delta,
    /// What the call really cost, beside the time it took; `None` for what was quoted.
    pub cost: Option<Amounts>,
    /// The call that undoes this one.
    pub undo: Option<(ToolName, Value)>,
}

impl ToolOutput {
    /// An observation that changes nothing.
    pub fn new(output: impl Into<Value>) -> Self {
        Self { output: output.into(), ..Self::default() }
    }

    /// Adds a change of the world.
    #[must_use]
    pub fn with_delta(mut self, delta: Delta) -> Self {
        self.delta = delta;
        self
    }

    /// Says how to undo the call.
    #[must_use]
    pub fn undone_by(mut self, tool: ToolName, args: Value) -> Self {
        self.undo = Some((tool, args));
        self
    }
}

/// Why a tool did not return an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// Nothing happened, and the tool vouches for that. It may be tried again.
    #[error("{0}")]
    NotDone(String),
    /// Something failed, and whether the effect happened is not known.
    #[error("{0}")]
    Failed(String),
}

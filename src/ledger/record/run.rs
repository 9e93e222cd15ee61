use serde::{Deserialize, Serialize};

use crate::{
    canon::{
        CanonError, Commitment, ContractHash, EntryId, IntentId, Nonce, PolicySetHash, StoreId, TrajectoryId,
        WorldRoot, WritId, at_most, domain, words,
    },
    crypto::Signature,
    intent::IntentRecord,
    writ::{Amounts, MAX_CHAIN_LINKS, SignedWrit},
};

/// What the subject of a writ signs to start a run; its hash is the trajectory's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartStatement {
    /// Where a branch or a delegated run comes from; absent for a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Link>,
    /// Makes equal starts different runs.
    pub nonce: Nonce,
    /// The store that the run belongs to.
    pub store: StoreId,
    /// Commits to the task.
    pub task: Commitment,
    /// The writ in use.
    pub writ: WritId,
}

/// Where a trajectory comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Link {
    /// It branches off another.
    Branch(BranchPoint),
    /// It was delegated.
    Delegation {
        /// The intent that asked for it.
        intent: IntentId,
        /// The delegating trajectory.
        trajectory: TrajectoryId,
    },
}

/// A place on another trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchPoint {
    /// The entry.
    pub entry: EntryId,
    /// Its seq.
    pub seq: u64,
    /// The trajectory.
    pub trajectory: TrajectoryId,
}

impl StartStatement {
    /// The start of the child that an intent asks for. Its nonce is the intent's, so that one intent starts one child.
    pub fn of_child(
        store: StoreId,
        parent: TrajectoryId,
        (intent, nonce): (IntentId, Nonce),
        task: Commitment,
        writ: WritId,
    ) -> Self {
        Self { from: Some(Link::Delegation { intent, trajectory: parent }), nonce, store, task, writ }
    }

    /// The trajectory that the statement starts.
    ///
    /// # Errors
    /// Never for ids; the signature is that of every sealing.
    pub fn trajectory(&self) -> Result<TrajectoryId, CanonError> {
        Ok(TrajectoryId(domain::TRAJECTORY.hash_sealed(self)?))
    }
}

/// `root`: the start of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// The writ chain, root first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_CHAIN_LINKS>")]
    pub chain: Vec<SignedWrit>,
    /// The contracts of all registered tools, by name of tool.
    pub contracts: Vec<ContractHash>,
    /// The policy set in force.
    pub policy_set: PolicySetHash,
    /// The subject's signature over the trajectory's id.
    pub signature: Signature,
    /// What was signed.
    pub start: StartStatement,
}

/// `branch`: the start of a branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchStart {
    /// As for a run; `start.from` is the branch point.
    pub run: RunStart,
    /// The root of the world that it starts from.
    pub world_root: WorldRoot,
}

/// `turn_start`: cognition is about to be asked, and this much is held for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnStart {
    /// The cognition's own name for itself: provider and model.
    pub cognition: String,
    /// How many past outcomes it was not told, since they did not fit.
    #[serde(default, skip_serializing_if = "nothing")]
    pub omitted: u64,
    /// What is held until the turn is recorded.
    pub reserved: Amounts,
    /// The number of the step, from 0.
    pub step: u64,
}

fn nothing(number: &u64) -> bool {
    *number == 0
}

/// `turn`: what cognition proposed, and what asking cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Commits to the final answer, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Commitment>,
    /// The provider and model that answered, where it is not the one that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// Commits to what the provider needs back with the next turn, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<Commitment>,
    /// Why there is no turn, where cognition failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TurnError>,
    /// The intents, in the order in which they were emitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<IntentRecord>,
    /// Requests that could not be made intents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malformed: Vec<MalformedRequest>,
    /// The entry that opened the turn.
    pub start: EntryId,
    /// Commits to the text beside the intents, where there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Commitment>,
    /// The tokens by kind, where the provider told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenUsage>,
    /// What it cost.
    pub usage: Amounts,
}

/// Tokens by kind, as a provider counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenUsage {
    /// Read from the provider's cache; part of the input.
    pub cached: u64,
    /// Read.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Spent on reasoning; part of the output.
    pub reasoning: u64,
}

/// A request that could not be made an intent: its tool or arguments cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MalformedRequest {
    /// Its place among the turn's requests, from 0.
    pub index: u64,
    /// Commits to what is wrong with it.
    pub reason: Commitment,
}

/// A turn that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnError {
    /// A short stable code.
    pub code: String,
    /// Commits to the message.
    pub message: Commitment,
}

/// `resumed`: the run was taken up again by another process or after a suspension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resumed {
    /// The contracts of all tools that are registered now, by name of tool.
    pub contracts: Vec<ContractHash>,
    /// What is debited for the abandoned turn: all that was held for it.
    pub debited: Amounts,
    /// Dispatches without an outcome: their effects are in doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_doubt: Vec<EntryId>,
    /// The policy set in force now.
    pub policy_set: PolicySetHash,
    /// The turn that was under way and is abandoned, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<EntryId>,
}

/// `terminated`: the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminated {
    /// Commits to the final answer, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Commitment>,
    /// More about the reason: the budget's dimension, the limit, the error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why.
    pub reason: EndReason,
    /// What the run spent in all.
    pub spent: Amounts,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// Cognition gave its final answer.
    Completed,
    /// The host ended it.
    Closed,
    /// It was cancelled.
    Cancelled,
    /// A dimension of the budget is used up.
    BudgetExhausted,
    /// A limit of the drive was reached.
    LimitReached,
    /// Cognition failed.
    CognitionFailed,
    /// Its authority ended: the writ expired or was revoked.
    AuthorityEnded,
}
words!(EndReason, "end reason", {
    Completed = "completed", Closed = "closed", Cancelled = "cancelled", BudgetExhausted = "budget_exhausted",
    LimitReached = "limit_reached", CognitionFailed = "cognition_failed", AuthorityEnded = "authority_ended",
});

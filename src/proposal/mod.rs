//! What the compiler makes of an intent, and why.

mod claim;
mod decision;
mod quote;
mod refusal;
mod routing;

pub use claim::{Claim, ClaimState};
pub use decision::{ApprovalEvidence, AssertedVerdict, Decision, PolicyTrace, Status, Verdict};
pub use quote::{ChildQuote, PreconditionFault, Quote, Read, SecretFault};
pub use refusal::{Code, MAX_REFUSAL_BYTES, Refusal, Stage};
pub use routing::{MAX_ALTERNATIVES, MAX_ROUTE_BYTES, RouteEstimate, RoutingEvidence};

use serde::{Deserialize, Serialize};

use crate::{
    canon::{CanonError, Commitment, ContractHash, IntentId, ProposalId, TrajectoryId, WritId, domain},
    intent::IntentRecord,
};

/// An intent with what was decided about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// What was decided, and from what.
    pub decision: Decision,
    /// What was asked.
    pub intent: IntentRecord,
    /// What it resolved to; absent when it was refused before it resolved to a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// The writ in use.
    pub writ: WritId,
}

/// What an intent resolved to: the part of a proposal that no later compile can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// The tool's contract.
    pub contract: ContractHash,
    /// The proposal's id.
    pub id: ProposalId,
    /// What is to be done.
    pub plan: Plan,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Plan {
    /// Call the tool with the intent's arguments.
    Call,
    /// Run a child under a minted writ.
    Delegate {
        /// The child's task.
        task: Commitment,
        /// The child's writ.
        writ: WritId,
    },
}

impl Resolved {
    /// Names the proposal to carry out `plan` for an intent on a trajectory.
    ///
    /// # Errors
    /// Never for ids; the signature is that of every sealing.
    pub fn new(
        trajectory: TrajectoryId,
        intent: IntentId,
        writ: WritId,
        contract: ContractHash,
        plan: Plan,
    ) -> Result<Self, CanonError> {
        #[derive(Serialize)]
        struct Identity {
            contract: ContractHash,
            intent: IntentId,
            plan: Plan,
            trajectory: TrajectoryId,
            writ: WritId,
        }
        let id = domain::PROPOSAL.hash_sealed(&Identity { contract, intent, plan, trajectory, writ })?;
        Ok(Self { contract, id: ProposalId(id), plan })
    }
}

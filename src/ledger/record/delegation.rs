use serde::{Deserialize, Serialize};

use super::EndReason;
use crate::{
    canon::{Commitment, EntryId, TrajectoryId},
    commit::Origin,
    writ::Amounts,
};

/// `delegation`: a child run was started; stored in one batch with the child's root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegated {
    /// The child's trajectory.
    pub child: TrajectoryId,
    /// The budget of its writ.
    pub granted: Amounts,
    /// Where the proposal to delegate stands.
    pub origin: Origin,
}

/// `delegation_result`: a child run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegationResult {
    /// Commits to the child's answer, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Commitment>,
    /// The entry that started the child.
    pub delegation: EntryId,
    /// The entry that ended the child.
    pub head: EntryId,
    /// Why the child ended.
    pub reason: EndReason,
    /// The seq of the entry that ended the child.
    pub seq: u64,
    /// What the child spent itself.
    pub spent: Amounts,
}

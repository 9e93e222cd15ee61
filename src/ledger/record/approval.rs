use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    canon::{
        CanonError, Commitment, DecisionHash, EntryId, Nonce, PolicySetHash, ProposalId, RosterHash, StatementHash,
        domain,
    },
    crypto::{NamedKey, Purpose, Signature},
    proposal::Proposal,
    writ::Amounts,
};

/// `pending_approval`: a proposal that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingApproval {
    /// When the request lapses, in milliseconds since 1970; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// What waits; its decision names the channel and the reason.
    pub proposal: Arc<Proposal>,
}

/// `vote`: one approver's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Commits to a note, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Commitment>,
    /// The entry that it answers.
    pub pending: EntryId,
    /// The approver's signature over the statement's hash; absent for the bare yes of an operator at the terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What was signed.
    pub statement: VoteStatement,
}

impl Vote {
    /// Whether its signature verifies under the key that it names; a vote that names none has none.
    pub fn is_signed(&self) -> bool {
        match (&self.statement.approver, &self.signature) {
            (Some(named), Some(signature)) => {
                let verified = |hash: StatementHash| named.key.verify(Purpose::Vote, hash.as_bytes(), signature);
                self.statement.hash().is_ok_and(|hash| verified(hash).is_ok())
            }
            (approver, signature) => approver.is_none() && signature.is_none(),
        }
    }
}

/// What an approver signs. It binds the proposal, the decision with its reads, the policy set and the roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteStatement {
    /// Whether it approves.
    pub approve: bool,
    /// Who votes; absent for the operator at the terminal, who shows no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<NamedKey>,
    /// The decision that was shown.
    pub decision: DecisionHash,
    /// When the vote lapses, in milliseconds since 1970.
    pub expires_at_ms: u64,
    /// Makes equal votes different.
    pub nonce: Nonce,
    /// The policy set that asked.
    pub policy_set: PolicySetHash,
    /// The proposal.
    pub proposal: ProposalId,
    /// The roster that names the approver; absent when no roster is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<RosterHash>,
}

impl VoteStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for ids and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

/// `approval_outcome`: how a request for approval ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalOutcome {
    /// How.
    pub outcome: Outcome,
    /// The request.
    pub pending: EntryId,
    /// What was held for it and is released.
    #[serde(default, skip_serializing_if = "released_nothing")]
    pub released: Amounts,
    /// The votes that decided, in the order in which they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<EntryId>,
}

fn released_nothing(amounts: &Amounts) -> bool {
    *amounts == Amounts::ZERO
}

/// How a request for approval ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The quorum approved.
    Approved,
    /// Somebody denied.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// The run ended first.
    Withdrawn,
}

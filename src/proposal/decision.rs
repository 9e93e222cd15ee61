use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Claim, Code, Quote, Refusal};
use crate::{
    canon::{CanonError, DecisionHash, KeyId, PolicySetHash, RosterHash, domain},
    writ::Amounts,
};

/// What was decided about a proposal, and every input that is not named elsewhere in its entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The votes that counted, by channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalEvidence>,
    /// Whether schemas were not judged, but only the tools' own types: the build had no feature `schema`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asserted_schema: bool,
    /// What every writ of the chain had left, root first.
    pub balances: Vec<Amounts>,
    /// The earlier call with the same business key, where there was one when it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// What the clock said, where it was behind `now_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ms: Option<u64>,
    /// The version of the compiler's semantics.
    pub compiler: u32,
    /// The time it was judged at, in milliseconds since 1970: the later of the clock and the latest time on record.
    pub now_ms: u64,
    /// The policy set it was judged by.
    pub policy_set: PolicySetHash,
    /// What the tool said before; absent when the proposal was refused before the tool was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// The outcome.
    pub status: Status,
    /// What led to it.
    #[serde(default, skip_serializing_if = "PolicyTrace::is_empty")]
    pub trace: PolicyTrace,
}

impl Decision {
    /// The decision's hash, which votes bind to.
    ///
    /// # Errors
    /// When a recorded read cannot be sealed.
    pub fn hash(&self) -> Result<DecisionHash, CanonError> {
        Ok(DecisionHash(domain::DECISION.hash_sealed(self)?))
    }

    /// Whether it rests on a verdict of Rust code, which is recorded and cannot be derived: of a policy, or of the tool when it
    /// was asked.
    pub fn rests_on_code(&self) -> bool {
        let unasked = matches!(&self.status, Status::Rejected(refusal) if refusal.code == Code::QuoteUnavailable);
        let by_tool = self.quote.as_ref().is_some_and(|quote| {
            let fault = quote.arguments.is_some() || quote.precondition.is_some() || quote.secret.is_some();
            fault || self.asserted_schema
        });
        unasked || by_tool || !self.trace.asserted.is_empty() || !self.trace.failed.is_empty()
    }
}

/// The outcome of a compile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Status {
    /// It may be carried out.
    Staged,
    /// It waits for approval.
    Suspended {
        /// Who is asked.
        channel: String,
        /// Why.
        reason: String,
    },
    /// It is refused.
    Rejected(Refusal),
}

/// The rules that fired and those that could not be judged, by index into the policy set's rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyTrace {
    /// What policies written in Rust said: recorded, not derivable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asserted: Vec<AssertedVerdict>,
    /// Policies written in Rust that failed, by index into the set's policies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<u32>,
    /// Rules whose condition held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fired: Vec<u32>,
    /// Rules whose condition could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<u32>,
}

impl PolicyTrace {
    /// Whether nothing fired, failed, was unknown or was asserted.
    pub fn is_empty(&self) -> bool {
        self.asserted.is_empty() && self.failed.is_empty() && self.fired.is_empty() && self.unknown.is_empty()
    }
}

/// What one policy written in Rust said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertedVerdict {
    /// The policy, by index into the set's policies.
    pub policy: u32,
    /// What it said.
    pub verdict: Verdict,
}

/// What a policy says of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// Nothing against it.
    Permit,
    /// It must not happen.
    Deny {
        /// Why.
        reason: String,
    },
    /// It must be approved.
    RequireApproval {
        /// Who is to be asked.
        channel: String,
        /// Why.
        reason: String,
    },
}

/// The votes on a suspended proposal, as counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalEvidence {
    /// The distinct keys that approved.
    pub approved: Vec<KeyId>,
    /// The channel on which they were asked.
    pub channel: String,
    /// The distinct keys that denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<KeyId>,
    /// Whether the operator at the terminal said yes, without a key: counts where one approval suffices.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator_present: bool,
    /// How many approvals the channel needs.
    pub quorum: u32,
    /// The roster that named the approvers; absent when no roster is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<RosterHash>,
}

impl ApprovalEvidence {
    /// Whether it has as many approvals as its channel needs, of distinct keys, and nobody denied.
    pub fn is_met(&self) -> bool {
        let votes = self.approved.iter().collect::<BTreeSet<_>>().len();
        let present = self.operator_present && self.quorum == 1;
        let quorum = self.quorum > 0 && votes as u64 >= u64::from(self.quorum);
        self.denied.is_empty() && (quorum || present)
    }
}

use serde::{Deserialize, Serialize};

use crate::{
    canon::{BundleHash, CanonError, LimitError, domain},
    predicate::Predicate,
    proposal::Verdict,
};

/// The most rules that a bundle may have.
pub const MAX_RULES: usize = 4_096;
/// The most bytes that the name of a bundle, a rule or a channel may have.
pub const MAX_NAME_BYTES: usize = 256;
/// The most bytes that the reason of a rule may have.
pub const MAX_REASON_BYTES: usize = 4_096;

/// One declarative rule: a condition, and what is decided where it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is decided.
    pub decision: Verdict,
    /// The rule's name, unique in its bundle.
    pub name: String,
    /// The condition.
    pub when: Predicate,
}

impl Rule {
    /// Checks that the rule is no larger than one may be.
    pub(super) fn check_limits(&self) -> Result<(), LimitError> {
        LimitError::check("bytes in a name", self.name.len(), MAX_NAME_BYTES)?;
        let (channel, reason) = match &self.decision {
            Verdict::Permit => ("", ""),
            Verdict::Deny { reason } => ("", reason.as_str()),
            Verdict::RequireApproval { channel, reason } => (channel.as_str(), reason.as_str()),
        };
        LimitError::check("bytes in a channel", channel.len(), MAX_NAME_BYTES)?;
        LimitError::check("bytes in a reason", reason.len(), MAX_REASON_BYTES)?;
        self.when.check_limits().map(drop)
    }
}

/// Rules that are written, signed and loaded together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The bundle's name.
    pub name: String,
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// The bundle's version, for people.
    pub version: String,
}

impl Bundle {
    /// The hash of the whole bundle, which its signature covers.
    ///
    /// # Errors
    /// When a rule compares with a value that cannot be sealed.
    pub fn hash(&self) -> Result<BundleHash, CanonError> {
        Ok(BundleHash(domain::BUNDLE.hash_sealed(self)?))
    }
}

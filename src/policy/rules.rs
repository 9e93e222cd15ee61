use serde::{Deserialize, Serialize};

use crate::{
    canon::{BundleHash, CanonError, domain, to_canonical},
    predicate::Predicate,
    proposal::Verdict,
};

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
        Ok(BundleHash(domain::BUNDLE.hash(&[&to_canonical(self)?])))
    }
}

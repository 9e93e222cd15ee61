use std::sync::Arc;

use crate::crypto::Secret;

/// A secret that was found, and what stands in its place now.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Arc<str>,
    /// What stands in its place.
    pub placeholder: String,
    /// The secret. It is never printed or serialised.
    pub plaintext: Secret,
}

/// The secrets that were found in one text or value: held in memory only.
#[derive(Debug, Clone, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was found, in the order in which it was found.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// The secret behind a placeholder.
    pub fn plaintext(&self, placeholder: &str) -> Option<&Secret> {
        self.0.iter().find(|finding| finding.placeholder == placeholder).map(|finding| &finding.plaintext)
    }

    /// Adds what was found elsewhere.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if self.plaintext(&finding.placeholder).is_none() {
            self.0.push(finding);
        }
    }
}

use std::{collections::BTreeMap, sync::Arc};

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
pub struct Findings(BTreeMap<String, Finding>);

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many different secrets were found.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What was found, each secret once, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.values()
    }

    /// The secret behind a placeholder.
    pub fn plaintext(&self, placeholder: &str) -> Option<&Secret> {
        self.0.get(placeholder).map(|finding| &finding.plaintext)
    }

    /// Adds what was found elsewhere.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.0.entry(finding.placeholder.clone()).or_insert(finding);
    }
}

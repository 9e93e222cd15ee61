use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    canon::{CanonError, RosterHash, domain},
    crypto::NamedKey,
};

/// Who may approve on which channel, and how many must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// By channel.
    pub channels: BTreeMap<String, Quorum>,
    /// The roster's version, for people.
    pub version: String,
}

/// The approvers of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// Who may vote.
    pub approvers: Vec<NamedKey>,
    /// How many distinct approvals are needed.
    pub required: u32,
}

impl Quorum {
    /// Whether at least one approval is needed, and no more than there are distinct approvers.
    pub fn can_be_met(&self) -> bool {
        let mut keys: Vec<_> = self.approvers.iter().map(|named| named.key).collect();
        keys.sort_unstable();
        keys.dedup();
        self.required > 0 && u64::from(self.required) <= keys.len() as u64
    }
}

impl Roster {
    /// The roster's hash.
    ///
    /// # Errors
    /// Never for keys and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<RosterHash, CanonError> {
        Ok(RosterHash(domain::ROSTER.hash_sealed(self)?))
    }
}

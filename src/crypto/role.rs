use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::PublicKey;
use crate::canon::words;

/// What a key may do in a store. A key acts only in its roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Issues root writs.
    WritIssuer,
    /// Signs policy bundles and rosters of approvers.
    PolicyIssuer,
    /// Votes.
    Approver,
    /// Signs entries.
    Runtime,
}
words!(Role, "role", {
    WritIssuer = "writ_issuer", PolicyIssuer = "policy_issuer", Approver = "approver", Runtime = "runtime",
});

/// Which keys act in which roles: the roots of trust as they stand at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    keys: BTreeMap<PublicKey, BTreeSet<Role>>,
}

impl Trust {
    /// Gives a key a role.
    pub fn add(&mut self, key: PublicKey, role: Role) {
        self.keys.entry(key).or_default().insert(role);
    }

    /// Takes a role from a key.
    pub fn remove(&mut self, key: &PublicKey, role: Role) {
        if let Some(roles) = self.keys.get_mut(key) {
            roles.remove(&role);
        }
    }

    /// Whether a key has a role.
    pub fn has(&self, key: &PublicKey, role: Role) -> bool {
        self.keys.get(key).is_some_and(|roles| roles.contains(&role))
    }

    /// The keys of a role.
    pub fn keys(&self, role: Role) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().filter(move |(_, roles)| roles.contains(&role)).map(|(key, _)| key)
    }
}

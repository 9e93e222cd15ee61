use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    canon::{
        CanonError, Commitment, ContractHash, Nonce, PolicySetHash, RosterHash, StatementHash, StoreId, TrajectoryId,
        WritId, domain,
    },
    contract::Contract,
    crypto::{NamedKey, PublicKey, Role, Signature},
    policy::Roster,
    proposal::Refusal,
};

/// `genesis`: the first entry of a store. The hash of its record is the store's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Makes every store another one.
    pub nonce: Nonce,
    /// The key that signs entries; absent in a store that is run unsigned.
    pub runtime: Option<NamedKey>,
    /// Name and version of the software that made the store.
    pub software: String,
}

/// `trust_root`: a key was given roles, or they were taken from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRoot {
    /// Whether roles are given or taken.
    pub change: TrustChange,
    /// The key.
    pub root: NamedKey,
    /// The roles.
    pub roles: Vec<Role>,
}

/// Whether roles are given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustChange {
    /// Given.
    Added,
    /// Taken.
    Removed,
}

/// `key_rotation`: a key was replaced, or is invalid from an entry on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// Signature over the statement's hash: by the old key, or by a root when the old key is compromised.
    pub signature: Signature,
    /// Who signed.
    pub signed_by: PublicKey,
    /// What was signed.
    pub statement: RotationStatement,
}

impl KeyRotation {
    /// Whether the entry that holds it is signed by the key that takes over: when it is a runtime's key that is replaced,
    /// and another than the old one says so, since the old one may be lost or in wrong hands.
    pub fn is_sealed_by_the_new_key(&self) -> bool {
        self.statement.role == Role::Runtime && self.signed_by != self.statement.old
    }
}

/// What is signed to replace a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationStatement {
    /// The position in the store from which on the old key proves nothing; absent when it is not compromised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_from: Option<u64>,
    /// The key that takes over.
    pub new: NamedKey,
    /// The key that is replaced.
    pub old: PublicKey,
    /// The role.
    pub role: Role,
    /// The store in which it is replaced.
    pub store: StoreId,
}

impl RotationStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for keys and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

/// `revocation`: a writ and all below it are void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Signature over the statement's hash, by the key it names.
    pub signature: Signature,
    /// What was signed.
    pub statement: RevocationStatement,
}

/// What is signed to revoke a writ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationStatement {
    /// Who revokes: a trusted writ issuer.
    pub by: NamedKey,
    /// Why.
    pub reason: String,
    /// The writ.
    pub writ: WritId,
}

impl RevocationStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for keys and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

/// `policy_set`: a policy set came into force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySetRecord {
    /// The whole definition: bundles, descriptors of Rust policies, gates. `policy::PolicySetDefinition` reads it.
    pub definition: Value,
    /// Its hash.
    pub hash: PolicySetHash,
}

/// `contract`: a tool's contract, recorded before anything is decided under it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractRecord {
    /// The contract.
    pub definition: Contract,
    /// Its hash.
    pub hash: ContractHash,
}

/// `roster`: a roster came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterRecord {
    /// The roster's hash.
    pub hash: RosterHash,
    /// The roster.
    pub roster: Roster,
    /// Signature over the hash.
    pub signature: Signature,
    /// Who signed: a trusted policy issuer.
    pub signed_by: PublicKey,
}

/// `run_opened`: a trajectory exists; stored in one batch with its first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOpened {
    /// The trajectory.
    pub trajectory: TrajectoryId,
    /// The writ in use.
    pub writ: WritId,
}

/// `start_refused`: a start that was refused; there is no trajectory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRefused {
    /// Why.
    pub refusal: Refusal,
    /// Commits to the task.
    pub task: Commitment,
    /// The writ that was presented, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writ: Option<WritId>,
}

/// `clock_reset`: a root accepted a clock that is behind what was recorded. The entry's time is the reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockReset {
    /// Signature over the statement's hash, by the key it names.
    pub signature: Signature,
    /// What was signed.
    pub statement: ClockResetStatement,
}

/// What is signed to reset the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockResetStatement {
    /// Who accepts it: a trusted writ issuer.
    pub by: NamedKey,
    /// The latest time on record before, in milliseconds since 1970.
    pub high_water_ms: u64,
    /// What the clock says, which is earlier.
    pub reading_ms: u64,
    /// The store in which it is accepted.
    pub store: StoreId,
}

impl ClockResetStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for keys and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

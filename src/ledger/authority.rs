//! The fold of the authority trajectory: what is trusted, revoked and in force at one epoch.

use std::collections::BTreeSet;

use super::{
    Entry, EntryError, Kind, Position,
    record::{
        ClockReset, ClockResetStatement, Genesis, KeyRotation, PolicySetRecord, Revocation, RosterRecord,
        RotationStatement, TrustChange, TrustRoot,
    },
};
use crate::{
    canon::{CanonError, EntryId, KeyId, PolicySetHash, StoreId, TrajectoryId, WritId, domain, misshapen},
    crypto::{NamedKey, PublicKey, Purpose, Role, SignatureError, Trust},
    policy::PolicySetDefinition,
};

/// Why an authority entry has no force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The entry's parts do not belong together.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A statement cannot be sealed.
    #[error(transparent)]
    Seal(#[from] CanonError),
    /// A statement's signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A statement is signed by a key without the role for it.
    #[error("key {key} does not have the role {role}")]
    Role {
        /// The key.
        key: PublicKey,
        /// The role that it would need.
        role: Role,
    },
    /// A definition does not have the hash that the entry gives.
    #[error("the definition does not match the hash beside it")]
    Definition,
    /// The first entry is no genesis, or a later one is.
    #[error("a store begins with one genesis entry")]
    Genesis,
    /// A channel of a roster asks for no approval, or for more than there are approvers.
    #[error("a channel needs at least one approval, and no more than it has approvers")]
    Quorum,
    /// A rotation is meant for another store.
    #[error("the statement is meant for another store")]
    Store,
    /// A rotation names a key that is not the one in use.
    #[error("key {key} is not in use")]
    NotInUse {
        /// The key.
        key: PublicKey,
    },
    /// A rotation to a key that was replaced before, or that is compromised.
    #[error("key {key} was replaced before, and does not come back")]
    Replaced {
        /// The key.
        key: PublicKey,
    },
    /// A reset of a clock that is not behind, or one whose entry has another time than it says.
    #[error("a clock is reset to what it says, and only when that is behind the latest time on record")]
    Clock,
}

/// A key of which an entry says from where on it proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compromised {
    /// The key.
    pub key: PublicKey,
    /// The position in the store from which on it proves nothing.
    pub from: Position,
    /// The seq of the authority entry that says so.
    pub seq: u64,
    /// The key that takes over, by the word of the root that says so.
    pub successor: PublicKey,
}

/// A reset of the clock that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The seq of its entry on the authority trajectory.
    pub seq: u64,
    /// What was signed.
    pub statement: ClockResetStatement,
}

/// The authority of a store at one epoch: the fold of its authority entries up to there.
#[derive(Debug, Clone)]
pub struct AuthorityState {
    /// The entry that opened the epoch.
    pub epoch: EntryId,
    /// Its seq on the authority trajectory.
    pub epoch_seq: u64,
    /// The last reset of the clock.
    pub clock_reset: Option<Reset>,
    /// The keys that are compromised, in the order in which that was recorded.
    pub compromised: Vec<Compromised>,
    /// The policy set in force.
    pub policy_set: Option<PolicySetHash>,
    /// The writs that are revoked.
    pub revoked: BTreeSet<WritId>,
    /// The roster in force.
    pub roster: Option<RosterRecord>,
    /// The keys that sign or signed entries, oldest first; empty in a store that is run unsigned.
    pub runtime_keys: Vec<NamedKey>,
    /// The roots of trust.
    pub trust: Trust,
}

impl Default for AuthorityState {
    /// Before the genesis: nothing is trusted.
    fn default() -> Self {
        Self {
            epoch: EntryId::ZERO,
            epoch_seq: 0,
            clock_reset: None,
            compromised: Vec::new(),
            policy_set: None,
            revoked: BTreeSet::new(),
            roster: None,
            runtime_keys: Vec::new(),
            trust: Trust::default(),
        }
    }
}

impl AuthorityState {
    /// The id of a store, from the record of its genesis entry.
    pub fn store_id(genesis_record: &[u8]) -> StoreId {
        StoreId(domain::STORE.hash(&[genesis_record]))
    }

    /// The authority trajectory of a store.
    pub fn trajectory(store: StoreId) -> TrajectoryId {
        TrajectoryId(domain::AUTHORITY.hash(&[store.as_bytes()]))
    }

    /// The key that signs entries now.
    pub fn runtime_key(&self) -> Option<&NamedKey> {
        self.runtime_keys.last()
    }

    /// The key that signs entries now, if it has this id: a key that was replaced signs nothing more.
    pub fn signing_key(&self, id: &KeyId) -> Option<&NamedKey> {
        self.runtime_key().filter(|named| named.key.id() == *id)
    }

    /// Applies the next entry that opens an epoch; others are left aside.
    ///
    /// # Errors
    /// When the entry has no force: a statement in it is not signed by a key with the role for it.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), AuthorityError> {
        let Some(kind) = entry.header.known_kind().filter(|kind| kind.opens_epoch()) else { return Ok(()) };
        if (kind == Kind::Genesis) != (self.epoch == EntryId::ZERO) {
            return Err(AuthorityError::Genesis);
        }
        match kind {
            Kind::Genesis => self.runtime_keys.extend(entry.body::<Genesis>()?.runtime),
            Kind::TrustRoot => self.change_trust(entry.body()?),
            Kind::KeyRotation => self.rotate(entry, entry.body()?)?,
            Kind::Revocation => self.revoke(&entry.body()?)?,
            Kind::PolicySet => self.set_policies(&entry.body()?)?,
            Kind::Roster => self.set_roster(entry.body()?)?,
            Kind::ClockReset => self.reset_clock(entry, entry.body()?)?,
            _ => {}
        }
        self.epoch = entry.id();
        self.epoch_seq = entry.header.seq;
        Ok(())
    }

    fn need(&self, key: &PublicKey, role: Role) -> Result<(), AuthorityError> {
        if self.trust.has(key, role) { Ok(()) } else { Err(AuthorityError::Role { key: *key, role }) }
    }

    fn change_trust(&mut self, record: TrustRoot) {
        for role in record.roles {
            match record.change {
                TrustChange::Added => self.trust.add(record.root.key, role),
                TrustChange::Removed => self.trust.remove(&record.root.key, role),
            }
        }
    }

    fn rotate(&mut self, entry: &Entry, record: KeyRotation) -> Result<(), AuthorityError> {
        let KeyRotation { signature, signed_by, statement } = record;
        if statement.store != entry.header.store {
            return Err(AuthorityError::Store);
        }
        signed_by.verify(Purpose::Rotation, statement.hash()?.as_bytes(), &signature)?;
        if signed_by != statement.old || statement.invalid_from.is_some() {
            self.need(&signed_by, Role::WritIssuer)?;
        }
        let new = statement.new.key;
        if new == statement.old || self.compromised.iter().any(|known| known.key == new) {
            return Err(AuthorityError::Replaced { key: new });
        }
        match statement.role {
            Role::Runtime => self.rotate_runtime(&statement)?,
            role => {
                self.need(&statement.old, role)?;
                self.trust.remove(&statement.old, role);
                self.trust.add(new, role);
            }
        }
        if let Some(from) = statement.invalid_from {
            let (seq, from) = (entry.header.seq, Position(from));
            self.compromise(Compromised { key: statement.old, from, seq, successor: new });
        }
        Ok(())
    }

    fn rotate_runtime(&mut self, statement: &RotationStatement) -> Result<(), AuthorityError> {
        let in_use = self.runtime_key().map(|named| named.key);
        let was_in_use = |key: &PublicKey| self.runtime_keys.iter().any(|named| named.key == *key);
        if in_use == Some(statement.old) {
            if was_in_use(&statement.new.key) {
                return Err(AuthorityError::Replaced { key: statement.new.key });
            }
            self.runtime_keys.push(statement.new.clone());
            if self.trust.has(&statement.old, Role::Runtime) {
                self.trust.remove(&statement.old, Role::Runtime);
                self.trust.add(statement.new.key, Role::Runtime);
            }
        } else if !was_in_use(&statement.old) || statement.invalid_from.is_none() || in_use != Some(statement.new.key) {
            // A key that was replaced before may still turn out to be compromised; nothing else can be said of it.
            return Err(AuthorityError::NotInUse { key: statement.old });
        }
        if statement.invalid_from.is_some() {
            // What the old key said last may not have been the runtime's: the new key states all of it again.
            self.trust = Trust::default();
            self.policy_set = None;
            self.roster = None;
        }
        Ok(())
    }

    fn compromise(&mut self, found: Compromised) {
        match self.compromised.iter_mut().find(|known| known.key == found.key) {
            Some(known) => known.from = known.from.min(found.from),
            None => self.compromised.push(found),
        }
    }

    fn reset_clock(&mut self, entry: &Entry, record: ClockReset) -> Result<(), AuthorityError> {
        let ClockReset { signature, statement } = record;
        if statement.store != entry.header.store {
            return Err(AuthorityError::Store);
        }
        self.need(&statement.by.key, Role::WritIssuer)?;
        statement.by.key.verify(Purpose::ClockReset, statement.hash()?.as_bytes(), &signature)?;
        if statement.reading_ms >= statement.high_water_ms || entry.header.time_ms != statement.reading_ms {
            return Err(AuthorityError::Clock);
        }
        self.clock_reset = Some(Reset { seq: entry.header.seq, statement });
        Ok(())
    }

    fn revoke(&mut self, record: &Revocation) -> Result<(), AuthorityError> {
        let by = record.statement.by.key;
        self.need(&by, Role::WritIssuer)?;
        by.verify(Purpose::Revocation, record.statement.hash()?.as_bytes(), &record.signature)?;
        self.revoked.insert(record.statement.writ);
        Ok(())
    }

    fn set_policies(&mut self, record: &PolicySetRecord) -> Result<(), AuthorityError> {
        if domain::POLICY_SET.hash_sealed(&record.definition)? != record.hash.0 {
            return Err(AuthorityError::Definition);
        }
        let definition: PolicySetDefinition = serde_json::from_value(record.definition.clone())
            .map_err(|error| EntryError::Shape { kind: Kind::PolicySet.to_string(), reason: misshapen(&error) })?;
        for signed in definition.signed() {
            self.need(&signed.issuer_pubkey, Role::PolicyIssuer)?;
            signed.issuer_pubkey.verify(Purpose::Policy, signed.policy.hash()?.as_bytes(), &signed.signature)?;
        }
        self.policy_set = Some(record.hash);
        Ok(())
    }

    fn set_roster(&mut self, record: RosterRecord) -> Result<(), AuthorityError> {
        if record.roster.hash()? != record.hash {
            return Err(AuthorityError::Definition);
        }
        if record.roster.channels.values().any(|quorum| !quorum.can_be_met()) {
            return Err(AuthorityError::Quorum);
        }
        self.need(&record.signed_by, Role::PolicyIssuer)?;
        record.signed_by.verify(Purpose::Roster, record.hash.as_bytes(), &record.signature)?;
        self.roster = Some(record);
        Ok(())
    }
}

use std::sync::Arc;

use super::{core::Core, error::RunError};
use crate::{
    canon::StoreId,
    crypto::{NamedKey, PublicKey, Purpose, Role, SignatureError},
    host::Signer,
    ledger::{
        Batch, Draft, Kind, Position,
        record::{KeyRotation, PolicySetRecord, RosterRecord, RotationStatement, TrustChange, TrustRoot},
    },
    policy::{PolicySet, SignedRoster, VerifiedRoster},
};

/// The replacement of one key by another.
#[derive(Clone)]
pub struct Rotation {
    pub(super) roles: Vec<Role>,
    pub(super) old: PublicKey,
    pub(super) new: NamedKey,
    pub(super) signer: Option<Arc<dyn Signer>>,
    pub(super) invalid_from: Option<Position>,
}

/// Why a key was not replaced. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The old key does not have a role that the new one is to take over.
    #[error("key {key} does not have the role {role}, so it cannot be replaced in it")]
    NotInRole {
        /// The old key.
        key: PublicKey,
        /// The role.
        role: Role,
    },
    /// The key that signs may not replace the old one.
    #[error(
        "key {key} may not replace {old}: the old key can, and a key with the role writ_issuer, which alone can call a key compromised"
    )]
    NotTrusted {
        /// The key that signs.
        key: PublicKey,
        /// The key that was to be replaced.
        old: PublicKey,
    },
    /// The new key cannot take over.
    #[error("key {key} was in use before, or is compromised: make a new one")]
    Used {
        /// The new key.
        key: PublicKey,
    },
    /// The new key of the role runtime has to be held by this runtime.
    #[error("the key that is to sign entries has to be given as a signer: use `Rotation::runtime`")]
    NoSigner,
    /// The position is beyond the end of the store.
    #[error("position {} is beyond the end of the store, which has {} entries", .from.0, .length.0)]
    Position {
        /// The position that was given.
        from: Position,
        /// How many entries the store has.
        length: Position,
    },
    /// The roster in force cannot be restated: its issuer is not trusted to issue policies any more.
    #[error(
        "the roster in force was signed by {issuer}, which is no policy issuer any more: record one of a trusted issuer first"
    )]
    Roster {
        /// Who signed it.
        issuer: Box<PublicKey>,
    },
    /// No role was named.
    #[error("no role was named")]
    NoRole,
    /// The signer's signature does not verify under its key.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The ledger or a key failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Rotation {
    /// Replaces a root of trust in some of its roles. For the role runtime use [`runtime`](Self::runtime).
    pub fn new(roles: impl IntoIterator<Item = Role>, old: PublicKey, new: NamedKey) -> Self {
        Self { roles: roles.into_iter().collect(), old, new, signer: None, invalid_from: None }
    }

    /// Replaces the key that signs entries, by one that this runtime holds from then on.
    pub fn runtime(old: PublicKey, name: impl Into<String>, new: impl Signer + 'static) -> Self {
        let named = NamedKey::new(name, new.public_key());
        Self { roles: vec![Role::Runtime], old, new: named, signer: Some(Arc::new(new)), invalid_from: None }
    }

    /// Says that the old key is in wrong hands: what it signed from this position in the store on proves nothing.
    #[must_use]
    pub fn compromised_from(self, position: Position) -> Self {
        Self { invalid_from: Some(position), ..self }
    }
}

/// Records a rotation, for all its roles or for none. When it returns, the old key has no role any more.
pub(super) async fn rotate(core: &Core, rotation: Rotation, by: &dyn Signer) -> Result<(), RotateError> {
    let mut roles = rotation.roles.clone();
    // The role that may call a key compromised is given up last.
    roles.sort_unstable_by_key(|role| (*role == Role::WritIssuer, *role));
    roles.dedup();
    check(core, &rotation, &roles, by.public_key()).await?;
    if let Some(signer) = &rotation.signer {
        core.authority.hold(Arc::clone(signer));
    }
    let mut drafts = Vec::new();
    for role in &roles {
        let statement = RotationStatement {
            invalid_from: rotation.invalid_from.map(|position| position.0),
            new: rotation.new.clone(),
            old: rotation.old,
            role: *role,
            store: core.store_id,
        };
        drafts.push(draft(statement, by).await?);
    }
    // Another rotation may have been recorded while this one was signed.
    let mut writing = core.authority.writing(core).await?;
    check(core, &rotation, &roles, by.public_key()).await?;
    let moved = |trust: &mut Vec<(NamedKey, Vec<Role>)>| replace(trust, &rotation, &roles);
    let mut trust = core.authority.with_trust(|trust| trust.clone());
    let state = core.authority.state();
    trust.iter_mut().for_each(|(named, roles)| roles.retain(|role| state.trust.has(&named.key, *role)));
    moved(&mut trust);
    if roles.contains(&Role::Runtime) && rotation.invalid_from.is_some() {
        drafts.extend(restated(core, &trust)?);
    }
    writing.append(core, drafts, vec![], |_| vec![]).await?;
    core.authority.with_trust(moved);
    Ok(())
}

async fn check(core: &Core, rotation: &Rotation, roles: &[Role], by: PublicKey) -> Result<(), RotateError> {
    let state = core.authority.state();
    let Rotation { old, new, signer, invalid_from, .. } = rotation;
    if roles.is_empty() {
        return Err(RotateError::NoRole);
    }
    for role in roles {
        let in_use = state.runtime_key().map(|named| named.key);
        let was_in_use = |key: &PublicKey| state.runtime_keys.iter().any(|named| named.key == *key);
        match role {
            Role::Runtime if signer.is_none() && in_use != Some(new.key) => return Err(RotateError::NoSigner),
            Role::Runtime if in_use == Some(*old) && was_in_use(&new.key) => {
                return Err(RotateError::Used { key: new.key });
            }
            Role::Runtime => {
                let declared_later = invalid_from.is_some() && was_in_use(old) && in_use == Some(new.key);
                if in_use != Some(*old) && !declared_later {
                    return Err(RotateError::NotInRole { key: *old, role: *role });
                }
            }
            role if !state.trust.has(old, *role) => return Err(RotateError::NotInRole { key: *old, role: *role }),
            _ => {}
        }
    }
    if new.key == *old || state.compromised.iter().any(|known| known.key == new.key) {
        return Err(RotateError::Used { key: new.key });
    }
    if (by != *old || invalid_from.is_some()) && !state.trust.has(&by, Role::WritIssuer) {
        return Err(RotateError::NotTrusted { key: by, old: *old });
    }
    if let Some(from) = *invalid_from {
        let length = core.store.append(Batch::default()).await.map_err(RunError::from)?;
        if from > length {
            return Err(RotateError::Position { from, length });
        }
    }
    Ok(())
}

/// Signs a statement.
pub(super) async fn draft(statement: RotationStatement, by: &dyn Signer) -> Result<Draft, RotateError> {
    let (hash, signed_by) = (statement.hash().map_err(RunError::from)?, by.public_key());
    let signature = by.sign(Purpose::Rotation, hash.as_bytes()).await.map_err(RunError::from)?;
    signed_by.verify(Purpose::Rotation, hash.as_bytes(), &signature)?;
    let record = KeyRotation { signature, signed_by, statement };
    Ok(Draft::seal(Kind::KeyRotation, &record, vec![]).map_err(RunError::from)?)
}

/// The statement by which a runtime's key succeeds the one before it.
pub(super) fn succession(store: StoreId, old: PublicKey, new: NamedKey) -> RotationStatement {
    RotationStatement { invalid_from: None, new, old, role: Role::Runtime, store }
}

fn replace(trust: &mut Vec<(NamedKey, Vec<Role>)>, rotation: &Rotation, roles: &[Role]) {
    let mut taken = Vec::new();
    for (_, held) in trust.iter_mut().filter(|(named, _)| named.key == rotation.old) {
        taken.extend(held.iter().copied().filter(|role| roles.contains(role)));
        held.retain(|role| !roles.contains(role));
    }
    trust.retain(|(_, held)| !held.is_empty());
    if !taken.is_empty() {
        trust.push((rotation.new.clone(), taken));
    }
}

/// What the runtime trusts and goes by, stated with a new key: nothing that the old one said holds any more.
fn restated(core: &Core, trust: &[(NamedKey, Vec<Role>)]) -> Result<Vec<Draft>, RotateError> {
    let mut drafts = Vec::new();
    for (root, roles) in trust.iter().filter(|(_, roles)| !roles.is_empty()) {
        let record = TrustRoot { change: TrustChange::Added, root: root.clone(), roles: roles.clone() };
        drafts.push(Draft::seal(Kind::TrustRoot, &record, vec![]).map_err(RunError::from)?);
    }
    if core.runs {
        drafts.push(policy_set(&core.policies)?);
    }
    // Without one, fewer approvals would be enough.
    if let Some(record) = core.authority.state().roster.as_ref() {
        let issues =
            |named: &NamedKey, roles: &[Role]| named.key == record.signed_by && roles.contains(&Role::PolicyIssuer);
        if !trust.iter().any(|(named, roles)| issues(named, roles)) {
            return Err(RotateError::Roster { issuer: Box::new(record.signed_by) });
        }
        drafts.push(Draft::seal(Kind::Roster, record, vec![]).map_err(RunError::from)?);
    }
    Ok(drafts)
}

/// The record of a roster.
pub(super) fn roster(roster: &VerifiedRoster) -> Result<Draft, RunError> {
    let SignedRoster { issuer_pubkey, roster, signature } = roster.signed().clone();
    let record = RosterRecord { hash: roster.hash()?, roster, signature, signed_by: issuer_pubkey };
    Ok(Draft::seal(Kind::Roster, &record, vec![])?)
}

/// The record of a policy set.
pub(super) fn policy_set(policies: &PolicySet) -> Result<Draft, RunError> {
    let definition = serde_json::to_value(policies.definition())
        .map_err(|error| crate::canon::CanonError::NotJson { what: error.to_string() })?;
    Ok(Draft::seal(Kind::PolicySet, &PolicySetRecord { definition, hash: policies.hash() }, vec![])?)
}

//! What of an entry can be worked out before it is its turn.

use std::{collections::HashMap, sync::Arc};

use crate::{
    canon::{Blob, CanonError, Commitment, KeyId, ProposalId, TrajectoryId},
    commit::{Commit, DeltaOp},
    crypto::{PublicKey, Purpose},
    ledger::{Entry, EntryError, StoredBlob},
    proposal::{Proposal, Resolved},
    replay::{AuthorityLog, record::Record, whole::Whole},
    world::FoldOp,
};

/// An entry with all that it shows by itself: what remains is to judge it where it stands.
pub(super) struct Prepared {
    pub(super) whole: Whole,
    pub(super) signed: Signed,
    /// The id that its proposal has to have.
    pub(super) identity: Option<Result<ProposalId, CanonError>>,
    /// Its change of the world, ready to apply.
    pub(super) folds: Vec<FoldOp>,
}

/// Who signed an entry.
pub(super) enum Signed {
    /// It names no key and carries no signature.
    Not,
    /// It names a key that was never the runtime's, or carries a signature and names none.
    Unknown,
    /// It names this key; whether its signature verifies.
    By(PublicKey, Result<(), EntryError>),
}

/// The keys that ever signed entries of a store, by id.
pub(super) struct Keys(HashMap<KeyId, PublicKey>);

impl Keys {
    pub(super) fn of(log: &AuthorityLog) -> Self {
        Self(log.state().runtime_keys.iter().map(|named| (named.key.id(), named.key)).collect())
    }
}

impl Prepared {
    pub(super) fn of(entry: &Entry, keys: &Keys) -> Result<Self, EntryError> {
        let whole = Whole::of(entry)?;
        let signed = match (keys.0.get(&entry.header.signer), &entry.signature) {
            (None, None) if entry.header.signer == KeyId::ZERO => Signed::Not,
            (None, _) => Signed::Unknown,
            (Some(key), None) => Signed::By(*key, Err(EntryError::Unsigned)),
            (Some(key), Some(signature)) => {
                let verified = key.verify(Purpose::Entry, whole.id.as_bytes(), signature);
                Signed::By(*key, verified.map_err(EntryError::from))
            }
        };
        let record = whole.record.as_ref().ok();
        let identity =
            record.and_then(Record::proposal).and_then(|proposal| identity(proposal, entry.header.trajectory));
        let folds = match record {
            Some(Record::Commit(commit)) => folds(commit, entry, &whole.commitments),
            _ => Vec::new(),
        };
        Ok(Self { identity, folds, signed, whole })
    }
}

/// The id of a proposal that resolved to a tool, from all that it covers.
fn identity(proposal: &Proposal, trajectory: TrajectoryId) -> Option<Result<ProposalId, CanonError>> {
    let Resolved { contract, plan, .. } = proposal.resolved?;
    let again = |intent| Resolved::new(trajectory, intent, proposal.writ, contract, plan);
    Some(proposal.intent.id().and_then(again).map(|again| again.id))
}

fn folds(commit: &Commit, entry: &Entry, commitments: &[Commitment]) -> Vec<FoldOp> {
    if commit.delta.is_empty() {
        return Vec::new();
    }
    let mut present: Vec<(&Commitment, &Blob)> = Vec::with_capacity(commitments.len());
    present.extend(commitments.iter().zip(&entry.blobs).filter_map(|(commitment, blob)| match blob {
        StoredBlob::Present(blob) => Some((commitment, blob)),
        StoredBlob::Erased(_) => None,
    }));
    present.sort_unstable_by_key(|(commitment, _)| *commitment);
    let value = |commitment: &Commitment| {
        let at = present.binary_search_by_key(&commitment, |(of, _)| of).ok();
        let value = at.and_then(|at| present.get(at)?.1.value().ok());
        (*commitment, value.map(Arc::new))
    };
    let fold = |op: &DeltaOp| {
        let (resource, expected, becomes) = match op {
            DeltaOp::Create { resource, value: new } => (resource, 0, Some(value(new))),
            DeltaOp::Replace { resource, value: new, version } => (resource, *version, Some(value(new))),
            DeltaOp::Delete { resource, version } => (resource, *version, None),
        };
        FoldOp { resource: resource.clone(), expected, becomes }
    };
    commit.delta.iter().map(fold).collect()
}

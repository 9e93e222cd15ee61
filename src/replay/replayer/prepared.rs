//! What of an entry can be worked out before it is its turn.

use std::{collections::HashMap, sync::Arc};

use crate::{
    canon::{Blob, CanonError, Commitment, KeyId, ProposalId, TrajectoryId},
    commit::{Commit, DeltaOp},
    crypto::{PublicKey, Purpose, Signature, SignatureError},
    ledger::{Entry, EntryError, StoredBlob},
    proposal::{Proposal, Resolved},
    replay::{AuthorityLog, ahead::Ahead, record::Record, whole::Whole},
    world::FoldOp,
};

/// An entry with all that it shows by itself: what remains is to judge it where it stands.
pub(in crate::replay) struct Prepared {
    pub(super) whole: Whole,
    pub(super) signed: Signed,
    /// The id that its proposal has to have.
    pub(super) identity: Option<Result<ProposalId, CanonError>>,
    /// Its change of the world, ready to apply.
    pub(super) folds: Vec<FoldOp>,
}

/// Entries that are worked out ahead of the replay.
pub(in crate::replay) type Preparing = Ahead<Entry, Result<Prepared, EntryError>>;

/// Who signed an entry.
#[expect(clippy::large_enum_variant, reason = "nearly every entry is signed")]
pub(in crate::replay) enum Signed {
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

    /// Who signed an entry, as `verify` finds it.
    fn signed(
        &self,
        entry: &Entry,
        verify: impl FnOnce(&PublicKey, &Signature) -> Result<(), SignatureError>,
    ) -> Signed {
        match (self.0.get(&entry.header.signer), &entry.signature) {
            (None, None) if entry.header.signer == KeyId::ZERO => Signed::Not,
            (None, _) => Signed::Unknown,
            (Some(key), None) => Signed::By(*key, Err(EntryError::Unsigned)),
            (Some(key), Some(signature)) => Signed::By(*key, verify(key, signature).map_err(EntryError::from)),
        }
    }
}

impl Prepared {
    pub(super) fn of(entry: &Entry, keys: &Keys) -> Result<Self, EntryError> {
        let whole = Whole::of(entry)?;
        let id = *whole.id.as_bytes();
        let signed = keys.signed(entry, |key, signature| key.verify(Purpose::Entry, &id, signature));
        Ok(Self::new(entry, whole, signed))
    }

    /// Works out several entries, with all signatures of one key verified together. Where they do not hold together, each is
    /// verified by itself: a fault is found at the entry that has it.
    pub(super) fn batch(entries: &[Entry], keys: &Keys, key: &PublicKey) -> Vec<Result<Self, EntryError>> {
        let wholes: Vec<_> = entries.iter().map(Whole::of).collect();
        let signer = key.id();
        let of_key = entries.iter().zip(&wholes).filter(|(entry, _)| entry.header.signer == signer);
        let signed: Vec<_> =
            of_key.filter_map(|(entry, whole)| Some((*whole.as_ref().ok()?.id.as_bytes(), entry.signature?))).collect();
        let holds = key.verify_batch(Purpose::Entry, &signed);
        let prepare = |(entry, whole): (&Entry, Result<Whole, EntryError>)| {
            let whole = whole?;
            let id = *whole.id.as_bytes();
            let verify = |by: &PublicKey, signature: &Signature| match by == key && holds {
                true => Ok(()),
                false => by.verify(Purpose::Entry, &id, signature),
            };
            let signed = keys.signed(entry, verify);
            Ok(Self::new(entry, whole, signed))
        };
        entries.iter().zip(wholes).map(prepare).collect()
    }

    fn new(entry: &Entry, whole: Whole, signed: Signed) -> Self {
        let record = whole.record.as_ref().ok();
        let identity =
            record.and_then(Record::proposal).and_then(|proposal| identity(proposal, entry.header.trajectory));
        let folds = match record {
            Some(Record::Commit(commit)) => folds(commit, entry, &whole.commitments),
            _ => Vec::new(),
        };
        Self { identity, folds, signed, whole }
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

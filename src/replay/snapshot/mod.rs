//! What a run amounted to after one of its entries, so that taking it up need not begin with the first.
//!
//! A snapshot is a cache, never evidence: whatever verifies begins with the first entry. It names values and does not hold
//! them, so a value that is erased is gone here too. Whoever goes on from one trusts the runtime's key, which signed it, for
//! what came before it; what follows it is checked entry by entry. Where anything about it is in doubt, it is as if there were
//! none.

mod load;
mod since;

pub use since::since_snapshot;

use serde::{Deserialize, Serialize};

use super::{Folded, UnknownEffect};
use crate::{
    approval::Requests,
    canon::{Bytes, CanonError, Commitment, EntryId, StatementHash, StoreId, TrajectoryId, domain, to_canonical},
    crypto::{PublicKey, Purpose, Signature},
    delegation::Children,
    intent::IntentRecord,
    ledger::record::EndReason,
    world::{ResourceId, World},
    writ::{Amounts, BoundSkill},
};

/// The form of snapshots that this build writes, and the only one that it reads.
const FORMAT: u32 = 1;
/// What another build folded may have been folded otherwise, or from kinds of entries that this one does not know.
const BUILD: &str = env!("CARGO_PKG_VERSION");

/// What a run amounted to after its entry `seq`. What its first entry and the header of that one say is not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    build: String,
    /// The runs that it had started.
    #[serde(default, skip_serializing_if = "Children::is_empty")]
    pub children: Children,
    /// Why the run had ended, where it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndReason>,
    /// The entry.
    pub entry: EntryId,
    format: u32,
    /// The turn without an outcome, and what was held for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_turn: Option<(EntryId, Amounts)>,
    /// The requests for approval that waited, and what was denied.
    #[serde(default, skip_serializing_if = "Requests::is_empty")]
    pub requests: Requests,
    /// The world.
    pub resources: Vec<KeptResource>,
    /// The entry that took the run up last, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<EntryId>,
    /// The entry's seq.
    pub seq: u64,
    /// The skills that the run was bound to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<BoundSkill>,
    /// What the run had spent.
    pub spent: Amounts,
    /// How many turns were begun.
    pub steps: u64,
    /// The store.
    pub store: StoreId,
    /// The trajectory.
    pub trajectory: TrajectoryId,
    /// The seq of the last turn; 0 when there was none.
    pub turn_seq: u64,
    /// Intents of that turn of which nothing was on record.
    pub unanswered: Vec<IntentRecord>,
    /// Effects of which it was not known whether they happened.
    pub unknown_effects: Vec<UnknownEffect>,
}

/// A resource as a snapshot keeps it: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptResource {
    /// Whether its value was erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    resource: ResourceId,
    /// The entry beside which its value stands.
    seq: u64,
    value: Commitment,
    version: u64,
}

/// A snapshot in its written form, and what is signed of it.
pub struct SealedSnapshot {
    /// What the runtime's key signs, for [`Purpose::Snapshot`].
    pub hash: StatementHash,
    json: Vec<u8>,
}

impl Snapshot {
    /// What a trajectory of a store amounts to after `seq`, as far as its world tells.
    pub fn new(store: StoreId, trajectory: TrajectoryId, (seq, entry): (u64, EntryId), world: &World) -> Self {
        let kept = |(resource, kept): (&ResourceId, &crate::world::Resource)| KeptResource {
            erased: kept.value.is_none(),
            resource: resource.clone(),
            seq: kept.seq,
            value: kept.commitment,
            version: kept.version,
        };
        Self {
            build: BUILD.into(),
            children: Children::default(),
            ended: None,
            entry,
            format: FORMAT,
            open_turn: None,
            requests: Requests::default(),
            resources: world.iter().map(kept).collect(),
            resumed: None,
            seq,
            skills: vec![],
            spent: Amounts::ZERO,
            steps: 0,
            store,
            trajectory,
            turn_seq: 0,
            unanswered: vec![],
            unknown_effects: vec![],
        }
    }

    /// What a replay of a trajectory came to.
    pub fn of(store: StoreId, trajectory: TrajectoryId, folded: &Folded) -> Self {
        Self {
            children: folded.children.clone(),
            ended: folded.ended,
            open_turn: folded.open_turn,
            requests: folded.requests.clone(),
            resumed: folded.resumed,
            skills: folded.skills.clone(),
            spent: folded.spent,
            steps: folded.steps,
            turn_seq: folded.turn_seq,
            unanswered: folded.unanswered.clone(),
            unknown_effects: folded.unknown_effects.clone(),
            ..Self::new(store, trajectory, (folded.head_seq, folded.head), &folded.world)
        }
    }

    /// Writes it, to be signed.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn seal(&self) -> Result<SealedSnapshot, CanonError> {
        let json = to_canonical(self)?;
        Ok(SealedSnapshot { hash: hash(&json), json })
    }

    /// Reads what a store kept. `None` when it is not what `key` signed, or, in a store that is run unsigned, when it is signed.
    fn read(bytes: &[u8], key: Option<&PublicKey>) -> Option<Self> {
        let (signature, json) = bytes.split_first_chunk::<SIGNATURE_BYTES>()?;
        match key {
            Some(key) => key.verify(Purpose::Snapshot, hash(json).as_bytes(), &Signature(*signature)).ok()?,
            None if *signature == UNSIGNED => {}
            None => return None,
        }
        serde_json::from_slice(json).ok().filter(|snapshot: &Self| snapshot.format == FORMAT && snapshot.build == BUILD)
    }
}

impl SealedSnapshot {
    /// What a store keeps: the signature, of zeros in a store that is run unsigned, and the sealed JSON.
    pub fn signed(self, signature: Option<Signature>) -> Bytes {
        let signature = signature.map_or(UNSIGNED, |Signature(bytes)| bytes);
        [signature.as_slice(), &self.json].concat().into()
    }
}

const SIGNATURE_BYTES: usize = 64;
const UNSIGNED: [u8; SIGNATURE_BYTES] = [0; SIGNATURE_BYTES];

fn hash(json: &[u8]) -> StatementHash {
    StatementHash(domain::STATEMENT.hash(&[json]))
}

//! Entries that nothing vouches for: those of a compromised key, from the position on that a root gave.
//!
//! Positions are not part of entries. Where a store is at hand they are looked up; an export carries, in its signed head,
//! what they come to on the run and on the authority trajectory.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{AuthorityLog, ReplayError, pages::PageSize};
use crate::{
    canon::{KeyId, TrajectoryId},
    crypto::PublicKey,
    ledger::{
        Compromised, Entry, EntryError, Kind, LedgerStore, Position,
        record::{ClockReset, KeyRotation, PolicySetRecord, Revocation, RosterRecord, Vote},
    },
    policy::PolicySetDefinition,
};

/// From where on a compromised key proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvalidFrom {
    /// The seq of the first authority entry at or after the position; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<u64>,
    /// The key.
    pub key: PublicKey,
    /// The seq of the run's first entry at or after the position; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
}

/// Looks up from where on the compromised keys of a store are invalid for one run.
///
/// # Errors
/// When the store fails.
pub async fn invalid_from(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    log: &AuthorityLog,
) -> Result<Vec<InvalidFrom>, ReplayError> {
    let mut found = Vec::new();
    for Compromised { key, from, .. } in &log.state().compromised {
        let authority = first_at(store, &log.trajectory(), *from).await?;
        found.push(InvalidFrom { authority, key: *key, run: first_at(store, run, *from).await? });
    }
    Ok(found)
}

/// The seq of a trajectory's first entry at or after a position.
async fn first_at(
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    from: Position,
) -> Result<Option<u64>, ReplayError> {
    if store.head(trajectory).await?.is_none_or(|head| head.position < from) {
        return Ok(None);
    }
    let (mut from, mut size) = (from, PageSize::new());
    loop {
        let page = store.scan(from, size.get()).await?;
        size.read(page.iter().map(|(_, entry)| entry.bytes()));
        let Some((last, _)) = page.last() else { return Ok(None) };
        from = Position(last.0 + 1);
        if let Some((_, entry)) = page.iter().find(|(_, entry)| entry.header.trajectory == *trajectory) {
            return Ok(Some(entry.header.seq));
        }
    }
}

/// What the entries of one run rest on, as far as compromised keys are concerned.
#[derive(Debug, Default)]
pub(super) struct Vouching {
    /// The first and the last entry that a compromised key signed, or voted in.
    signed: HashMap<KeyId, (u64, u64)>,
    /// The epochs that the run's entries name, by seq.
    epochs: BTreeSet<u64>,
    /// The issuers of the root writs that it stands on, and from which of its entries on: its own, and those that were presented.
    issuers: Vec<(PublicKey, u64)>,
}

impl Vouching {
    pub(super) fn entry(&mut self, entry: &Entry, epoch_seq: u64, log: &AuthorityLog) {
        let compromised = &log.state().compromised;
        if compromised.is_empty() {
            return;
        }
        self.epochs.insert(epoch_seq);
        let seq = entry.header.seq;
        let voter = match entry.header.known_kind() {
            Some(Kind::Vote) => entry.body::<Vote>().ok().and_then(|vote| vote.statement.approver),
            _ => None,
        };
        let signers = [Some(entry.header.signer), voter.map(|named| named.key.id())];
        for signer in signers.into_iter().flatten() {
            if compromised.iter().any(|known| known.key.id() == signer) {
                self.signed.entry(signer).or_insert((seq, seq)).1 = seq;
            }
        }
    }

    /// From the entry `seq` on it stands on a root writ of this issuer.
    pub(super) fn stands_on(&mut self, issuer: PublicKey, seq: u64) {
        self.issuers.push((issuer, seq));
    }

    /// What nothing vouches for, in words.
    pub(super) fn doubts(&self, log: &AuthorityLog, invalid: &[InvalidFrom]) -> Vec<String> {
        let all = &log.state().compromised;
        if all.is_empty() {
            return Vec::new();
        }
        let mut doubts = Vec::new();
        let spoken = spoken(log);
        let anew = log.epochs().iter().filter(|entry| begins_anew(entry));
        let anew: Vec<_> = anew.map(|entry| entry.header.seq).collect();
        for compromised in all {
            let Compromised { key, from, .. } = compromised;
            let since = format!("key {key}, which is invalid from position {}", from.0);
            let Some(invalid) = invalid.iter().find(|invalid| invalid.key == *key) else {
                doubts.push(format!("where on this run {since}, begins to be so is not known"));
                continue;
            };
            if let (Some(first), Some((signed, last))) = (invalid.run, self.signed.get(&key.id()))
                && *last >= first
            {
                let entries = span(first.max(*signed), *last);
                doubts.push(format!("{entries} signed by {since}: nothing vouches for them"));
            }
            for (_, seq) in self.issuers.iter().filter(|(issuer, seq)| issuer == key && invalid.run <= Some(*seq)) {
                doubts.extend(invalid.run.map(|_| match seq {
                    0 => format!("the run was started under a writ issued by {since}: nothing vouches for it"),
                    seq => format!("entry {seq} presents a writ issued by {since}: nothing vouches for it"),
                }));
            }
            let Some(first) = invalid.authority else { continue };
            for entry in spoken.get(&key.id()).into_iter().flatten().filter(|entry| entry.header.seq >= first) {
                let (seq, kind) = (entry.header.seq, entry.header.known_kind());
                if !confirmed(entry, compromised) && self.rests_on(seq, &anew) {
                    let kind = kind.map_or_else(String::new, |kind| format!(" ({kind})"));
                    doubts.push(format!("authority entry {seq}{kind} is signed by {since}: nothing vouches for it"));
                }
            }
        }
        doubts
    }

    /// Whether the run names an epoch in which an authority entry still counts. A runtime's key that takes over from a
    /// compromised one states everything anew; `anew` has the seqs at which one did, in order.
    fn rests_on(&self, seq: u64, anew: &[u64]) -> bool {
        let next = anew.partition_point(|begun| *begun <= seq);
        let until = anew.get(next).copied().unwrap_or(u64::MAX);
        self.epochs.range(seq..until).next().is_some()
    }
}

/// The authority entries that each key signed or made a statement of, in order. Every entry is read once, however many keys
/// are compromised.
fn spoken(log: &AuthorityLog) -> HashMap<KeyId, Vec<&Entry>> {
    let mut spoken = HashMap::<_, Vec<_>>::new();
    for entry in log.epochs() {
        let stated = stated_by(entry).unwrap_or_default();
        let keys: BTreeSet<_> = stated.iter().map(PublicKey::id).chain([entry.header.signer]).collect();
        for key in keys {
            spoken.entry(key).or_default().push(entry);
        }
    }
    spoken
}

/// Whether the root that called the key compromised says the same: it names the key that takes over.
fn confirmed(entry: &Entry, compromised: &Compromised) -> bool {
    let rotation = |KeyRotation { statement, .. }: KeyRotation| {
        (statement.old, statement.new.key) == (compromised.key, compromised.successor)
    };
    entry.header.known_kind() == Some(Kind::KeyRotation) && entry.body().is_ok_and(rotation)
}

fn span(first: u64, last: u64) -> String {
    if first == last { format!("entry {first} is") } else { format!("entries {first}–{last} are") }
}

fn begins_anew(entry: &Entry) -> bool {
    let rotation = |rotation: KeyRotation| {
        rotation.statement.role == crate::crypto::Role::Runtime && rotation.statement.invalid_from.is_some()
    };
    entry.header.known_kind() == Some(Kind::KeyRotation) && entry.body().is_ok_and(rotation)
}

fn stated_by(entry: &Entry) -> Result<Vec<PublicKey>, EntryError> {
    Ok(match entry.header.known_kind() {
        Some(Kind::KeyRotation) => vec![entry.body::<KeyRotation>()?.signed_by],
        Some(Kind::Revocation) => vec![entry.body::<Revocation>()?.statement.by.key],
        Some(Kind::Roster) => vec![entry.body::<RosterRecord>()?.signed_by],
        Some(Kind::ClockReset) => vec![entry.body::<ClockReset>()?.statement.by.key],
        Some(Kind::PolicySet) => {
            let definition = entry.body::<PolicySetRecord>()?.definition;
            let definition = serde_json::from_value::<PolicySetDefinition>(definition).ok();
            definition.iter().flat_map(|set| set.signed().map(|signed| signed.issuer_pubkey)).collect()
        }
        _ => vec![],
    })
}

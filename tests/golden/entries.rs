//! One entry of every kind, as an export holds it; and the header's bytes.

use openthymos::{
    canon::{EntryId, Salt, TrajectoryId, canonical_value, parse},
    commit::Commit,
    crypto::Purpose,
    ledger::{AuthorityState, Draft, Entry, Header, Kind, StoredBlob, record},
    replay::export::{Line, LineEntry},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    authority,
    file::{hex, vectors_hold},
    fixture::{NOW_MS, RUNTIME},
    run,
};

fn entry(draft: Draft, trajectory: TrajectoryId, seq: u64, parent: EntryId, above: (EntryId, u64)) -> Entry {
    let signer = RUNTIME.secret();
    let header = Header {
        kind: draft.kind.code(),
        blobs: u32::try_from(draft.blobs.len()).unwrap(),
        store: run::store(),
        trajectory,
        seq,
        parent,
        // A reset has the time that it says.
        time_ms: if draft.kind == Kind::ClockReset { NOW_MS } else { NOW_MS + seq },
        signer: signer.public_key().id(),
        authority: above.0,
        base_seq: above.1,
        record: draft.hash(),
    };
    let signature = Some(signer.sign(Purpose::Entry, header.id().as_bytes()));
    draft.into_entry(header, signature)
}

/// An entry of every kind: those of the authority one after the other, and those of runs one after the other.
fn entries() -> Vec<Entry> {
    let mut made = Vec::new();
    let trajectory = AuthorityState::trajectory(run::store());
    let (mut parent, mut epoch) = (EntryId::ZERO, (EntryId::ZERO, 0));
    let drafts = Kind::ALL.iter().filter_map(|kind| authority::draft(*kind));
    for (seq, draft) in (0..).zip(drafts) {
        let entry = entry(draft, trajectory, seq, parent, epoch);
        parent = entry.id();
        if entry.header.known_kind().unwrap().opens_epoch() {
            epoch = (parent, seq);
        }
        made.push(entry);
    }
    let (mut parent, mut base_seq) = (EntryId::ZERO, 0);
    for (seq, draft) in (0..).zip(Kind::ALL.iter().filter_map(|kind| run::draft(*kind))) {
        let entry = entry(draft, run::trajectory(), seq, parent, (epoch.0, base_seq));
        parent = entry.id();
        if entry.header.known_kind() == Some(Kind::Commit) {
            base_seq = seq;
        }
        made.push(entry);
    }
    made.sort_by_key(|entry| entry.header.kind);
    made
}

fn round<T: Serialize + DeserializeOwned>(entry: &Entry) {
    let body: T = entry.body().unwrap();
    assert_eq!(openthymos::canon::to_canonical(&body).unwrap(), &entry.record[..], "{:?}", entry.header.known_kind());
}

/// Reads the record as the type of its kind, and writes it again.
fn reads_back(entry: &Entry) {
    match entry.header.known_kind().unwrap() {
        Kind::Root => round::<record::RunStart>(entry),
        Kind::Branch => round::<record::BranchStart>(entry),
        Kind::TurnStart => round::<record::TurnStart>(entry),
        Kind::Turn => round::<record::Turn>(entry),
        Kind::Dispatch => round::<record::Dispatch>(entry),
        Kind::Commit => round::<Commit>(entry),
        Kind::Failure => round::<record::Failure>(entry),
        Kind::Rejection => round::<record::Rejection>(entry),
        Kind::PendingApproval => round::<record::PendingApproval>(entry),
        Kind::Vote => round::<record::Vote>(entry),
        Kind::ApprovalOutcome => round::<record::ApprovalOutcome>(entry),
        Kind::Delegation => round::<record::Delegated>(entry),
        Kind::DelegationResult => round::<record::DelegationResult>(entry),
        Kind::CompensationHalt => round::<record::CompensationHalt>(entry),
        Kind::Compensation => round::<record::Compensation>(entry),
        Kind::InDoubtResolution => round::<record::InDoubtResolution>(entry),
        Kind::Skill => round::<record::SkillBound>(entry),
        Kind::Routing => round::<record::RoutingOutcome>(entry),
        Kind::Erasure => round::<record::Erasure>(entry),
        Kind::Checkpoint => round::<record::Checkpoint>(entry),
        Kind::Resumed => round::<record::Resumed>(entry),
        Kind::Terminated => round::<record::Terminated>(entry),
        Kind::Genesis => round::<record::Genesis>(entry),
        Kind::TrustRoot => round::<record::TrustRoot>(entry),
        Kind::KeyRotation => round::<record::KeyRotation>(entry),
        Kind::Revocation => round::<record::Revocation>(entry),
        Kind::PolicySet => round::<record::PolicySetRecord>(entry),
        Kind::Roster => round::<record::RosterRecord>(entry),
        Kind::Contract => round::<record::ContractRecord>(entry),
        Kind::RunOpened => round::<record::RunOpened>(entry),
        Kind::StartRefused => round::<record::StartRefused>(entry),
        Kind::ClockReset => round::<record::ClockReset>(entry),
        other => panic!("`{other}` has no golden entry"),
    }
}

#[test]
fn every_kind_has_an_entry_that_verifies_and_reads_back() {
    let entries = entries();
    let kinds: Vec<_> = entries.iter().filter_map(|entry| entry.header.known_kind()).collect();
    assert_eq!(kinds, Kind::ALL, "an entry for every kind");
    let vectors = entries.iter().map(|entry| {
        let kind = entry.header.known_kind().unwrap();
        json!({
            "kind": kind, "code": kind.code(), "id": entry.id(), "line": Line::Entry(LineEntry::new(entry).unwrap()),
        })
    });
    vectors_hold("entries.json", &vectors.collect::<Vec<_>>());

    let key = RUNTIME.secret().public_key();
    let mut authority = AuthorityState::default();
    for entry in entries {
        entry.check().unwrap();
        entry.check_signature(&key).unwrap();
        reads_back(&entry);
        let value = parse(&entry.record, 1 << 20).unwrap();
        assert_eq!(canonical_value(&value).unwrap(), &entry.record[..]);
        authority.apply(&entry).unwrap();
        let mut changed = entry.clone();
        changed.record = [&entry.record[..], b" "].concat().into();
        assert!(changed.check().is_err());
        if let Some(StoredBlob::Present(blob)) = changed.blobs.first_mut() {
            changed.record = entry.record;
            blob.salt = Salt([0; 16]);
            assert!(changed.check().is_err());
        }
    }
    assert_eq!(authority.runtime_keys.len(), 2, "every authority entry has force");
}

#[test]
fn headers_have_the_recorded_bytes_and_ids() {
    let shown = |header: Header| {
        let bytes = header.to_bytes();
        assert_eq!(Header::from_bytes(&bytes).unwrap(), header);
        json!({
            "kind": header.kind, "blobs": header.blobs, "store": header.store, "trajectory": header.trajectory,
            "seq": header.seq.to_string(), "parent": header.parent, "time_ms": header.time_ms.to_string(),
            "signer": header.signer, "authority": header.authority, "base_seq": header.base_seq.to_string(),
            "record": header.record, "bytes": hex(&bytes), "id": header.id(),
        })
    };
    let plain = entries().into_iter().next().unwrap().header;
    let extreme = Header {
        kind: u16::MAX,
        blobs: u32::MAX,
        seq: u64::MAX,
        time_ms: u64::MAX - 1,
        base_seq: u64::MAX - 2,
        ..plain
    };
    let mut vectors = vec![shown(plain), shown(extreme)];
    let bytes = plain.to_bytes();
    let mut another = bytes;
    another[1] = 2;
    for refused in [&bytes[..223], &another[..], &[&bytes[..], &[0]].concat()[..], &[]] {
        assert!(Header::from_bytes(refused).is_err());
        vectors.push(json!({ "bytes": hex(refused), "refused": true }));
    }
    let vectors: Vec<Value> = vectors;
    vectors_hold("headers.json", &vectors);
}

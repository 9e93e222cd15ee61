//! A record is read in one form only, and only as its own kind. The first byte of an input is the kind.

use openthymos::{
    canon::{Bytes, to_canonical},
    commit::Commit,
    ledger::{Entry, EntryError, Kind, record},
    policy::PolicySetDefinition,
};
use serde::{Serialize, de::DeserializeOwned};

use super::golden;

pub fn run(bytes: &[u8]) {
    let Some((code, record)) = bytes.split_first() else { return };
    let Some(kind) = Kind::from_code(u16::from(*code)) else { return };
    let mut entry = golden::entries().swap_remove(0);
    entry.header.kind = kind.code();
    entry.header.blobs = 0;
    entry.blobs.clear();
    entry.record = Bytes::from(record);
    entry.header.record = entry.record_hash();
    assert!(entry.check().is_ok() || record.len() > 1 << 20);
    read(kind, &entry);
}

fn read(kind: Kind, entry: &Entry) {
    match kind {
        Kind::Root => body::<record::RunStart>(entry, |start| {
            drop(start.start.trajectory());
        }),
        Kind::Branch => body::<record::BranchStart>(entry, |_| {}),
        Kind::TurnStart => body::<record::TurnStart>(entry, |_| {}),
        Kind::Turn => body::<record::Turn>(entry, |_| {}),
        Kind::Dispatch => body::<record::Dispatch>(entry, |_| {}),
        Kind::Commit => body::<Commit>(entry, |_| {}),
        Kind::Failure => body::<record::Failure>(entry, |_| {}),
        Kind::Rejection => body::<record::Rejection>(entry, |_| {}),
        Kind::PendingApproval => body::<record::PendingApproval>(entry, |pending| {
            pending.proposal.decision.hash().expect("a decision can be sealed");
        }),
        Kind::Vote => body::<record::Vote>(entry, |_| {}),
        Kind::ApprovalOutcome => body::<record::ApprovalOutcome>(entry, |_| {}),
        Kind::Delegation => body::<record::Delegated>(entry, |_| {}),
        Kind::DelegationResult => body::<record::DelegationResult>(entry, |_| {}),
        Kind::CompensationHalt => body::<record::CompensationHalt>(entry, |_| {}),
        Kind::Compensation => body::<record::Compensation>(entry, |presented| {
            presented.statement.hash().expect("a statement can be sealed");
        }),
        Kind::InDoubtResolution => body::<record::InDoubtResolution>(entry, |_| {}),
        Kind::Skill => body::<record::SkillBound>(entry, |_| {}),
        Kind::Routing => body::<record::RoutingOutcome>(entry, |_| {}),
        Kind::Erasure => body::<record::Erasure>(entry, |_| {}),
        Kind::Checkpoint => body::<record::Checkpoint>(entry, |_| {}),
        Kind::Resumed => body::<record::Resumed>(entry, |_| {}),
        Kind::Terminated => body::<record::Terminated>(entry, |_| {}),
        Kind::Genesis => body::<record::Genesis>(entry, |_| {}),
        Kind::TrustRoot => body::<record::TrustRoot>(entry, |_| {}),
        Kind::KeyRotation => body::<record::KeyRotation>(entry, |_| {}),
        Kind::Revocation => body::<record::Revocation>(entry, |_| {}),
        Kind::PolicySet => body::<record::PolicySetRecord>(entry, |set| {
            drop(serde_json::from_value::<PolicySetDefinition>(set.definition.clone()));
        }),
        Kind::Roster => body::<record::RosterRecord>(entry, |_| {}),
        Kind::Contract => body::<record::ContractRecord>(entry, |contract| {
            contract.definition.hash().expect("a contract that was read can be sealed");
        }),
        Kind::RunOpened => body::<record::RunOpened>(entry, |_| {}),
        Kind::StartRefused => body::<record::StartRefused>(entry, |_| {}),
        Kind::ClockReset => body::<record::ClockReset>(entry, |_| {}),
        _ => {}
    }
}

fn body<T: DeserializeOwned + Serialize>(entry: &Entry, also: impl Fn(&T)) {
    match entry.body::<T>() {
        Ok(body) => {
            assert_eq!(to_canonical(&body).expect("what is read can be sealed"), *entry.record);
            also(&body);
        }
        Err(EntryError::Shape { reason, .. }) => assert!(reason.len() < 2_048, "{reason}"),
        Err(EntryError::TooLarge(_)) => {}
        Err(other) => panic!("{other}"),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |entry: &Entry| [&[entry.header.kind as u8], &*entry.record].concat();
    golden::entries().iter().chain(&golden::export_entries()).map(seed).collect()
}

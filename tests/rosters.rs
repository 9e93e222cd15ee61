//! Who may approve: signed by a policy issuer, and recorded before anybody votes.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::collections::BTreeMap;

use common::*;
use futures::executor::block_on;
use openthymos::{
    crypto::{PublicKey, Role},
    ledger::{Kind, LedgerStore, Position, record::RosterRecord},
    policy::{Quorum, Roster, RosterError, SignedRoster, VerifiedRoster},
    runtime::BuildError,
};
use serde_json::json;

const ISSUER: u8 = 40;

fn roster(version: &str, required: u32, approvers: impl IntoIterator<Item = u8>) -> Roster {
    let quorum = Quorum { approvers: approvers.into_iter().map(named).collect(), required };
    Roster { channels: BTreeMap::from([("finance".into(), quorum)]), version: version.into() }
}

fn sealed(roster: Roster) -> VerifiedRoster {
    let signed = block_on(SignedRoster::sign(roster, &key(ISSUER))).unwrap();
    signed.verify(|issuer| *issuer == key(ISSUER).public_key()).unwrap()
}

/// The rosters that the ledger has.
fn recorded(fixture: &Fixture) -> Vec<RosterRecord> {
    let rosters = fixture.authority().into_iter().filter(|entry| entry.header.known_kind() == Some(Kind::Roster));
    rosters.map(|entry| entry.body().unwrap()).collect()
}

fn open(fixture: &Fixture, roster: Option<VerifiedRoster>) -> Result<(), BuildError> {
    let builder = fixture.builder().trust(named(ISSUER), [Role::PolicyIssuer]);
    let builder = roster.into_iter().fold(builder, |builder, roster| builder.roster(roster));
    block_on(builder.open()).map(drop)
}

#[test]
fn a_roster_is_recorded_once_and_stays_in_force_until_another_one_is() {
    let fixture = Fixture::default();
    open(&fixture, Some(sealed(roster("1", 2, [1, 2])))).unwrap();
    open(&fixture, Some(sealed(roster("1", 2, [1, 2])))).unwrap();
    open(&fixture, None).unwrap();
    assert_eq!(recorded(&fixture).len(), 1);
    open(&fixture, Some(sealed(roster("2", 1, [1])))).unwrap();
    let records = recorded(&fixture);
    assert_eq!(records.iter().map(|record| record.roster.version.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert!(records.iter().all(|record| record.signed_by == key(ISSUER).public_key()));
    whole(&*fixture.ledger);
}

#[test]
fn a_roster_of_an_issuer_who_is_not_trusted_is_not_taken() {
    let fixture = Fixture::default();
    let refused = block_on(fixture.builder().roster(sealed(roster("1", 1, [1]))).open());
    assert!(matches!(refused, Err(BuildError::Roster { .. })));
    // Nothing was written at all.
    assert!(block_on(fixture.ledger.scan(Position(0), 1)).unwrap().is_empty());
    let signed = block_on(SignedRoster::sign(roster("1", 1, [1]), &key(ISSUER))).unwrap();
    assert!(matches!(signed.clone().verify(|_: &PublicKey| false), Err(RosterError::Untrusted { .. })));
    let another = SignedRoster { roster: roster("1", 1, [2]), ..signed };
    assert!(matches!(another.verify(|_: &PublicKey| true), Err(RosterError::Signature(_))));
}

#[test]
fn a_file_is_a_roster_as_it_was_signed_or_none() {
    let signed = block_on(SignedRoster::sign(roster("1", 1, [1, 2]), &key(ISSUER))).unwrap();
    let text = serde_json::to_value(&signed).unwrap();
    let read = |value: &serde_json::Value| SignedRoster::from_json(value.to_string().as_bytes());
    assert_eq!(read(&text).unwrap(), signed);

    let changed = |pointer: &str, value: serde_json::Value| {
        let mut text = text.clone();
        *text.pointer_mut(pointer).unwrap() = value;
        read(&text).unwrap_err()
    };
    let quorum = "/roster/channels/finance";
    assert!(matches!(changed(&format!("{quorum}/required"), json!(0)), RosterError::Quorum { .. }));
    assert!(matches!(
        changed(&format!("{quorum}/required"), json!(3)),
        RosterError::Quorum { required: 3, approvers: 2, .. }
    ));
    let twice = json!([text.pointer(&format!("{quorum}/approvers/0")), text.pointer(&format!("{quorum}/approvers/0"))]);
    let mut one = text.clone();
    *one.pointer_mut(&format!("{quorum}/approvers")).unwrap() = twice;
    *one.pointer_mut(&format!("{quorum}/required")).unwrap() = json!(2);
    assert!(matches!(read(&one), Err(RosterError::Quorum { required: 2, approvers: 1, .. })));
    assert!(matches!(changed("/roster/version", json!("x".repeat(300))), RosterError::Limit(_)));
    assert!(matches!(changed("/roster", json!({"version": "1"})), RosterError::Shape(_)));
    assert!(matches!(SignedRoster::from_json(b"{\"roster\":1,\"roster\":1}"), Err(RosterError::Json(_))));
}

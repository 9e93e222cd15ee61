//! What a holder of the runtime's key signs still has to follow the rules.

use std::sync::Arc;

use openthymos::{
    canon::{PolicySetHash, to_canonical},
    crypto::Purpose,
    ledger::{
        AuthorityError, Entry, Kind,
        record::{PendingApproval, PolicySetRecord, Rejection},
    },
    proposal::Status,
    replay::{AuthorityLog, FaultKind, Pins, ReplayError, Replayer, export::Line},
};
use serde::Serialize;

use crate::{file::read, fixture::RUNTIME, run::store};

/// The golden export's entries: those of the authority, and those of the run.
fn entries() -> (Vec<Entry>, Vec<Entry>) {
    let text = String::from_utf8(read("export.ndjson")).unwrap();
    let entries = text.lines().filter_map(|line| match serde_json::from_str(line).unwrap() {
        Line::Entry(entry) => Some(entry.into_entry().unwrap()),
        _ => None,
    });
    entries.partition(|entry| entry.header.known_kind().unwrap().is_authority())
}

/// Makes the entry's hashes and signature right again.
fn sign(entry: &mut Entry) {
    entry.signature = Some(RUNTIME.secret().sign(Purpose::Entry, entry.id().as_bytes()));
}

fn rewrite(entry: &mut Entry, body: &impl Serialize) {
    entry.record = to_canonical(body).unwrap().into();
    entry.header.record = entry.record_hash();
    sign(entry);
}

fn authority_refuses(change: impl FnOnce(&mut Vec<Entry>)) -> FaultKind {
    let (mut authority, _) = entries();
    change(&mut authority);
    match AuthorityLog::new(authority) {
        Err(ReplayError::Fault(fault)) => fault.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn authority_entries_follow_one_another() {
    let parent = authority_refuses(|entries| {
        entries[1].header.parent = entries[2].id();
        sign(&mut entries[1]);
    });
    assert!(matches!(parent, FaultKind::Parent), "{parent:?}");
    let above = authority_refuses(|entries| {
        entries[0].header.parent = entries[2].id();
        sign(&mut entries[0]);
    });
    assert!(matches!(above, FaultKind::Parent), "{above:?}");
    let twice = authority_refuses(|entries| {
        let last = entries.last().unwrap().clone();
        entries.push(last);
    });
    assert!(matches!(twice, FaultKind::Seq { .. }), "{twice:?}");
}

#[test]
fn a_policy_set_has_the_hash_beside_it() {
    let fault = authority_refuses(|entries| {
        let entry = entries.iter_mut().find(|entry| entry.header.known_kind() == Some(Kind::PolicySet)).unwrap();
        let mut record: PolicySetRecord = entry.body().unwrap();
        record.hash = PolicySetHash([7; 32]);
        rewrite(entry, &record);
    });
    assert!(matches!(fault, FaultKind::Force(AuthorityError::Definition)), "{fault:?}");
}

/// Replays the run with the first entry of `kind` changed.
fn run_refuses(kind: Kind, change: impl FnOnce(&mut Entry)) -> FaultKind {
    let (authority, run) = entries();
    let log = AuthorityLog::new(authority).unwrap();
    assert_eq!(log.store(), store());
    let mut replayer = Replayer::new(&log, run[0].header.trajectory, Pins::default());
    for mut entry in run {
        if entry.header.known_kind() == Some(kind) {
            change(&mut entry);
            return replayer.push(&entry).unwrap_err().reason;
        }
        replayer.push(&entry).unwrap();
    }
    panic!("no {kind}")
}

#[test]
fn refusals_and_requests_for_approval_say_so() {
    let fault = run_refuses(Kind::Rejection, |entry| {
        let Rejection::Refused(mut proposal) = entry.body().unwrap() else { panic!("{entry:?}") };
        Arc::make_mut(&mut proposal).decision.status = Status::Staged;
        rewrite(entry, &Rejection::Refused(proposal));
    });
    assert!(matches!(fault, FaultKind::Status { expected: "rejected" }), "{fault:?}");
    let fault = run_refuses(Kind::PendingApproval, |entry| {
        let mut pending: PendingApproval = entry.body().unwrap();
        Arc::make_mut(&mut pending.proposal).decision.status = Status::Staged;
        rewrite(entry, &pending);
    });
    assert!(matches!(fault, FaultKind::Status { expected: "suspended" }), "{fault:?}");
}

#[test]
fn times_do_not_go_back_and_no_decision_is_later_than_its_entry() {
    let before = authority_refuses(|entries| {
        entries[1].header.time_ms -= 1;
        sign(&mut entries[1]);
    });
    assert!(matches!(before, FaultKind::Time), "{before:?}");
    let before = run_refuses(Kind::Dispatch, |entry| {
        entry.header.time_ms = 0;
        sign(entry);
    });
    assert!(matches!(before, FaultKind::Time), "{before:?}");
    let later = run_refuses(Kind::PendingApproval, |entry| {
        let mut pending: PendingApproval = entry.body().unwrap();
        Arc::make_mut(&mut pending.proposal).decision.now_ms = entry.header.time_ms + 1;
        rewrite(entry, &pending);
    });
    assert!(matches!(later, FaultKind::DecidedLater { .. }), "{later:?}");
}

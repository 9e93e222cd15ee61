//! Even with the runtime's key: a doubt is settled by who may, at what was held for it, and nothing is abandoned that was not
//! asked for.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::Arc;

use common::{
    faulty::{FaultyLedger, Left},
    *,
};
use futures::executor::block_on;
use openthymos::{
    canon::{EntryId, TrajectoryId, to_canonical},
    cognition::{Mock, Request},
    crypto::{Purpose, Role},
    ledger::{
        Entry, Kind,
        record::{HappenedVerdict, InDoubtResolution, Operator, Rejection, ResolutionStatement},
    },
    replay::{self, FaultKind, Pins, Replayer},
    runtime::{Limits, Resolution},
    tool::ToolOutput,
    writ::Amounts,
};
use serde_json::json;

const OPERATOR: u8 = 7;

/// A run that ended between a dispatch and its outcome with an intent left in its turn, was taken up again, and was settled.
fn settled() -> (Fixture, TrajectoryId) {
    let fixture = Fixture::default();
    let failing = Arc::new(FaultyLedger::sound(&fixture.ledger, Left::Nothing));
    let fails = failing.clone();
    let tool = TestTool::host("pay").calling(move |_| {
        fails.fail_now();
        Ok(ToolOutput::new("paid"))
    });
    let trusting = || fixture.builder().trust(named(OPERATOR), [Role::Approver]);
    let runtime = block_on(trusting().shared_ledger(failing).tool(tool).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let calls = vec![Request::call("pay", json!({})), Request::call("pay", json!({"amount": 2}))];
    assert!(block_on(run.drive(&mut Mock::script(vec![calls]), Limits::default())).is_err());

    let runtime = block_on(trusting().tool(TestTool::host("pay")).open()).unwrap();
    let taken = block_on(runtime.resume(&run.id())).unwrap();
    let (_, dispatch) = *block_on(taken.in_doubt()).first().unwrap();
    let resolution = Resolution { dispatch, verdict: HappenedVerdict::Happened, note: Some("seen"), name: "olga" };
    block_on(runtime.resolve(&run.id(), resolution, &key(OPERATOR))).unwrap();
    (fixture, run.id())
}

/// Replays the run after a change to its entries that were chained and signed anew.
fn replayed(change: impl FnOnce(&mut Vec<Entry>)) -> Result<replay::Report, FaultKind> {
    let (fixture, run) = settled();
    let mut entries = fixture.entries(&run);
    change(&mut entries);
    let log = block_on(replay::closure(&*fixture.ledger, &run)).unwrap();
    let mut replayer = Replayer::new(&log, run, Pins::default());
    let mut parent = EntryId::ZERO;
    for (seq, entry) in entries.iter_mut().enumerate() {
        (entry.header.seq, entry.header.parent) = (seq as u64, parent);
        parent = entry.id();
        entry.signature = Some(key(RUNTIME).sign(Purpose::Entry, parent.as_bytes()));
        replayer.push(entry).map_err(|fault| fault.reason)?;
    }
    Ok(replayer.finish().unwrap().0)
}

fn of_kind(entries: &mut [Entry], kind: Kind) -> &mut Entry {
    entries.iter_mut().find(|entry| entry.header.known_kind() == Some(kind)).unwrap()
}

fn rewrite(entry: &mut Entry, body: &impl serde::Serialize) {
    entry.record = to_canonical(body).unwrap().into();
    entry.header.record = entry.record_hash();
}

/// Changes the settlement.
fn with(change: impl FnOnce(&mut InDoubtResolution)) -> Result<replay::Report, FaultKind> {
    replayed(|entries| {
        let entry = of_kind(entries, Kind::InDoubtResolution);
        let mut body: InDoubtResolution = entry.body().unwrap();
        change(&mut body);
        rewrite(entry, &body);
    })
}

fn signs(seed: u8, body: &InDoubtResolution) -> Operator {
    let InDoubtResolution { dispatch, note, verdict, .. } = *body;
    let statement = ResolutionStatement { by: named(seed), dispatch, note, verdict };
    let signature = key(seed).sign(Purpose::Resolution, statement.hash().unwrap().as_bytes());
    Operator { key: named(seed), signature }
}

#[test]
fn an_untouched_settlement_verifies() {
    let report = replayed(|_| {}).unwrap();
    assert!(report.in_doubt.is_empty());
    let report = with(|body| body.operator = Some(signs(OPERATOR, body))).unwrap();
    assert_eq!(report.spent, Amounts { wall_clock_ms: 30_000, ..Amounts::ONE_CALL });
}

#[test]
fn a_settlement_by_a_key_without_the_role_is_a_fault() {
    for stranger in [STRANGER, ISSUER, RUNTIME] {
        let fault = with(|body| body.operator = Some(signs(stranger, body))).unwrap_err();
        assert!(matches!(fault, FaultKind::NotApprover(_)), "{fault}");
    }
}

#[test]
fn a_settlement_that_its_operator_did_not_sign_is_a_fault() {
    let turned = |body: &mut InDoubtResolution| {
        body.verdict = HappenedVerdict::NotDone;
        body.cost = Amounts::ONE_CALL;
    };
    let fault = with(turned).unwrap_err();
    assert!(matches!(fault, FaultKind::Operator(_)), "{fault}");
}

#[test]
fn a_settlement_debits_what_was_held() {
    let fault = with(|body| body.cost = Amounts::ONE_CALL).unwrap_err();
    assert!(matches!(fault, FaultKind::Settlement(_)), "{fault}");
}

#[test]
fn a_settlement_of_what_is_not_in_doubt_is_a_fault() {
    let fault = with(|body| body.dispatch = EntryId([1; 32])).unwrap_err();
    assert!(matches!(fault, FaultKind::Dispatch(_)), "{fault}");
    let twice = |entries: &mut Vec<Entry>| {
        let again = of_kind(entries, Kind::InDoubtResolution).clone();
        entries.push(again);
    };
    let fault = replayed(twice).unwrap_err();
    assert!(matches!(fault, FaultKind::Dispatch(_)), "{fault}");
}

#[test]
fn only_what_was_asked_for_and_has_no_outcome_is_abandoned() {
    let twice = |entries: &mut Vec<Entry>| {
        let again = of_kind(entries, Kind::Rejection).clone();
        entries.push(again);
    };
    let elsewhere = |entries: &mut Vec<Entry>| {
        let entry = of_kind(entries, Kind::Rejection);
        let Rejection::Abandoned { intent, .. } = entry.body().unwrap() else { unreachable!() };
        rewrite(entry, &Rejection::Abandoned { by: EntryId([1; 32]), intent });
    };
    for fault in [replayed(twice), replayed(elsewhere)] {
        assert!(matches!(fault, Err(FaultKind::Misplaced)), "{fault:?}");
    }
}

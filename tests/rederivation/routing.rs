//! Even with the runtime's key: a router's evidence stays with the turn that it was for.

use futures::executor::block_on;
use openthymos::{
    canon::StatementHash,
    cognition::{Mock, Request, Turn},
    ledger::Kind,
    proposal::{RouteEstimate, RoutingEvidence},
    replay::{FaultKind, ReplayError},
    runtime::Limits,
};
use serde_json::json;

use crate::{common::*, forged::Forged, honest::Machine, replayed};

#[test]
fn evidence_that_was_moved_to_another_turn() {
    let mut machine = Machine::new();
    let run = machine.start(&signed(writ()));
    let route = RouteEstimate { cost_usd_millicents: 1, latency_ms: 2, route: "small".into() };
    let evidence = RoutingEvidence {
        alternatives: vec![],
        confidence_bp: 1,
        decision_hash: StatementHash([7; 32]),
        selected: route,
    };
    let turn = |calls: Vec<Request>| Turn::calls(calls).routed(evidence.clone());
    let mut turns = Mock::turns(vec![turn(vec![Request::call("note", json!({"amount": 1}))]), turn(vec![])]);
    block_on(run.drive(&mut turns, Limits::default())).unwrap();
    let mut forged = Forged::of(&machine, run.id());
    let kinds = machine.fixture.kinds(&run.id());
    let seqs: Vec<u64> = (0u64..).zip(&kinds).filter(|(_, kind)| **kind == Kind::Routing).map(|(seq, _)| seq).collect();
    let first = forged.entry(seqs[0] - 1).id().to_string();
    forged.record(seqs[1], |record| record["turn"] = json!(first));
    forged.seal();
    let error = replayed(&forged.copy, &forged.run, false).unwrap_err();
    assert!(
        matches!(&error, ReplayError::Fault(fault) if fault.seq == seqs[1] && matches!(fault.reason, FaultKind::Misplaced)),
        "{error}"
    );
}

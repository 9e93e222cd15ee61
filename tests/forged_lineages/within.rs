//! What a run shows by itself, without those that it started.

use futures::executor::block_on;
use openthymos::{
    canon::EntryId,
    delegation::ChildFault,
    intent::Intent,
    ledger::{Entry, Kind},
    proposal::{Plan, Proposal, Resolved},
    replay::{FaultKind, ReplayError, StorePins},
};
use serde_json::{Value, json};

use crate::{DELEGATION, Forged, RESULT, SECOND_DELEGATION};

/// What is found of the run, by itself and with the whole store.
fn found(forged: &mut Forged) -> FaultKind {
    forged.copy.seal();
    let Err(ReplayError::Run { run, source }) = forged.copy.verify(StorePins::default()) else { panic!() };
    assert_eq!(run, forged.run);
    let (seq, ReplayError::Fault(alone)) = (seq_of(&source), forged.replayed(run).unwrap_err()) else { panic!() };
    assert_eq!(alone.seq, seq);
    alone.reason
}

fn seq_of(error: &ReplayError) -> u64 {
    match error {
        ReplayError::Fault(fault) => fault.seq,
        other => panic!("{other}"),
    }
}

/// The fault among children.
fn of_children(forged: &mut Forged) -> ChildFault {
    match found(forged) {
        FaultKind::Child(fault) => fault,
        other => panic!("{other}"),
    }
}

/// What is found after a change of the record of an entry of the run.
fn changed(seq: u64, change: impl FnOnce(&mut Value)) -> ChildFault {
    let mut forged = Forged::new();
    forged.record(forged.run, seq, change);
    of_children(&mut forged)
}

fn proposal(delegation: &mut Value) -> &mut Value {
    &mut delegation["origin"]["proposal"]
}

#[test]
fn an_entry_without_the_staged_proposal_of_a_delegation() {
    let mut forged = Forged::new();
    forged.entry(forged.run, DELEGATION).blobs.clear();
    forged.record(forged.run, DELEGATION, |record| record["origin"] = json!({"dispatch": EntryId([1; 32])}));
    assert_eq!(of_children(&mut forged), ChildFault::Proposal);

    let bare =
        |record: &mut Value| drop(proposal(record)["decision"]["quote"].as_object_mut().unwrap().remove("child"));
    assert_eq!(changed(DELEGATION, bare), ChildFault::Proposal);

    // That of a call, which is staged as well.
    let mut forged = Forged::new();
    let call: Value = serde_json::from_slice(&forged.entry(forged.run, SECOND_DELEGATION + 1).record).unwrap();
    forged.entry(forged.run, SECOND_DELEGATION).blobs.clear();
    forged.record(forged.run, SECOND_DELEGATION, |record| {
        *proposal(record) = call["proposal"].clone();
    });
    assert_eq!(of_children(&mut forged), ChildFault::Proposal);
}

#[test]
fn a_proposal_that_is_not_staged() {
    let mut forged = Forged::new();
    let waits = json!({"suspended": {"channel": "operator", "reason": "why not"}});
    forged.record(forged.run, DELEGATION, |record| proposal(record)["decision"]["status"] = waits);
    assert!(matches!(found(&mut forged), FaultKind::NotStaged(_)));
}

#[test]
fn another_child_than_the_proposal_starts() {
    let Forged { below, .. } = Forged::new();
    let fault = changed(DELEGATION, |record| record["child"] = json!(below));
    assert_eq!(fault, ChildFault::Child(below));
}

#[test]
fn another_number_of_children_than_there_are() {
    let counts =
        |said: u64| move |record: &mut Value| proposal(record)["decision"]["quote"]["child"]["children"] = json!(said);
    assert_eq!(changed(DELEGATION, counts(1)), ChildFault::Count { said: 1, found: 0 });
    assert_eq!(changed(SECOND_DELEGATION, counts(0)), ChildFault::Count { said: 0, found: 1 });

    // Nor does a refusal rest on another one.
    let too_deep = Intent::delegate(json!({"depth": 3, "task": "a part", "tools": ["act"]}));
    let mut forged = Forged::after(|run| drop(block_on(run.submit(too_deep)).unwrap()));
    forged.record(forged.run, SECOND_DELEGATION + 1, |record| {
        record["refused"]["decision"]["quote"]["child"]["children"] = json!(3);
    });
    assert_eq!(of_children(&mut forged), ChildFault::Count { said: 3, found: 2 });
}

#[test]
fn a_result_of_no_open_child() {
    let stranger = EntryId([1; 32]);
    let fault = changed(RESULT, |record| record["delegation"] = json!(stranger));
    assert_eq!(fault, ChildFault::NotOpen(stranger));

    let mut forged = Forged::new();
    let at = forged.at(forged.run, RESULT);
    let again = forged.copy.log[at].clone();
    forged.copy.log.insert(at + 1, again);
    assert!(matches!(of_children(&mut forged), ChildFault::NotOpen(_)));
}

#[test]
fn a_run_that_ended_and_says_nothing_of_a_child() {
    let mut forged = Forged::after(|run| {
        block_on(run.close()).unwrap();
    });
    forged.remove(forged.run, SECOND_DELEGATION + 1);
    assert_eq!(of_children(&mut forged), ChildFault::LeftOpen(forged.second));
}

#[test]
fn the_plan_is_that_of_the_contract() {
    let mut forged = Forged::new();
    let run = forged.run;
    forged.record(run, DELEGATION, |record| {
        let proposal: &mut Value = proposal(record);
        let read: Proposal = serde_json::from_value(proposal.clone()).unwrap();
        let (intent, contract) = (read.intent.id().unwrap(), read.resolved.unwrap().contract);
        let resolved = Resolved::new(run, intent, read.writ, contract, Plan::Call).unwrap();
        proposal["resolved"] = serde_json::to_value(resolved).unwrap();
    });
    assert!(matches!(found(&mut forged), FaultKind::Proposal));
}

#[test]
fn only_a_call_is_dispatched_committed_or_fails() {
    for kind in [Kind::Dispatch, Kind::Commit, Kind::Failure] {
        let mut forged = Forged::new();
        let entry: &mut Entry = forged.entry(forged.run, DELEGATION);
        entry.header.kind = kind.code();
        forged.record(forged.run, DELEGATION, |record| {
            let held = proposal(record).clone();
            let (quote, output) = (&held["decision"]["quote"], &held["intent"]["args"]);
            let mut outcome = json!({"cost": quote["cost"], "origin": {"proposal": held}});
            let more = match kind {
                Kind::Commit => {
                    json!({"delta": [], "observation": {"output": output}, "world_root": EntryId::ZERO})
                }
                _ => json!({"cause": "not_done", "effect": "none"}),
            };
            outcome.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            *record = match kind {
                Kind::Dispatch => json!({"proposal": held, "reserved": quote["cost"]}),
                _ => outcome,
            };
        });
        assert!(matches!(found(&mut forged), FaultKind::Proposal), "{kind}");
    }
}

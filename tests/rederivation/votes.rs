//! Votes are counted again, and a decision rests on them and on no others.

use futures::executor::block_on;
use openthymos::{
    approval::{RequestFault, VoteFault},
    canon::{EntryId, Nonce},
    ledger::{Kind, record::Outcome},
    replay::{FaultKind, Part, ReplayError},
    runtime::{Answer, Run, Submitted},
};
use serde_json::{Value, json};

use crate::{common::*, forged::Forged, honest::Machine, rederives, replayed};

/// A call that waits for approval.
fn ask(run: &Run, amount: u64) -> EntryId {
    match submit(run, "act", json!({ "amount": amount })) {
        Submitted::Suspended { entry, .. } => entry,
        other => panic!("{other:?}"),
    }
}

/// Asked for, approved and done: request, vote, outcome, dispatch, commit.
fn approved() -> Forged {
    let mut machine = Machine::new();
    let run = machine.start(&signed(writ()));
    let request = ask(&run, 50);
    assert_eq!(block_on(run.vote(Answer::approve(request))).unwrap().outcome, Some(Outcome::Approved));
    assert_eq!(block_on(run.carry_on()).unwrap().len(), 1);
    let expected = [Kind::Root, Kind::PendingApproval, Kind::Vote, Kind::ApprovalOutcome, Kind::Dispatch, Kind::Commit];
    assert_eq!(machine.fixture.kinds(&run.id()), expected);
    Forged::of(&machine, run.id())
}

/// Asked for and denied, and a call of the same tool with this amount after it: request, vote, outcome, decision.
fn denied(amount: u64) -> Forged {
    let mut machine = Machine::new();
    let run = machine.start(&signed(writ()));
    let request = ask(&run, 50);
    assert_eq!(block_on(run.vote(Answer::deny(request))).unwrap().outcome, Some(Outcome::Denied));
    submit(&run, "act", json!({ "amount": amount }));
    Forged::of(&machine, run.id())
}

/// What a plain replay finds at an entry.
fn fault(forged: &mut Forged, seq: u64) -> RequestFault {
    forged.seal();
    match replayed(&forged.copy, &forged.run, false) {
        Err(ReplayError::Fault(fault)) if fault.seq == seq => match fault.reason {
            FaultKind::Request(fault) => fault,
            other => panic!("{other}"),
        },
        Err(other) => panic!("expected entry {seq}, found {other}"),
        Ok(_) => panic!("the change passed"),
    }
}

/// What is found of a change to a record of the run that was approved.
fn found(at: u64, seq: u64, change: impl FnOnce(&mut Value)) -> RequestFault {
    fault(approved().record(at, change), seq)
}

#[test]
fn what_nobody_changed_follows() {
    for mut forged in [approved(), denied(50), denied(51)] {
        forged.seal().passes_plainly();
        rederives(&forged.copy, &forged.run);
    }
}

#[test]
fn a_vote_that_was_cast_on_something_else() {
    let bound = |fault| match fault {
        RequestFault::Vote(VoteFault::Bound { what }) => what,
        other => panic!("{other}"),
    };
    let statement = |member: &'static str| move |vote: &mut Value| vote["statement"][member] = json!("2".repeat(64));
    assert_eq!(bound(found(2, 2, statement("proposal"))), "proposal");
    assert_eq!(bound(found(2, 2, statement("decision"))), "decision");
    assert_eq!(bound(found(2, 2, statement("policy_set"))), "policy set");
    assert_eq!(bound(found(2, 2, statement("roster"))), "roster");
    // What was shown was something else.
    let mut forged = approved();
    forged.decision(1, |decision| decision["quote"]["probe"] = json!("2".repeat(64)));
    assert_eq!(bound(fault(&mut forged, 2)), "decision");
    let other = EntryId([9; 32]);
    let fault = found(2, 2, |vote| vote["pending"] = json!(other));
    assert_eq!(fault, RequestFault::NotWaiting(other));
}

#[test]
fn a_vote_that_does_not_count() {
    let lapsed = found(2, 2, |vote| vote["statement"]["expires_at_ms"] = json!(START_MS));
    assert!(matches!(lapsed, RequestFault::Vote(VoteFault::Expired { .. })));
    let stranger = |vote: &mut Value| {
        vote["statement"]["approver"] = json!(named(STRANGER));
        vote["signature"] = json!("1".repeat(128));
    };
    assert!(matches!(found(2, 2, stranger), RequestFault::Vote(VoteFault::Stranger { .. })));
    let half = found(2, 2, |vote| vote["statement"]["approver"] = json!(named(STRANGER)));
    assert_eq!(half, RequestFault::Vote(VoteFault::HalfSigned));
    // Its nonce is free: the same word at another time.
    let mut forged = approved();
    forged.record(2, |vote| vote["statement"]["nonce"] = json!(Nonce([3; 16]))).seal().passes_plainly();
}

#[test]
fn an_end_that_the_votes_do_not_give() {
    let ends = |change: &dyn Fn(&mut Value)| matches!(found(3, 3, change), RequestFault::Outcome(_));
    for outcome in ["denied", "expired"] {
        assert!(ends(&|end| end["outcome"] = json!(outcome)), "{outcome}");
    }
    assert!(ends(&|end| drop(end.as_object_mut().unwrap().remove("votes"))));
    assert!(ends(&|end| end["votes"] = json!([EntryId([9; 32])])));
    assert!(ends(&|end| end["released"] = json!({"tool_calls": 1})));
    // A no that was counted as a yes.
    assert!(matches!(found(2, 3, |vote| vote["statement"]["approve"] = json!(false)), RequestFault::Outcome(_)));
    let mut forged = denied(51);
    let outcome = fault(forged.record(3, |end| end["outcome"] = json!("approved")), 3);
    assert!(matches!(outcome, RequestFault::Outcome(_)));
}

#[test]
fn a_call_that_nobody_approved() {
    // As if the run had gone on without an answer.
    let mut forged = approved();
    let run = forged.run;
    forged.copy.log.retain(|(_, entry)| entry.header.trajectory != run || ![2, 3].contains(&entry.header.seq));
    for (_, entry) in forged.copy.log.iter_mut().filter(|(_, entry)| entry.header.trajectory == run) {
        entry.header.seq -= if entry.header.seq > 1 { 2 } else { 0 };
    }
    forged.copy.close_gaps();
    assert!(matches!(fault(&mut forged, 2), RequestFault::Unanswered(_)));
    // What is withdrawn is followed by the end of the run.
    let mut forged = approved();
    let end = |end: &mut Value| end["outcome"] = json!("withdrawn");
    forged.record(3, |record| drop(record.as_object_mut().unwrap().remove("votes"))).record(3, end).seal();
    let found = replayed(&forged.copy, &forged.run, false);
    assert!(
        matches!(found, Err(ReplayError::Fault(fault)) if fault.seq == 4 && matches!(fault.reason, FaultKind::Misplaced))
    );
}

#[test]
fn a_decision_on_other_votes() {
    let changed = |change: &dyn Fn(&mut Value)| fault(approved().decision(4, change), 4);
    let gone = |decision: &mut Value| drop(decision.as_object_mut().unwrap().remove("approvals"));
    assert_eq!(changed(&gone), RequestFault::Votes);
    assert_eq!(
        changed(&|decision| decision["approvals"][0]["approved"] = json!(["1".repeat(64)])),
        RequestFault::Votes
    );
    assert_eq!(changed(&|decision| decision["approvals"][0]["quorum"] = json!(2)), RequestFault::Votes);
    assert_eq!(changed(&|decision| decision["approvals"][0]["channel"] = json!("friends")), RequestFault::Votes);
    // Votes that no request ever got.
    let mut forged = Forged::new();
    let votes = json!([{"approved": ["1".repeat(64)], "channel": "finance", "quorum": 1}]);
    assert_eq!(fault(forged.decision(3, |decision| decision["approvals"] = votes), 3), RequestFault::Votes);
}

#[test]
fn a_denial_that_is_forgotten_or_held_against_another_call() {
    // Which arguments were denied is known where decisions are derived again.
    let mut forged = denied(50);
    let gone = |decision: &mut Value| drop(decision.as_object_mut().unwrap().remove("approvals"));
    assert_eq!(forged.decision(4, gone).seal().passes_plainly().names(4), [Part::Approvals]);
    let mut evidence = Value::Null;
    denied(50).decision(4, |decision| evidence = decision["approvals"].clone());
    let mut forged = denied(51);
    let parts = forged.decision(4, |decision| decision["approvals"] = evidence).seal().passes_plainly().names(4);
    assert_eq!(parts, [Part::Approvals]);
}

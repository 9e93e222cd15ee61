//! Even with the runtime's key: a run is undone only by what was presented for it, newest first, by the recorded calls, nothing twice
//! and nothing left out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that goes wrong should stop the test"
)]

mod common;

use common::*;
use futures::executor::block_on;
use openthymos::{
    Commit,
    canon::{EffectsHash, EntryId, StoreId, TrajectoryId, to_canonical},
    commit::Origin,
    contract::Effect,
    crypto::Purpose,
    host::SeededEntropy,
    ledger::{
        Entry, Kind,
        record::{Compensation, Dispatch, Target},
    },
    replay::{self, FaultKind, Pins, Replayer, UndoFault, Verdict},
    runtime::{RollbackTo, Under},
    tool::ToolOutput,
    writ::{WritBuilder, WritChain},
};
use serde_json::json;

const OPERATOR: u8 = 31;

fn chain(issuer: u8, tenant: &str) -> WritChain {
    let writ = WritBuilder::root(named(issuer), named(OPERATOR)).any_store().scopes([scope("*")]).budget(PLENTY);
    let writ = writ.effects_up_to(Effect::Write).tenant(tenant);
    block_on(writ.sign_with(&key(issuer), &SeededEntropy::new(99))).unwrap()
}

/// A run with two effects, of which both were undone after its end: entries 1 to 4, 5 the end, 6 the plan, 7 to 10 the steps.
fn undone() -> (Fixture, TrajectoryId) {
    let fixture = Fixture::default();
    let undo = |call: openthymos::tool::Call| {
        let amount = call.args["amount"].as_i64().unwrap();
        Ok(ToolOutput::new("set").undone_by("set".parse().unwrap(), json!({"amount": amount - 1})))
    };
    let runtime = fixture.open([TestTool::host("set").calling(undo)]);
    let run = start(&runtime, &signed(writ()));
    for amount in [1, 2] {
        submit(&run, "set", json!({"amount": amount}));
    }
    block_on(run.close()).unwrap();
    let (writ, subject) = (chain(ISSUER, "default"), key(OPERATOR));
    let under = Under::writ(&writ, &subject);
    let rollback = block_on(runtime.compensate_to(&run.id(), RollbackTo::Start, under)).unwrap();
    assert_eq!(rollback.undone.len(), 2);
    (fixture, run.id())
}

/// Replays the run after a change to its entries that were chained and signed anew.
fn replayed(change: impl FnOnce(&mut Vec<Entry>)) -> Result<replay::Report, FaultKind> {
    let (fixture, run) = undone();
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

fn fault(change: impl FnOnce(&mut Vec<Entry>)) -> UndoFault {
    match replayed(change) {
        Err(FaultKind::Undo(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn rewrite(entry: &mut Entry, body: &impl serde::Serialize) {
    entry.record = to_canonical(body).unwrap().into();
    entry.header.record = entry.record_hash();
}

/// Changes what was presented; whoever holds the operator's key signs it again.
fn presented(seed: u8, change: impl FnOnce(&mut Compensation)) -> UndoFault {
    fault(|entries| {
        let mut body: Compensation = entries[6].body().unwrap();
        change(&mut body);
        body.signature = key(seed).sign(Purpose::Compensation, body.statement.hash().unwrap().as_bytes());
        rewrite(&mut entries[6], &body);
    })
}

fn present(body: &mut Compensation, chain: &WritChain) {
    body.chain = chain.signed().to_vec();
    body.statement.writ = chain.id();
}

#[test]
fn an_untouched_undo_verifies() {
    assert_eq!(replayed(|_| {}).unwrap().verdict(), Verdict::Verified);
    let (fixture, run) = undone();
    assert_eq!(fixture.kinds(&run)[6], Kind::Compensation);
}

#[test]
fn what_is_presented_is_signed_for_this_run_by_the_subject_of_another_writ_of_its_tenant() {
    assert!(matches!(presented(AGENT, |_| {}), UndoFault::Signature(_)));
    let store = |body: &mut Compensation| body.statement.store = StoreId([1; 32]);
    assert_eq!(presented(OPERATOR, store), UndoFault::Statement);
    let run = |body: &mut Compensation| body.statement.trajectory = TrajectoryId([1; 32]);
    assert_eq!(presented(OPERATOR, run), UndoFault::Statement);
    let stranger = presented(OPERATOR, |body| present(body, &chain(STRANGER, "default")));
    assert!(matches!(stranger, UndoFault::Untrusted(_)));
    assert_eq!(presented(OPERATOR, |body| present(body, &chain(ISSUER, "another"))), UndoFault::Tenant);
    assert_eq!(presented(AGENT, |body| present(body, &signed(writ()))), UndoFault::OwnWrit);
}

#[test]
fn a_plan_leaves_nothing_out_and_names_nothing_that_is_not_there() {
    let plan = |change: fn(&mut Vec<Target>)| presented(OPERATOR, |body| change(&mut body.statement.plan));
    assert_eq!(plan(|plan| drop(plan.pop())), UndoFault::Plan);
    assert_eq!(plan(|plan| drop(plan.remove(0))), UndoFault::Plan);
    assert_eq!(plan(|plan| plan.reverse()), UndoFault::Plan);
    assert_eq!(plan(|plan| plan[0].undo = None), UndoFault::Plan);
    assert_eq!(plan(|plan| plan[1].seq = 3), UndoFault::Plan);
    assert_eq!(plan(|plan| plan.push(plan[0].clone())), UndoFault::Plan);
    assert_eq!(presented(OPERATOR, |body| body.statement.base = EffectsHash([1; 32])), UndoFault::Plan);
    // What is kept is not undone.
    assert_eq!(plan(|plan| plan[1].keep = true), UndoFault::Call(undone().0.entry(&undone().1, 2).id()));
}

#[test]
fn each_step_says_what_it_undoes_and_undoes_the_newest() {
    let dispatch = |at: usize, compensates| {
        fault(|entries| {
            let body: Dispatch = entries[at].body().unwrap();
            rewrite(&mut entries[at], &Dispatch { compensates, ..body });
        })
    };
    let (fixture, run) = undone();
    let (older, newer) = (fixture.entry(&run, 2).id(), fixture.entry(&run, 4).id());
    assert_eq!(dispatch(7, None), UndoFault::Order(newer));
    assert_eq!(dispatch(7, Some(older)), UndoFault::Order(newer));
    assert_eq!(dispatch(1, Some(EntryId([1; 32]))), UndoFault::Unpresented(EntryId([1; 32])));
    let commit = |compensates| {
        fault(|entries| {
            let body: Commit = entries[8].body().unwrap();
            rewrite(&mut entries[8], &Commit { compensates, ..body });
        })
    };
    assert_eq!(commit(None), UndoFault::Order(newer));
    assert_eq!(commit(Some(older)), UndoFault::Order(newer));
}

#[test]
fn nothing_is_undone_without_a_plan_out_of_order_or_twice() {
    // The second step in the place of the first.
    let skipped = fault(|entries| {
        drop(entries.drain(7..9));
        entries[7].header.base_seq = 4;
    });
    assert!(matches!(skipped, UndoFault::Call(_)));
    // Both once more, as a holder of the runtime's key would repeat them.
    let twice = fault(|entries| {
        let mut again: Dispatch = entries[7].body().unwrap();
        again.compensates = Some(entries[2].id());
        let mut entry = entries[7].clone();
        rewrite(&mut entry, &again);
        entry.header.base_seq = 10;
        entries.push(entry);
    });
    assert_eq!(twice, UndoFault::Unplanned);
    // Without the plan the writ is nobody's, and the run is over.
    let unpresented = replayed(|entries| drop(entries.remove(6)));
    assert!(matches!(unpresented, Err(FaultKind::AfterEnd)), "{unpresented:?}");
}

#[test]
fn after_the_end_only_undoing_goes_on() {
    // A call under the run's own writ, dispatched before the end, has no outcome after it.
    let late = replayed(|entries| {
        let commit = entries.remove(4);
        entries.insert(5, commit);
    });
    assert!(late.is_err(), "{late:?}");
    let own = |entries: &mut Vec<Entry>| {
        let entry = entries[1].clone();
        entries.insert(6, entry);
    };
    assert!(replayed(own).is_err());
    let origin = |entry: &Entry| entry.body::<Commit>().unwrap().origin;
    assert!(matches!(origin(&undone().0.entry(&undone().1, 8)), Origin::Dispatch(_)));
}

use futures::executor::block_on;
use openthymos::{
    canon::{TrajectoryId, to_canonical},
    ledger::Header,
    replay::{FaultKind, ReplayError, StoreFault},
    runtime::{Run, Submitted},
    writ::{Amounts, Dimension, WritChain},
};
use serde_json::{Value, json};

use crate::{
    Altered,
    common::{Fixture, PLENTY, signed, start, submit, writ},
    copied,
    honest::{BUDGET, open},
    in_memory,
};

fn edit(text: String, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(&text).unwrap();
    change(&mut value);
    String::from_utf8(to_canonical(&value).unwrap()).unwrap()
}

/// The fault of the run itself.
fn run_fault(copy: &Altered, run: &TrajectoryId) -> (u64, FaultKind) {
    match copy.error() {
        ReplayError::Run { run: of, source } if of == *run => match *source {
            ReplayError::Fault(fault) => (fault.seq, fault.reason),
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

/// The seq of the first entry of a kind.
fn seq_of(copy: &Altered, run: &TrajectoryId, kind: &str) -> u64 {
    let entries = copy.entries(run);
    let found = entries.iter().find(|(_, entry)| entry.header.known_kind().unwrap().as_str() == kind);
    found.unwrap().1.header.seq
}

/// Makes a model's turn cost less, and the run's end sum it up.
fn cheaper(copy: &mut Altered, run: &TrajectoryId, by: u64) {
    let turn = seq_of(copy, run, "turn");
    copy.forge(run, |seq, text| {
        edit(text, |record| {
            for amounts in [(seq == turn).then_some("/usage/tokens"), Some("/spent/tokens")].into_iter().flatten() {
                if let Some(tokens) = record.pointer_mut(amounts) {
                    *tokens = (tokens.as_u64().unwrap() - by).into();
                }
            }
        })
    });
}

#[test]
fn an_amount_that_was_edited_and_signed_anew() {
    let (store, mut copy) = copied();
    cheaper(&mut copy, &store.driven, 30);
    let (name, rebuilt, stored) = copy.register();
    assert!(name.contains(&store.driven.to_string()), "{name}");
    assert_ne!(rebuilt, stored);
    // With the runtime's key and all registers in hand, the ledger can be written anew: nothing in it tells.
    copy.spent(&store.driven, |spent| Amounts { tokens: spent.tokens - 30, ..spent });
    assert!(copy.verify(Default::default()).unwrap().pinned.is_none());
}

#[test]
fn a_cost_above_the_quote() {
    let (store, mut copy) = copied();
    let commit = seq_of(&copy, &store.child, "commit");
    copy.forge(&store.child, |seq, text| {
        edit(text, |record| {
            if seq == commit {
                record["cost"]["tool_calls"] = 3.into();
            }
        })
    });
    let (seq, reason) = run_fault(&copy, &store.child);
    assert!(matches!(reason, FaultKind::Cost(Dimension::ToolCalls)) && seq == commit, "{reason}");
}

#[test]
fn a_balance_above_what_the_run_itself_left() {
    let (store, mut copy) = copied();
    let dispatches: Vec<u64> = copy.entries(&store.child).iter().map(|(_, entry)| entry.header.seq).collect();
    // The world-only call is decided after a call was spent.
    let last = dispatches[3];
    copy.forge(&store.child, |seq, text| {
        edit(text, |record| {
            if seq == last {
                record["origin"]["proposal"]["decision"]["balances"][1]["tool_calls"] = 5.into();
            }
        })
    });
    let (seq, reason) = run_fault(&copy, &store.child);
    assert!(matches!(reason, FaultKind::Balance { said: 5, most: 4, .. }) && seq == last, "{reason}");
}

#[test]
fn a_balance_that_overlooks_what_other_runs_spent() {
    let (store, mut copy) = copied();
    let dispatch = seq_of(&copy, &store.driven, "dispatch");
    let position = copy.position(&store.driven, dispatch);
    // Of itself the run has spent one call by then.
    let said = BUDGET.tool_calls - 1;
    copy.forge(&store.driven, |seq, text| {
        edit(text, |record| {
            if seq == dispatch {
                record["proposal"]["decision"]["balances"][0]["tool_calls"] = said.into();
            }
        })
    });
    match copy.fault() {
        StoreFault::Balance { position: at, run, dimension: Dimension::ToolCalls, said: of, most, .. } => {
            assert_eq!((at, run, of), (position, store.driven, said));
            assert!(most < said);
        }
        other => panic!("{other}"),
    }
}

/// A writ for one call.
fn tight() -> WritChain {
    signed(writ().budget(Amounts { tool_calls: 1, ..PLENTY }))
}

fn calls(run: &Run) {
    let done = submit(run, "send", json!({}));
    assert!(matches!(done, Submitted::Committed { .. }), "{done:?}");
}

#[test]
fn two_runs_that_together_exceed_the_budget_of_their_writ() {
    // Two runtimes on one store, which nobody should have: each knows half of the account.
    let store = in_memory();
    let (one, other) = (start(&store.runtime, &tight()), start(&store.runtime, &tight()));
    let second = open(&store.ledger, &Fixture::default());
    let other = block_on(second.resume(&other.id())).unwrap();
    calls(&one);
    calls(&other);
    let copy = Altered::of(&store.ledger);
    let position = copy.position(&other.id(), seq_of(&copy, &other.id(), "dispatch"));
    match copy.fault() {
        StoreFault::Overdrawn { position: at, run, writ, dimension: Dimension::ToolCalls, granted: 2, budget: 1 } => {
            assert_eq!((at, run, writ), (position, other.id(), tight().id()));
        }
        fault => panic!("{fault}"),
    }
}

#[test]
fn a_decision_that_overlooks_what_is_spent_already() {
    let store = in_memory();
    let (one, other) = (start(&store.runtime, &tight()), start(&store.runtime, &tight()));
    let second = open(&store.ledger, &Fixture::default());
    let other = block_on(second.resume(&other.id())).unwrap();
    calls(&one);
    // A refusal in between: from here on the run cannot have been decided as if nothing had been spent.
    submit(&other, "gone", json!({}));
    calls(&other);
    let copy = Altered::of(&store.ledger);
    match copy.fault() {
        StoreFault::Balance { run, dimension: Dimension::ToolCalls, said: 1, most: 0, .. } => {
            assert_eq!(run, other.id());
        }
        fault => panic!("{fault}"),
    }
}

#[test]
fn a_resumption_that_does_not_tell_what_was_left() {
    let (store, honest) = copied();
    let resumed: Vec<u64> = honest
        .entries(&store.left)
        .iter()
        .filter(|(_, entry)| entry.header.known_kind().unwrap().as_str() == "resumed")
        .map(|(_, entry)| entry.header.seq)
        .collect();
    let [turn, doubt] = resumed[..] else { panic!("{resumed:?}") };
    for (at, change) in [
        (turn, (|record: &mut Value| record["debited"]["tokens"] = 1.into()) as fn(&mut Value)),
        (doubt, |record| drop(record.as_object_mut().unwrap().remove("in_doubt"))),
        (doubt, |record| record["debited"]["tokens"] = 1.into()),
    ] {
        let mut copy = honest.clone();
        copy.forge(&store.left, |seq, text| if seq == at { edit(text, change) } else { text });
        let (seq, reason) = run_fault(&copy, &store.left);
        assert!(matches!(reason, FaultKind::Untold) && seq == at, "{reason}");
    }
}

#[test]
fn a_proposal_that_was_dispatched_twice() {
    let (store, mut copy) = copied();
    let run = store.outcomes;
    let entries = copy.entries(&run);
    let dispatch = entries.iter().find(|(_, entry)| entry.header.known_kind().unwrap().as_str() == "dispatch").unwrap();
    let last = entries.last().unwrap().1.header;
    let base_seq = last.seq;
    let mut again = dispatch.1.clone();
    again.header = Header { kind: again.header.kind, blobs: again.header.blobs, base_seq, ..last };
    copy.log.push((copy.log.len() as u64, again));
    let end = entries.len() as u64;
    copy.forge(&run, |seq, text| {
        edit(text, |record| {
            if seq == end {
                record["proposal"]["decision"]["balances"][0]["tool_calls"] = 1.into();
                record["proposal"]["decision"]["balances"][0]["wall_clock_ms"] = 100_000.into();
            }
        })
    });
    let (seq, reason) = run_fault(&copy, &run);
    assert!(matches!(reason, FaultKind::DispatchedTwice(_)) && seq == end, "{seq} {reason}");
}

#[test]
fn a_call_that_was_staged_without_the_balance_for_it() {
    let (store, mut copy) = copied();
    let dispatch = seq_of(&copy, &store.child, "dispatch");
    copy.forge(&store.child, |seq, text| {
        edit(text, |record| {
            if seq == dispatch {
                record["proposal"]["decision"]["balances"][1].as_object_mut().unwrap().remove("tool_calls");
            }
        })
    });
    let (seq, reason) = run_fault(&copy, &store.child);
    assert!(matches!(reason, FaultKind::Cost(Dimension::ToolCalls)) && seq == dispatch, "{reason}");
}

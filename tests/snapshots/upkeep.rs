//! Snapshots are few and small, hold no values, and are missed by nobody.

use std::sync::atomic::Ordering;

use openthymos::{
    cognition::{Mock, Request},
    ledger::StoredBlob,
    replay::since_snapshot,
    runtime::{Limits, Run},
};
use serde_json::json;

use super::{one::One, *};

fn set(run: &Run, number: u64) {
    let args =
        json!({"key": format!("key {}", number % 4), "version": number / 4, "value": format!("secret {number}")});
    assert!(matches!(submit(run, "set", args), openthymos::Submitted::Committed { .. }));
}

/// The seqs of all snapshots of a run, the last first.
fn kept(ledger: &dyn LedgerStore, run: &TrajectoryId) -> Vec<(u64, openthymos::canon::Bytes)> {
    let mut found = Vec::new();
    let mut up_to = Some(u64::MAX);
    while let Some(next) = up_to.and_then(|up_to| block_on(ledger.snapshot(run, up_to)).unwrap()) {
        up_to = next.0.checked_sub(1);
        found.push(next);
    }
    found
}

#[test]
fn they_are_taken_at_the_interval_and_hold_no_values() {
    let fixture = fixture();
    let run = start(&open(&fixture, 40), &signed(writ()));
    (0..200).for_each(|number| set(&run, number));
    let kept = kept(&*fixture.ledger, &run.id());
    assert_eq!(kept.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [200, 160, 120, 80, 40]);
    for (_, bytes) in kept {
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
    }
}

#[test]
fn a_large_world_is_kept_seldom() {
    let fixture = fixture();
    let run = start(&open(&fixture, 1), &signed(writ()));
    for number in 0..100 {
        submit(&run, "set", json!({"key": format!("{number}"), "value": "v"}));
    }
    submit(&run, "fail", json!({}));
    assert!(kept(&*fixture.ledger, &run.id()).is_empty());
    (0..700).for_each(|_| drop(submit(&run, "nothing", json!({}))));
    assert_eq!(kept(&*fixture.ledger, &run.id()).len(), 1);
}

#[test]
fn taking_a_run_up_reads_what_follows_the_last_one() {
    let fixture = fixture();
    let run = start(&open(&fixture, 100), &signed(writ()));
    (0..450).for_each(|number| set(&run, number));
    let id = run.id();
    drop(run);
    let snapshot = block_on(fixture.ledger.snapshot(&id, u64::MAX)).unwrap();
    let read = [snapshot, None].map(|snapshot| {
        let one = Arc::new(One::of(&fixture.ledger, snapshot));
        let builder = fixture.builder().shared_ledger(one.clone()).trust(named(AGENT), [Role::Approver]).tools(tools());
        let runtime = block_on(builder.open()).unwrap();
        let before = one.read.load(Ordering::SeqCst);
        assert_eq!(block_on(block_on(runtime.resume(&id)).unwrap().world()).len(), 4);
        one.read.load(Ordering::SeqCst) - before
    });
    assert!(read[0] < 100 && read[1] > 450, "{read:?}");
}

#[test]
fn a_long_replay_leaves_one_for_the_next() {
    let fixture = fixture();
    let run = start(&open(&fixture, 0), &signed(writ()));
    (0..60).for_each(|number| set(&run, number));
    let id = run.id();
    drop(run);
    assert!(kept(&*fixture.ledger, &id).is_empty());
    block_on(open(&fixture, 50).resume(&id)).unwrap();
    assert_eq!(kept(&*fixture.ledger, &id).len(), 1);
    assert_eq!(block_on(since_snapshot(&*fixture.ledger, &id, None)).unwrap().0.entries, 1);
}

#[test]
fn the_end_of_a_run_is_kept_where_that_pays() {
    let fixture = fixture();
    for (entries, pays) in [(4, false), (20, true)] {
        let run = start(&open(&fixture, 80), &signed(writ()));
        (0..entries).for_each(|number| set(&run, number));
        block_on(run.close()).unwrap();
        assert_eq!(!kept(&*fixture.ledger, &run.id()).is_empty(), pays);
    }
}

#[test]
fn the_end_of_a_driven_run_is_kept_after_a_turn_that_only_answers() {
    let fixture = fixture();
    let run = start(&open(&fixture, 80), &signed(writ()));
    let step = |number: u64| vec![Request::call("set", json!({"key": format!("key {number}"), "value": "v"}))];
    let mut cognition = Mock::script((0..6).map(step).collect()).answering("done");
    let summary = block_on(run.drive(&mut cognition, Limits::default())).unwrap();
    let kept = kept(&*fixture.ledger, &run.id());
    assert_eq!(kept.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [summary.head_seq]);
    let (_, folded) = block_on(since_snapshot(&*fixture.ledger, &run.id(), None)).unwrap();
    assert!(folded.unanswered.is_empty() && folded.ended.is_some());
}

#[test]
fn a_store_that_cannot_keep_them_disturbs_nobody() {
    let fixture = fixture();
    let one = Arc::new(One::of(&fixture.ledger, None));
    let builder = fixture.builder().shared_ledger(one).trust(named(AGENT), [Role::Approver]).tools(tools());
    let runtime = block_on(builder.snapshot_every(2).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    (0..10).for_each(|number| set(&run, number));
    let id = run.id();
    drop(run);
    block_on(runtime.resume(&id)).unwrap();
    verified(&runtime, &id);
}

#[test]
fn a_value_that_is_gone_is_gone_here_too() {
    let fixture = fixture();
    let run = start(&open(&fixture, 4), &signed(writ()));
    (0..40).for_each(|number| set(&run, number));
    let id = run.id();
    assert!(block_on(since_snapshot(&*fixture.ledger, &id, None)).is_some());
    // Nobody says that it was erased, so the fold from the start has to tell.
    let erased = Arc::new(openthymos::ledger::MemoryLedger::new());
    for (_, mut entry) in block_on(fixture.ledger.scan(openthymos::ledger::Position(0), usize::MAX)).unwrap() {
        if (entry.header.trajectory, entry.header.seq) == (id, 31) {
            entry.blobs = entry.blobs.iter().map(|blob| StoredBlob::Erased(blob.commitment())).collect();
        }
        block_on(erased.append(openthymos::ledger::Batch { entries: vec![entry], registers: vec![] })).unwrap();
    }
    let set = |(key, value)| openthymos::ledger::RegisterOp::Set { key, value: Some(value) };
    let registers = block_on(fixture.ledger.registers(&[], None, usize::MAX)).unwrap().into_iter().map(set).collect();
    block_on(erased.append(openthymos::ledger::Batch { entries: vec![], registers })).unwrap();
    let one = One::of(&erased, block_on(fixture.ledger.snapshot(&id, u64::MAX)).unwrap());
    assert!(block_on(since_snapshot(&one, &id, None)).is_none());
}

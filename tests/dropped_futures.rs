//! A call whose caller goes away is neither cancelled nor lost nor repeated: the next call on the run carries it on.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use common::*;
use futures::{FutureExt, StreamExt, channel::oneshot, executor::block_on};
use openthymos::{
    canon::{Bytes, TrajectoryId, WritId},
    contract::Effect,
    crypto::Secret,
    host::{SecretError, SecretStore},
    intent::Intent,
    ledger::{
        Batch, Entry, Head, Kind, LedgerStore, MemoryLedger, Position, RegisterKey, StoreError,
        record::{EndReason, FailureCause, WhatHappened},
    },
    runtime::{EventKind, Run, RunError, Runtime, StartError, Submitted},
    tool::{ToolError, ToolOutput},
};
use serde_json::json;

/// A tool that answers when it is told to.
fn waiting(name: &str) -> (TestTool, oneshot::Sender<ToolOutput>) {
    let (sender, receiver) = oneshot::channel();
    let receiver = Mutex::new(Some(receiver));
    let tool = TestTool::host(name).with(|tool| {
        tool.call = Box::new(move |_| {
            let receiver = receiver.lock().unwrap().take();
            async move {
                match receiver {
                    Some(receiver) => receiver.await.map_err(|_| ToolError::Failed("nobody answers".into())),
                    None => Ok(ToolOutput::new("again")),
                }
            }
            .boxed()
        });
    });
    (tool, sender)
}

fn open() -> (Fixture, Runtime, Run, Counter, oneshot::Sender<ToolOutput>) {
    let fixture = Fixture::default();
    let (tool, sender) = waiting("slow");
    let counter = tool.counter();
    let look = TestTool::world("look").with(|tool| tool.contract.effect = Effect::Read);
    let runtime = fixture.open([tool, look]);
    let run = start(&runtime, &signed(writ()));
    (fixture, runtime, run, counter, sender)
}

/// Submits, and goes away once the tool has been called.
fn submit_and_leave(run: &Run) {
    let mut call = Box::pin(run.submit(Intent::act("slow", json!({}))));
    assert!((&mut call).now_or_never().is_none());
}

#[test]
fn the_next_call_joins_it_and_the_tool_is_called_once() {
    let (fixture, runtime, run, counter, sender) = open();
    submit_and_leave(&run);
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Dispatch]);
    sender.send(ToolOutput::new("late")).unwrap();
    let next = submit(&run, "look", json!({}));
    assert!(matches!(next, Submitted::Committed { seq: 3, .. }), "{next:?}");
    assert_eq!(
        (counter.get(), fixture.kinds(&run.id())),
        (1, vec![Kind::Root, Kind::Dispatch, Kind::Commit, Kind::Commit])
    );
    assert!(verified(&runtime, &run.id()).in_doubt.is_empty());
}

#[test]
fn reading_the_run_joins_it_too() {
    let (_fixture, runtime, run, counter, sender) = open();
    submit_and_leave(&run);
    let clone = run.clone();
    let reader = std::thread::spawn(move || block_on(clone.spent()));
    sender.send(ToolOutput::new("late")).unwrap();
    let (spent, held) = reader.join().unwrap();
    assert_eq!((spent.tool_calls, held.tool_calls, counter.get()), (1, 0, 1));
    assert_eq!(verified(&runtime, &run.id()).commits, 1);
}

#[test]
fn callers_that_come_and_go_do_not_repeat_it() {
    let (_fixture, runtime, run, counter, sender) = open();
    submit_and_leave(&run);
    for _ in 0..5 {
        let mut call = Box::pin(run.submit(Intent::act("look", json!({}))));
        assert!((&mut call).now_or_never().is_none());
    }
    sender.send(ToolOutput::new("late")).unwrap();
    assert!(matches!(submit(&run, "look", json!({})), Submitted::Committed { .. }));
    // Those who left before their turn came asked for nothing.
    assert_eq!((counter.get(), verified(&runtime, &run.id()).commits), (1, 2));
}

#[test]
fn cancel_stops_the_call_under_way_and_all_that_would_follow() {
    let (_fixture, runtime, run, counter, _sender) = open();
    let mut call = Box::pin(run.submit(Intent::act("slow", json!({}))));
    assert!((&mut call).now_or_never().is_none());
    run.cancel();
    let stopped = block_on(call).unwrap();
    let Submitted::Failed { cause: FailureCause::Cancelled, effect: WhatHappened::Unknown, .. } = stopped else {
        panic!("{stopped:?}")
    };
    let next = submit(&run, "slow", json!({"amount": 2}));
    assert!(
        matches!(next, Submitted::Failed { cause: FailureCause::NotDone, effect: WhatHappened::None, .. }),
        "{next:?}"
    );
    assert_eq!((counter.get(), verified(&runtime, &run.id()).in_doubt.len()), (1, 1));
}

#[test]
fn cancel_from_another_thread_reaches_a_call_that_blocks() {
    let fixture = Fixture::default();
    let (entered, wait) = std::sync::mpsc::channel();
    let entered = Mutex::new(entered);
    let tool = TestTool::host("act").calling(move |call| {
        entered.lock().unwrap().send(()).unwrap();
        while !call.cancel.is_cancelled() {
            std::thread::yield_now();
        }
        Err(ToolError::NotDone("stopped in time".into()))
    });
    let runtime = fixture.open([tool]);
    let run = start(&runtime, &signed(writ()));
    let other = run.clone();
    let canceller = std::thread::spawn(move || {
        wait.recv().unwrap();
        other.cancel();
    });
    let stopped = submit(&run, "act", json!({}));
    assert!(matches!(stopped, Submitted::Failed { cause: FailureCause::NotDone, .. }), "{stopped:?}");
    canceller.join().unwrap();
}

#[test]
fn a_call_left_behind_is_finished_before_the_run_is_closed() {
    let (fixture, runtime, run, counter, sender) = open();
    submit_and_leave(&run);
    sender.send(ToolOutput::new("late")).unwrap();
    block_on(run.close()).unwrap();
    let kinds = [Kind::Root, Kind::Dispatch, Kind::Commit, Kind::Terminated];
    assert_eq!((fixture.kinds(&run.id()), counter.get()), (kinds.to_vec(), 1));
    assert_eq!(verified(&runtime, &run.id()).ended, Some(EndReason::Closed));
    assert!(matches!(block_on(run.submit(Intent::act("look", json!({})))), Err(RunError::Ended)));
    assert!(matches!(block_on(run.close()), Err(RunError::Ended)));
}

#[test]
fn a_handle_that_another_one_has_overtaken_stops() {
    let (fixture, runtime, run, counter, sender) = open();
    submit_and_leave(&run);
    assert!(matches!(block_on(runtime.resume(&run.id())).err(), Some(StartError::UnderWay { .. })));
    let elsewhere = fixture.open([TestTool::host("slow"), TestTool::world("look")]);
    let other = block_on(elsewhere.resume(&run.id())).unwrap();
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Dispatch, Kind::Resumed]);
    sender.send(ToolOutput::new("late")).unwrap();
    assert!(matches!(block_on(run.submit(Intent::act("look", json!({})))), Err(RunError::Stale)));
    assert!(matches!(submit(&other, "look", json!({})), Submitted::Committed { .. }));
    let report = verified(&runtime, &run.id());
    assert_eq!((report.in_doubt.len(), counter.get()), (1, 1));
}

#[test]
fn a_handle_that_another_one_has_overtaken_asks_for_no_secret() {
    struct Asked(Arc<AtomicBool>);
    #[async_trait]
    impl SecretStore for Asked {
        async fn secret(&self, name: &str) -> Result<Secret, SecretError> {
            self.0.store(true, Ordering::SeqCst);
            Err(SecretError::NotFound(name.into()))
        }
    }
    let (fixture, asked) = (Fixture::default(), Arc::new(AtomicBool::new(false)));
    let builder = fixture.builder().secrets(Asked(Arc::clone(&asked))).tool(TestTool::world("look"));
    let runtime = block_on(builder.open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let _other = block_on(runtime.resume(&run.id())).unwrap();
    let submitted = block_on(run.submit(Intent::act("look", json!({ "code": { "$secret": "door" } }))));
    assert!(matches!(submitted, Err(RunError::Stale)), "{submitted:?}");
    assert!(!asked.load(Ordering::SeqCst));
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Resumed]);
}

#[test]
fn events_tell_what_happened_and_where_it_is_recorded() {
    let fixture = Fixture::default();
    let runtime = fixture.open([TestTool::host("act")]);
    let run = start(&runtime, &signed(writ()));
    let events = Arc::new(run.events());
    submit(&run, "act", json!({}));
    block_on(run.close()).unwrap();
    let entries = fixture.entries(&run.id());
    let id = run.id();
    drop((run, runtime));
    let events: Vec<_> = block_on(Arc::into_inner(events).unwrap().collect());
    let recorded: Vec<_> = events.iter().filter_map(|event| event.entry).collect();
    let expected: Vec<_> = entries[1..].iter().map(|entry| (entry.header.seq, entry.id())).collect();
    assert_eq!(recorded, expected, "{id}");
    assert!(matches!(events[0].kind, EventKind::Proposed { .. }) && events[0].entry.is_none());
    assert!(matches!(events.last().unwrap().kind, EventKind::Ended { reason: EndReason::Closed, .. }));
}

/// Stores, and then never says so while it is told to hang.
struct Hangs(Arc<MemoryLedger>, Arc<AtomicBool>);

#[async_trait]
impl LedgerStore for Hangs {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        let position = self.0.append(batch).await;
        if self.1.load(Ordering::SeqCst) {
            futures::future::pending::<()>().await;
        }
        position
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.0.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.0.read(trajectory, from_seq, limit).await
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.0.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.0.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.0.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.0.registers(prefix, after, limit).await
    }
}

#[test]
fn a_start_that_was_dropped_while_it_was_stored_stops_nothing_else() {
    let fixture = Fixture::default();
    let hang = Arc::new(AtomicBool::new(false));
    let ledger = Hangs(fixture.ledger.clone(), Arc::clone(&hang));
    let runtime = block_on(fixture.builder().ledger(ledger).tool(TestTool::world("note")).open()).unwrap();
    let chain = signed(writ());
    hang.store(true, Ordering::SeqCst);
    assert!(runtime.start("dropped", &chain, &key(AGENT)).now_or_never().is_none());
    hang.store(false, Ordering::SeqCst);
    block_on(runtime.revoke(WritId([8; 32]), "lost", "issuer", &key(ISSUER))).unwrap();
    let run = start(&runtime, &chain);
    assert!(matches!(submit(&run, "note", json!({})), Submitted::Committed { .. }));
    verified(&runtime, &run.id());
    assert_eq!(
        fixture.authority().iter().filter(|entry| entry.header.known_kind() == Some(Kind::RunOpened)).count(),
        2
    );
}

#[test]
fn a_run_whose_handles_are_all_gone_leaves_nothing_behind() {
    let fixture = Fixture::default();
    let hangs = TestTool::world("hangs").with(|tool| {
        tool.deadline = std::time::Duration::from_secs(3_600);
        tool.call = Box::new(|_| futures::future::pending().boxed());
    });
    let runtime = fixture.open([hangs]);
    let run = start(&runtime, &signed(writ()));
    assert!(run.submit(Intent::act("hangs", json!({}))).now_or_never().is_none());
    drop((run, runtime));
    assert_eq!(Arc::strong_count(&fixture.ledger), 1, "the ledger is held by nobody else");
}

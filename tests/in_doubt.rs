//! One business key, one effect: what was done is not done again, and what is in doubt blocks its like until its tool or an
//! operator says what happened.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{
    faulty::{FaultyLedger, Left},
    *,
};
use futures::{FutureExt, executor::block_on, join};
use openthymos::{
    canon::EntryId,
    cognition::{Mock, Outcome, Request},
    contract::{Effect, Risk},
    crypto::Role,
    host::{Host, SeededEntropy},
    intent::Intent,
    ledger::{
        Kind,
        record::{Failure, FailureCause, HappenedVerdict, InDoubtResolution, Rejection, WhatHappened},
    },
    proposal::{Code, Stage},
    runtime::{Limits, Resolution, ResolveError, Rotation, Run, RunError, Runtime, StartError, Submitted},
    tool::{ToolError, ToolOutput},
    writ::Amounts,
};
use serde_json::json;

const OPERATOR: u8 = 7;

/// Trusts an operator beside the issuer.
fn open(fixture: &Fixture, tools: impl IntoIterator<Item = TestTool>) -> Runtime {
    let tools = tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn openthymos::tool::ToolContract>);
    block_on(fixture.builder().trust(named(OPERATOR), [Role::Approver]).tools(tools).open()).unwrap()
}

/// A tool that pays once for every business key; a payment is in doubt where `ends` says so.
fn pay(key: Option<&str>, ends: fn() -> Result<ToolOutput, ToolError>) -> TestTool {
    let key = key.map(str::to_owned);
    let cost = Amounts { usd_millicents: 40, ..Amounts::ONE_CALL };
    TestTool::host("pay").calling(move |_| ends()).with(|tool| (tool.key, tool.cost) = (key, cost))
}

fn paid() -> Result<ToolOutput, ToolError> {
    Ok(ToolOutput::new("paid"))
}

fn lost() -> Result<ToolOutput, ToolError> {
    Err(ToolError::Failed("the connection was lost".into()))
}

fn refused(submitted: Submitted) -> (Code, String) {
    match submitted {
        Submitted::Rejected { refusal, .. } => {
            assert_eq!(refusal.stage, Stage::Preconditions);
            (refusal.code, refusal.pointer.unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn in_doubt(submitted: &Submitted) -> EntryId {
    match submitted {
        Submitted::Failed { entry, effect: WhatHappened::Unknown, .. } => *entry,
        other => panic!("{other:?}"),
    }
}

fn resolution(run: &Run, verdict: HappenedVerdict) -> Resolution<'static> {
    let (_, dispatch) = *block_on(run.in_doubt()).first().unwrap();
    Resolution { dispatch, verdict, note: Some("seen on the statement"), name: "olga" }
}

fn place(run: &Run, seq: u64) -> String {
    format!("{}/{seq}", run.id())
}

#[test]
fn a_business_key_that_was_done_is_not_done_again_by_any_run() {
    let fixture = Fixture::default();
    let tool = pay(Some("invoice 7"), paid);
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    assert!(matches!(submit(&run, "pay", json!({"amount": 1})), Submitted::Committed { .. }));
    let spent = block_on(run.spent());
    for other in [run.clone(), start(&runtime, &signed(writ()))] {
        let answer = refused(submit(&other, "pay", json!({"amount": 2})));
        assert_eq!(answer, (Code::AlreadyDone, place(&run, 2)));
        verified(&runtime, &other.id());
    }
    assert_eq!(block_on(run.spent()), spent, "what is refused costs nothing");
    drop(runtime);
    let tool = pay(Some("invoice 7"), paid);
    let later = tool.counter();
    let runtime = open(&fixture, [tool]);
    let answer = refused(submit(&start(&runtime, &signed(writ())), "pay", json!({})));
    assert_eq!((answer.0, calls.get(), later.get()), (Code::AlreadyDone, 1, 0));
}

#[test]
fn another_tool_with_the_same_key_is_another_key() {
    let fixture = Fixture::default();
    let other = TestTool::host("ship").with(|tool| tool.key = Some("7".into()));
    let runtime = open(&fixture, [pay(Some("7"), paid), other]);
    let run = start(&runtime, &signed(writ()));
    for tool in ["pay", "ship"] {
        assert!(matches!(submit(&run, tool, json!({})), Submitted::Committed { .. }), "{tool}");
    }
}

#[test]
fn what_the_tool_vouches_was_not_done_may_be_tried_again_and_costs_no_money() {
    let fixture = Fixture::default();
    let fails = Arc::new(AtomicUsize::new(1));
    let left = fails.clone();
    let tool = TestTool::host("pay").with(|tool| {
        tool.key = Some("7".into());
        tool.cost = Amounts { usd_millicents: 40, tokens: 5, ..Amounts::ONE_CALL };
    });
    let tool = tool.calling(move |_| match left.swap(0, Ordering::SeqCst) {
        0 => paid(),
        _ => Err(ToolError::NotDone("the bank is closed".into())),
    });
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    let first = submit(&run, "pay", json!({}));
    assert!(matches!(first, Submitted::Failed { effect: WhatHappened::None, .. }), "{first:?}");
    assert_eq!(block_on(run.spent()), (Amounts::ONE_CALL, Amounts::ZERO));
    assert!(matches!(submit(&run, "pay", json!({})), Submitted::Committed { .. }));
    assert_eq!(block_on(run.spent()).0, Amounts { tool_calls: 2, usd_millicents: 40, tokens: 5, ..Amounts::ZERO });
    assert_eq!(refused(submit(&run, "pay", json!({}))).0, Code::AlreadyDone);
    verified(&runtime, &run.id());
}

#[test]
fn an_effect_in_doubt_blocks_its_business_key_in_every_run() {
    for ends in [lost as fn() -> _, || panic!("gone")] {
        let fixture = Fixture::default();
        let tool = pay(Some("invoice 7"), ends);
        let calls = tool.counter();
        let ship = TestTool::host("ship").with(|tool| tool.key = Some("invoice 8".into()));
        let runtime = open(&fixture, [tool, ship]);
        let run = start(&runtime, &signed(writ()));
        in_doubt(&submit(&run, "pay", json!({})));
        for other in [run.clone(), start(&runtime, &signed(writ()))] {
            assert_eq!(refused(submit(&other, "pay", json!({}))), (Code::InDoubt, place(&run, 1)));
            verified(&runtime, &other.id());
        }
        assert_eq!(calls.get(), 1);
        assert!(matches!(submit(&run, "ship", json!({})), Submitted::Committed { .. }), "another key is free");
    }
}

#[test]
fn a_call_that_timed_out_is_in_doubt_and_blocks_its_key() {
    let fixture = Fixture::default();
    let fixture = Fixture { host: Host { timer: Arc::new(FastTimer), ..fixture.host.clone() }, ..fixture };
    let tool = pay(Some("7"), paid).with(|tool| tool.call = Box::new(|_| Box::pin(std::future::pending())));
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    in_doubt(&submit(&run, "pay", json!({})));
    assert_eq!(refused(submit(&run, "pay", json!({}))).0, Code::InDoubt);
    assert_eq!(calls.get(), 1);
}

#[test]
fn without_a_business_key_the_same_arguments_are_blocked_in_the_same_run() {
    let fixture = Fixture::default();
    let tool = pay(None, lost);
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    in_doubt(&submit(&run, "pay", json!({"amount": 1})));
    assert_eq!(refused(submit(&run, "pay", json!({"amount": 1}))), (Code::InDoubt, place(&run, 1)));
    assert_eq!(calls.get(), 1);
    in_doubt(&submit(&run, "pay", json!({"amount": 2})));
    let run = block_on(runtime.resume(&run.id())).unwrap();
    assert_eq!(refused(submit(&run, "pay", json!({"amount": 1}))), (Code::InDoubt, place(&run, 1)));
    assert_eq!(calls.get(), 2);
    verified(&runtime, &run.id());
}

/// A run with a payment in doubt whose tool answers `known` when it is asked.
fn asked(known: Option<bool>) -> (Fixture, Runtime, Run, Counter) {
    let fixture = Fixture::default();
    let first = AtomicUsize::new(1);
    let tool = pay(Some("7"), lost).with(|tool| tool.reconcile = Some(Box::new(move |()| known)));
    let tool = tool.calling(move |_| if first.swap(0, Ordering::SeqCst) == 1 { lost() } else { paid() });
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    in_doubt(&submit(&run, "pay", json!({})));
    (fixture, runtime, run, calls)
}

fn verdicts(fixture: &Fixture, run: &Run) -> Vec<HappenedVerdict> {
    let entries = fixture.entries(&run.id());
    let settled = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::InDoubtResolution));
    settled.map(|entry| entry.body::<InDoubtResolution>().unwrap().verdict).collect()
}

#[test]
fn a_tool_that_knows_its_effect_happened_takes_the_key() {
    let (fixture, runtime, run, calls) = asked(Some(true));
    assert_eq!(refused(submit(&run, "pay", json!({}))).0, Code::AlreadyDone);
    assert_eq!((calls.get(), verdicts(&fixture, &run)), (1, vec![HappenedVerdict::Happened]));
    assert!(block_on(run.in_doubt()).is_empty());
    assert_eq!(block_on(run.spent()).0.tool_calls, 1);
    verified(&runtime, &run.id());
}

#[test]
fn a_tool_that_knows_it_did_nothing_frees_the_key() {
    let (fixture, runtime, run, calls) = asked(Some(false));
    assert!(matches!(submit(&run, "pay", json!({})), Submitted::Committed { .. }));
    assert_eq!((calls.get(), verdicts(&fixture, &run)), (2, vec![HappenedVerdict::NotDone]));
    verified(&runtime, &run.id());
}

#[test]
fn a_tool_that_does_not_know_or_panics_leaves_the_doubt() {
    for asks in [Box::new(|()| None) as Box<dyn Fn(()) -> Option<bool> + Send + Sync>, Box::new(|()| panic!("asked"))] {
        let fixture = Fixture::default();
        let tool = pay(Some("7"), lost).with(|tool| tool.reconcile = Some(asks));
        let calls = tool.counter();
        let runtime = open(&fixture, [tool]);
        let run = start(&runtime, &signed(writ()));
        in_doubt(&submit(&run, "pay", json!({})));
        assert_eq!(refused(submit(&run, "pay", json!({}))).0, Code::InDoubt);
        let run = block_on(runtime.resume(&run.id())).unwrap();
        assert_eq!((calls.get(), verdicts(&fixture, &run).len(), block_on(run.in_doubt()).len()), (1, 0, 1));
    }
}

/// A ledger in which a process ended between dispatch and outcome.
fn interrupted(key: Option<&str>) -> (Fixture, openthymos::canon::TrajectoryId) {
    let fixture = Fixture::default();
    let failing = Arc::new(FaultyLedger::sound(&fixture.ledger, Left::Nothing));
    let fails = failing.clone();
    let tool = pay(key, paid).calling(move |_| {
        fails.fail_now();
        paid()
    });
    let builder = fixture.builder().shared_ledger(failing).trust(named(OPERATOR), [Role::Approver]);
    let runtime = block_on(builder.tool(tool).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let failed = block_on(run.submit(Intent::act("pay", json!({}))));
    assert!(matches!(failed, Err(RunError::OutcomeNotRecorded { .. })), "{failed:?}");
    (fixture, run.id())
}

#[test]
fn what_a_crash_left_in_doubt_is_asked_about_when_the_run_is_taken_up() {
    for known in [None, Some(true), Some(false)] {
        let (fixture, run) = interrupted(Some("7"));
        let tool = pay(Some("7"), paid).with(|tool| tool.reconcile = Some(Box::new(move |()| known)));
        let calls = tool.counter();
        let runtime = open(&fixture, [tool]);
        let run = block_on(runtime.resume(&run)).unwrap();
        let held = Amounts { usd_millicents: 40, wall_clock_ms: 30_000, ..Amounts::ONE_CALL };
        let (spent, after) = match known {
            None => ((Amounts::ZERO, held), Code::InDoubt),
            Some(true) => ((held, Amounts::ZERO), Code::AlreadyDone),
            Some(false) => {
                assert_eq!(block_on(run.spent()), (Amounts::ONE_CALL, Amounts::ZERO));
                assert!(matches!(submit(&run, "pay", json!({})), Submitted::Committed { .. }));
                assert_eq!(calls.get(), 1);
                verified(&runtime, &run.id());
                continue;
            }
        };
        assert_eq!(block_on(run.spent()), spent, "{known:?}");
        assert_eq!((refused(submit(&run, "pay", json!({}))).0, calls.get()), (after, 0));
        verified(&runtime, &run.id());
    }
}

#[test]
fn an_operator_settles_what_nobody_else_can() {
    for (verdict, after) in [(HappenedVerdict::Happened, false), (HappenedVerdict::NotDone, true)] {
        let (fixture, run) = interrupted(Some("7"));
        let tool = pay(Some("7"), paid);
        let calls = tool.counter();
        let runtime = open(&fixture, [tool]);
        let taken = block_on(runtime.resume(&run)).unwrap();
        block_on(runtime.resolve(&run, resolution(&taken, verdict), &key(OPERATOR))).unwrap();
        let taken = block_on(runtime.resume(&run)).unwrap();
        assert!(block_on(taken.in_doubt()).is_empty());
        assert_eq!(block_on(taken.spent()).1, Amounts::ZERO);
        let again = submit(&taken, "pay", json!({}));
        assert_eq!((matches!(again, Submitted::Committed { .. }), calls.get() == 1), (after, after), "{again:?}");
        verified(&runtime, &run);
        let entries = fixture.entries(&run);
        let settled = entries.iter().find(|entry| entry.header.known_kind() == Some(Kind::InDoubtResolution)).unwrap();
        let record: InDoubtResolution = settled.body().unwrap();
        assert_eq!(record.operator.unwrap().key.name, "olga");
        let note = settled.blob(&record.note.unwrap()).unwrap().value().unwrap();
        assert_eq!(note, json!("seen on the statement"));
    }
}

#[test]
fn a_doubt_can_be_settled_after_the_run_has_ended() {
    let fixture = Fixture::default();
    let runtime = open(&fixture, [pay(Some("7"), lost)]);
    let run = start(&runtime, &signed(writ()));
    in_doubt(&submit(&run, "pay", json!({})));
    let settles = resolution(&run, HappenedVerdict::NotDone);
    block_on(run.close()).unwrap();
    block_on(runtime.resolve(&run.id(), settles, &key(OPERATOR))).unwrap();
    assert!(verified(&runtime, &run.id()).in_doubt.is_empty());
    let other = start(&runtime, &signed(writ()));
    in_doubt(&submit(&other, "pay", json!({})));
}

#[test]
fn only_a_trusted_approver_settles_a_doubt_and_only_once() {
    let fixture = Fixture::default();
    let tool = pay(Some("7"), lost);
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    in_doubt(&submit(&run, "pay", json!({})));
    let settles = resolution(&run, HappenedVerdict::NotDone);
    for stranger in [STRANGER, ISSUER, RUNTIME, AGENT] {
        let refused = block_on(runtime.resolve(&run.id(), settles, &key(stranger)));
        assert!(matches!(refused, Err(ResolveError::NotTrusted { .. })), "{refused:?}");
    }
    assert_eq!(refused(submit(&run, "pay", json!({}))).0, Code::InDoubt);
    let elsewhere = Resolution { dispatch: EntryId([1; 32]), ..settles };
    let refused = block_on(runtime.resolve(&run.id(), elsewhere, &key(OPERATOR)));
    assert!(matches!(refused, Err(ResolveError::NotInDoubt(_))), "{refused:?}");
    block_on(runtime.resolve(&run.id(), settles, &key(OPERATOR))).unwrap();
    let refused = block_on(runtime.resolve(&run.id(), settles, &key(OPERATOR)));
    assert!(matches!(refused, Err(ResolveError::NotInDoubt(_))), "{refused:?}");
    assert_eq!(calls.get(), 1);
}

#[test]
fn two_runs_that_race_for_a_key_carry_it_out_once() {
    let fixture = Fixture::default();
    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
    let receiver = std::sync::Mutex::new(Some(receiver));
    let tool = pay(Some("7"), paid).with(|tool| {
        tool.call = Box::new(move |_| {
            let receiver = receiver.lock().unwrap().take().unwrap();
            Box::pin(async {
                receiver.await.ok();
                paid()
            })
        });
    });
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let (one, two) = (start(&runtime, &signed(writ())), start(&runtime, &signed(writ())));
    let both = async {
        let first = one.submit(Intent::act("pay", json!({})));
        let second = async {
            let refused = two.submit(Intent::act("pay", json!({}))).await.unwrap();
            sender.send(()).unwrap();
            refused
        };
        join!(first, second)
    };
    let (first, second) = block_on(both);
    assert!(matches!(first.unwrap(), Submitted::Committed { .. }));
    assert_eq!((refused(second).0, calls.get()), (Code::InDoubt, 1));
}

#[test]
fn a_sealed_intent_of_a_world_only_tool_is_carried_out_once_too() {
    let fixture = Fixture::default();
    let tool = TestTool::world("note");
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    let intent = Intent::act("note", json!({})).seal(&SeededEntropy::new(5)).unwrap();
    let first = block_on(run.submit_sealed(intent.clone())).unwrap();
    assert_eq!(block_on(run.submit_sealed(intent.clone())).unwrap(), first);
    let run = block_on(runtime.resume(&run.id())).unwrap();
    assert_eq!(block_on(run.submit_sealed(intent)).unwrap(), first);
    assert_eq!(calls.get(), 1);
}

#[test]
fn a_failed_commit_is_recorded_when_the_ledger_is_opened_again() {
    for (host, left) in [(true, Left::Nothing), (true, Left::All), (false, Left::Nothing), (false, Left::All)] {
        let fixture = Fixture::default();
        let failing = Arc::new(FaultyLedger::sound(&fixture.ledger, left));
        let fails = failing.clone();
        let tool = if host { TestTool::host("act") } else { TestTool::world("act") };
        let tool = tool.calling(move |_| {
            fails.fail_now();
            Ok(ToolOutput::new("done").undone_by("undo".parse().unwrap(), json!({"of": 1})))
        });
        let runtime = block_on(fixture.builder().shared_ledger(failing).tool(tool).open()).unwrap();
        let old = start(&runtime, &signed(writ()));
        assert!(block_on(old.submit(Intent::act("act", json!({})))).is_err());
        let refused = block_on(old.submit(Intent::act("act", json!({}))));
        assert!(matches!(refused, Err(RunError::Stale)), "{refused:?}");

        let tool = if host { TestTool::host("act") } else { TestTool::world("act") };
        let calls = tool.counter();
        let runtime = fixture.open([tool]);
        let run = block_on(runtime.take_over(&old)).unwrap();
        let kinds = fixture.kinds(&run.id());
        let before: &[_] = if host { &[Kind::Root, Kind::Dispatch] } else { &[Kind::Root] };
        let after: &[_] = match left {
            Left::All => &[Kind::Commit, Kind::Resumed],
            Left::Nothing => &[Kind::Resumed, Kind::Failure],
        };
        assert_eq!(kinds, [before, after].concat(), "{host} {left:?}");
        if left == Left::Nothing {
            let entry = fixture.entries(&run.id()).pop().unwrap();
            let failure: Failure = entry.body().unwrap();
            assert_eq!(failure.cause, FailureCause::CommitFailed);
            let effect = if host { WhatHappened::Happened } else { WhatHappened::None };
            assert_eq!((failure.effect, failure.observation.is_some(), failure.undo.is_some()), (effect, host, host));
            let output = failure.observation.map(|seen| entry.blob(&seen.output).unwrap().value().unwrap());
            assert_eq!(output, host.then(|| json!("done")));
        }
        let report = verified(&runtime, &run.id());
        assert_eq!((report.spent.tool_calls, report.in_doubt.len(), calls.get()), (1, 0, 0));
        assert_eq!(block_on(run.spent()), (report.spent, Amounts::ZERO));
        // Once is enough.
        let again = block_on(runtime.take_over(&old)).unwrap();
        assert_eq!(verified(&runtime, &again.id()).spent, report.spent);
    }
}

#[test]
fn what_was_decided_later_than_the_clock_says_now_is_not_recorded_and_its_run_goes_on() {
    for (back_ms, recorded) in [(0, true), (30_000, false)] {
        let fixture = Fixture::default();
        let failing = Arc::new(FaultyLedger::sound(&fixture.ledger, Left::Nothing));
        let fails = failing.clone();
        let tool = TestTool::world("act").calling(move |_| {
            fails.fail_now();
            Ok(ToolOutput::new("done"))
        });
        let runtime = block_on(fixture.builder().shared_ledger(failing).tool(tool).open()).unwrap();
        let old = start(&runtime, &signed(writ()));
        fixture.clock.set(START_MS + 50_000);
        assert!(block_on(old.submit(Intent::act("act", json!({})))).is_err());

        fixture.clock.set(START_MS + 50_000 - back_ms);
        let runtime = fixture.open([TestTool::world("act")]);
        let run = block_on(runtime.take_over(&old)).unwrap();
        let failures = fixture.kinds(&run.id()).iter().filter(|kind| **kind == Kind::Failure).count();
        assert_eq!(failures, usize::from(recorded));
        let spent = verified(&runtime, &run.id()).spent;
        assert_eq!((spent.tool_calls, block_on(run.spent())), (u64::from(recorded), (spent, Amounts::ZERO)));
        assert!(matches!(submit(&run, "act", json!({})), Submitted::Committed { .. }));
        drop(run);
        verified(&runtime, &block_on(runtime.resume(&old.id())).unwrap().id());
    }
}

#[test]
fn intents_that_a_crash_left_without_an_outcome_are_recorded_and_told() {
    let fixture = Fixture::default();
    let failing = Arc::new(FaultyLedger::sound(&fixture.ledger, Left::Nothing));
    let fails = failing.clone();
    let second = TestTool::world("second").calling(move |_| {
        fails.fail_now();
        Ok(ToolOutput::new("done"))
    });
    let builder = fixture.builder().shared_ledger(failing);
    let runtime = block_on(builder.tool(TestTool::world("first")).tool(second).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let calls = |names: &[&str]| names.iter().map(|name| Request::call(*name, json!({}))).collect::<Vec<_>>();
    let mut script = Mock::script(vec![calls(&["first", "second", "first"])]);
    assert!(block_on(run.drive(&mut script, Limits::default())).is_err());

    let runtime = fixture.open([TestTool::world("first"), TestTool::world("second")]);
    let taken = block_on(runtime.resume(&run.id())).unwrap();
    let entries = fixture.entries(&run.id());
    let abandoned = entries.iter().filter_map(|entry| match entry.body::<Rejection>() {
        Ok(Rejection::Abandoned { intent, .. }) => Some(intent.target.to_string()),
        _ => None,
    });
    assert_eq!(abandoned.collect::<Vec<_>>(), ["second", "first"]);
    let mut seen = Seen(vec![]);
    block_on(taken.drive(&mut seen, Limits::default())).unwrap();
    let told: Vec<_> = seen.0.iter().map(|(tool, outcome)| (tool.as_str(), outcome.as_str())).collect();
    assert_eq!(told, [("first", "committed"), ("second", "interrupted none"), ("first", "interrupted none")]);
    verified(&runtime, &run.id());
}

#[test]
fn cognition_is_told_what_is_in_doubt_and_how_that_turned_out() {
    for (known, told) in [(None, "unknown"), (Some(true), "happened"), (Some(false), "none")] {
        let (fixture, run) = interrupted(Some("7"));
        let tool = pay(Some("7"), paid).with(|tool| tool.reconcile = Some(Box::new(move |()| known)));
        let runtime = open(&fixture, [tool]);
        let run = block_on(runtime.resume(&run)).unwrap();
        let mut seen = Seen(vec![]);
        block_on(run.drive(&mut seen, Limits::default())).unwrap();
        assert_eq!(seen.0, [("pay".to_owned(), format!("interrupted {told}"))]);
    }
}

#[test]
fn cognition_is_told_of_a_doubt_that_was_settled_before_the_run_was_taken_up() {
    let (fixture, run) = interrupted(Some("7"));
    let runtime = open(&fixture, [pay(Some("7"), paid)]);
    let dispatch = fixture.entry(&run, 1).id();
    let settles = Resolution { dispatch, verdict: HappenedVerdict::Happened, note: None, name: "olga" };
    block_on(runtime.resolve(&run, settles, &key(OPERATOR))).unwrap();
    let run = block_on(runtime.resume(&run)).unwrap();
    let mut seen = Seen(vec![]);
    block_on(run.drive(&mut seen, Limits::default())).unwrap();
    assert_eq!(seen.0, [("pay".to_owned(), "interrupted happened".to_owned())]);
}

#[test]
fn a_sealed_intent_is_carried_out_once_also_when_its_tool_has_changed() {
    let fixture = Fixture::default();
    let intent = Intent::act("pay", json!({})).seal(&SeededEntropy::new(5)).unwrap();
    let runtime = open(&fixture, [pay(None, paid)]);
    let run = start(&runtime, &signed(writ()));
    let first = block_on(run.submit_sealed(intent.clone())).unwrap();
    let id = run.id();
    drop((run, runtime));
    let tool = pay(None, paid).with(|tool| tool.contract.description = "a better description".into());
    let calls = tool.counter();
    let runtime = open(&fixture, [tool]);
    let run = block_on(runtime.resume(&id)).unwrap();
    assert_eq!(block_on(run.submit_sealed(intent)).unwrap(), first);
    assert_eq!(calls.get(), 0);
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Payment {
    invoice: String,
}

#[test]
fn a_call_that_outlives_its_deadline_is_not_taken_for_not_done_while_its_process_lives() {
    let fixture = Fixture::default();
    let fixture = Fixture { host: Host { timer: Arc::new(FastTimer), ..fixture.host.clone() }, ..fixture };
    let bank = Arc::new(AtomicUsize::new(0));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let (pays, knows) = (bank.clone(), bank.clone());
    let slow = openthymos::tool::tool("pay", Effect::External, Risk::Low).unwrap();
    let slow = slow.function(move |_: Payment, _| {
        wait.lock().unwrap().recv().ok();
        pays.fetch_add(1, Ordering::SeqCst);
        paid()
    });
    let slow = slow.once_per(|payment| payment.invoice.clone());
    let slow = slow.reconciled_by(move |_| Some(knows.load(Ordering::SeqCst) > 0));
    let runtime = block_on(fixture.builder().tool(slow).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let invoice = json!({"invoice": "7"});
    in_doubt(&submit(&run, "pay", invoice.clone()));
    assert_eq!(refused(submit(&run, "pay", invoice.clone())).0, Code::InDoubt);
    let run = block_on(runtime.resume(&run.id())).unwrap();
    assert_eq!(refused(submit(&run, "pay", invoice.clone())).0, Code::InDoubt);
    go.send(()).unwrap();
    while bank.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(refused(submit(&run, "pay", invoice)).0, Code::AlreadyDone);
    assert_eq!(bank.load(Ordering::SeqCst), 1);
    verified(&runtime, &run.id());
}

#[test]
fn what_is_under_way_is_neither_taken_up_nor_settled() {
    let fixture = Fixture::default();
    let tool = pay(Some("7"), paid).with(|tool| tool.call = Box::new(|_| Box::pin(std::future::pending())));
    let runtime = open(&fixture, [tool]);
    let run = start(&runtime, &signed(writ()));
    let mut call = Box::pin(run.submit(Intent::act("pay", json!({}))));
    assert!((&mut call).now_or_never().is_none());
    let dispatch = fixture.entry(&run.id(), 1).id();
    let settles = Resolution { dispatch, verdict: HappenedVerdict::NotDone, note: None, name: "olga" };
    let refused = block_on(runtime.resolve(&run.id(), settles, &key(OPERATOR)));
    assert!(matches!(refused, Err(ResolveError::UnderWay(_))), "{refused:?}");
    let refused = block_on(runtime.resume(&run.id())).err();
    assert!(matches!(refused, Some(StartError::UnderWay { .. })), "{refused:?}");
    let id = run.id();
    drop(call);
    drop(run);
    block_on(runtime.resolve(&id, settles, &key(OPERATOR))).unwrap();
    block_on(runtime.resume(&id)).unwrap();
}

#[test]
fn a_doubt_is_settled_also_when_the_key_that_signed_its_dispatch_is_compromised() {
    let fixture = Fixture::default();
    let runtime = open(&fixture, [pay(Some("7"), lost)]);
    let run = start(&runtime, &signed(writ()));
    in_doubt(&submit(&run, "pay", json!({})));
    let settles = resolution(&run, HappenedVerdict::NotDone);
    let head = block_on(runtime.ledger().head(&run.id())).unwrap().unwrap();
    let rotation = Rotation::runtime(named(RUNTIME).key, "next", key(40)).compromised_from(head.position);
    block_on(runtime.rotate(rotation, &key(ISSUER))).unwrap();
    block_on(runtime.resolve(&run.id(), settles, &key(OPERATOR))).unwrap();
    in_doubt(&submit(&start(&runtime, &signed(writ())), "pay", json!({})));
}

/// Cognition that answers at once, and keeps what it was told.
struct Seen(Vec<(String, String)>);

#[async_trait::async_trait]
impl openthymos::cognition::Cognition for Seen {
    fn name(&self) -> String {
        "seen".into()
    }

    async fn step(
        &mut self,
        context: &openthymos::cognition::Context,
        _: &dyn openthymos::cognition::TurnEvents,
    ) -> Result<openthymos::cognition::Turn, openthymos::cognition::CognitionError> {
        let told = context.history.iter().map(|past| match &past.outcome {
            Outcome::Committed { .. } => (past.tool.clone(), "committed".to_owned()),
            Outcome::Failed { cause, effect, .. } => (past.tool.clone(), format!("{cause} {effect}")),
            other => panic!("{other:?}"),
        });
        self.0 = told.collect();
        Ok(openthymos::cognition::Turn::answer("seen"))
    }
}

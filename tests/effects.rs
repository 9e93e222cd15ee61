//! What happens after a proposal is staged is on record: before the tool runs where it touches the host, and with what came
//! of it in every case.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use common::*;
use futures::{FutureExt, executor::block_on};
use openthymos::{
    canon::{EntryId, TrajectoryId},
    commit::{Commit, Delta, Origin},
    contract::Effect,
    crypto::{PublicKey, Purpose, SecretKey, Signature},
    host::{SeededEntropy, SignError, Signer},
    intent::Intent,
    ledger::{
        Kind, LedgerStore,
        record::{Dispatch, Failure, FailureCause, WhatHappened},
    },
    proposal::Status,
    runtime::{Run, RunError, Runtime, Submitted},
    tool::{Call, Probe, ToolError, ToolOutput},
    writ::Amounts,
};
use serde_json::{Value, json};

/// What a tool that writes `kv/a` returns.
fn writes(call: &Call) -> ToolOutput {
    let delta = match call.reads.version(&kv("a")) {
        0 => Delta::none().create(kv("a"), json!(1)),
        version => Delta::none().replace(kv("a"), version, json!(version + 1)),
    };
    ToolOutput::new("written").with_delta(delta)
}

/// A runtime whose tools all write `kv/a`, but for what is changed.
fn open(tools: Vec<TestTool>) -> (Fixture, Runtime, Run) {
    opened(Fixture::default(), tools)
}

fn opened(fixture: Fixture, tools: Vec<TestTool>) -> (Fixture, Runtime, Run) {
    let tools = tools.into_iter().map(|tool| tool.with(|tool| tool.reads = vec![kv("a")]));
    let runtime = fixture.open(tools);
    let run = start(&runtime, &signed(writ()));
    (fixture, runtime, run)
}

fn committed(submitted: Submitted) -> (EntryId, Value, Amounts) {
    match submitted {
        Submitted::Committed { entry, output, cost, .. } => (entry, output, cost),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_dispatch_is_durable_before_the_tool_runs() {
    let fixture = Fixture::default();
    let (ledger, seen) = (fixture.ledger.clone(), Arc::new(std::sync::Mutex::new(vec![])));
    let tool = TestTool::host("act").calling({
        let seen = seen.clone();
        move |call| {
            let runs = ledger.trajectories(None, 9).now_or_never().unwrap().unwrap();
            let head = |run, seq| ledger.read(run, seq, 1).now_or_never().unwrap().unwrap().remove(0);
            let heads = runs.iter().map(|(run, place)| head(run, place.seq));
            let dispatches = heads.filter(|entry| entry.header.known_kind() == Some(Kind::Dispatch));
            seen.lock().unwrap().extend(dispatches.map(|entry| (call.proposal, entry)));
            Ok(writes(&call))
        }
    });
    let (fixture, runtime, run) = opened(fixture, vec![tool]);
    committed(submit(&run, "act", json!({"amount": 1})));
    let seen = seen.lock().unwrap();
    let [(proposal, entry)] = seen.as_slice() else { panic!("{seen:?}") };
    let dispatch: Dispatch = entry.body().unwrap();
    assert_eq!(dispatch.proposal.resolved.unwrap().id, *proposal);
    assert_eq!(dispatch.proposal.decision.status, Status::Staged);
    assert_eq!(entry.blob(&dispatch.proposal.intent.args).unwrap().value().unwrap(), json!({"amount": 1}));
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Dispatch, Kind::Commit]);
    let commit: Commit = fixture.entry(&run.id(), 2).body().unwrap();
    assert_eq!(commit.origin, Origin::Dispatch(entry.id()));
    verified(&runtime, &run.id());
}

#[test]
fn only_effects_on_the_host_are_dispatched() {
    let reading = TestTool::host("look").with(|tool| tool.contract.effect = Effect::Read);
    let reading = reading.calling(|_| Ok(ToolOutput::new("seen")));
    let (fixture, runtime, run) = open(vec![TestTool::world("note").calling(|call| Ok(writes(&call))), reading]);
    committed(submit(&run, "note", json!({})));
    committed(submit(&run, "look", json!({})));
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Commit, Kind::Commit]);
    let commit: Commit = fixture.entry(&run.id(), 1).body().unwrap();
    assert!(matches!(commit.origin, Origin::Proposal(proposal) if proposal.decision.status == Status::Staged));
    verified(&runtime, &run.id());
}

/// A run in which `act` fails, and what is on record of it. The world is as before, the budget is debited, and the run
/// goes on.
fn fails(tool: impl Fn(TestTool) -> TestTool, expected: FailureCause, on_host: WhatHappened) -> Vec<Failure> {
    [TestTool::host("act"), TestTool::world("act")]
        .map(|kind| {
            let effect = if kind.contract.has_host_effect() { on_host } else { WhatHappened::None };
            let tool = tool(kind);
            let (counter, quoted, host) = (tool.counter(), tool.cost, tool.contract.has_host_effect());
            let (fixture, runtime, run) = open(vec![tool, TestTool::world("note").calling(|call| Ok(writes(&call)))]);
            committed(submit(&run, "note", json!({})));
            let before = (block_on(run.world()).root(), block_on(run.spent()).0);
            let (seq, cause, happened) = match submit(&run, "act", json!({})) {
                Submitted::Failed { seq, cause, effect, .. } => (seq, cause, effect),
                other => panic!("{other:?}"),
            };
            assert_eq!((cause, happened, counter.get()), (expected, effect, 1), "host: {host}");
            let failure: Failure = fixture.entry(&run.id(), seq).body().unwrap();
            assert_eq!((failure.cause, failure.effect), (expected, effect));
            assert_eq!(matches!(failure.origin, Origin::Dispatch(_)), host);
            assert_eq!(block_on(run.world()).root(), before.0);
            assert_eq!(block_on(run.spent()), (before.1.plus(&failure.cost), Amounts::ZERO));
            assert!(failure.cost.tool_calls >= quoted.tool_calls.min(1), "{failure:?}");
            committed(submit(&run, "note", json!({})));
            let report = verified(&runtime, &run.id());
            assert_eq!(report.in_doubt.len(), usize::from(effect == WhatHappened::Unknown));
            assert_eq!(report.spent, block_on(run.spent()).0);
            failure
        })
        .into()
}

#[test]
fn a_tool_that_vouches_for_having_done_nothing() {
    let tool = |tool: TestTool| tool.calling(|_| Err(ToolError::NotDone("no".into())));
    fails(tool, FailureCause::NotDone, WhatHappened::None);
}

#[test]
fn a_tool_that_fails() {
    let tool = |tool: TestTool| tool.calling(|_| Err(ToolError::Failed("half way".into())));
    fails(tool, FailureCause::ToolFailed, WhatHappened::Unknown);
}

#[test]
fn a_tool_that_panics_at_once_or_later() {
    fails(|tool| tool.calling(|_| panic!("at once")), FailureCause::ToolPanicked, WhatHappened::Unknown);
    let later = |mut tool: TestTool| {
        tool.call = Box::new(|_| futures::future::lazy(|_| panic!("later")).boxed());
        tool
    };
    fails(later, FailureCause::ToolPanicked, WhatHappened::Unknown);
}

#[test]
fn a_tool_that_panics_before_it_gives_a_future() {
    struct Eager(TestTool);
    impl openthymos::tool::ToolContract for Eager {
        fn contract(&self) -> openthymos::contract::Contract {
            self.0.contract()
        }
        fn probe<'a: 'c, 'b: 'c, 'd: 'c, 'c>(
            &'a self,
            args: &'b Value,
            _: &'d Arc<dyn openthymos::host::Spawn>,
        ) -> futures::future::BoxFuture<'c, Result<Probe, ToolError>> {
            assert!(args.get("amount").is_none(), "in probe");
            futures::future::ready(Ok(Probe::default())).boxed()
        }
        fn call<'a: 'c, 'c>(&'a self, _: Call) -> futures::future::BoxFuture<'c, Result<ToolOutput, ToolError>> {
            panic!("in call")
        }
    }
    let fixture = Fixture::default();
    let runtime = block_on(fixture.builder().tool(Eager(TestTool::host("act"))).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    assert!(matches!(submit(&run, "act", json!({"amount": 1})), Submitted::Rejected { .. }));
    let failed = submit(&run, "act", json!({}));
    assert!(matches!(failed, Submitted::Failed { cause: FailureCause::ToolPanicked, .. }), "{failed:?}");
    verified(&runtime, &run.id());
}

#[test]
fn a_tool_that_hangs_past_its_deadline() {
    let hangs = |mut tool: TestTool| {
        tool.deadline = Duration::from_millis(5);
        tool.call = Box::new(|_| futures::future::pending().boxed());
        tool
    };
    fails(hangs, FailureCause::TimedOut, WhatHappened::Unknown);
}

#[test]
fn a_call_that_is_out_of_time_is_told_and_its_run_is_not() {
    let (told, heard) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(Some(told));
    let tool = TestTool::host("act").with(|tool| {
        tool.deadline = Duration::from_millis(5);
        tool.call = Box::new(move |call| {
            told.lock().unwrap().take().unwrap().send(call.cancel).unwrap();
            futures::future::pending().boxed()
        });
    });
    let (_fixture, _runtime, run) = open(vec![tool, TestTool::host("next").calling(|call| Ok(writes(&call)))]);
    assert!(matches!(submit(&run, "act", json!({})), Submitted::Failed { cause: FailureCause::TimedOut, .. }));
    assert!(heard.recv().unwrap().is_cancelled());
    committed(submit(&run, "next", json!({})));
}

#[test]
fn a_postcondition_that_does_not_hold() {
    let broken = |mut tool: TestTool| {
        tool.postcondition = Some(Box::new(|()| Err("unbalanced".into())));
        tool.calling(|call| Ok(writes(&call)))
    };
    let [host, world] = fails(broken, FailureCause::Postcondition, WhatHappened::Happened).try_into().unwrap();
    // What happened on the host is kept, for whoever has to undo it.
    assert!(host.observation.is_some() && world.observation.is_none());
    let panics = |mut tool: TestTool| {
        tool.postcondition = Some(Box::new(|()| panic!("in postcondition")));
        tool.calling(|call| Ok(writes(&call)))
    };
    fails(panics, FailureCause::Postcondition, WhatHappened::Happened);
}

#[test]
fn a_change_that_does_not_apply() {
    let stale = |tool: TestTool| {
        tool.calling(|_| {
            let delta = Delta::none().create(kv("b"), json!(1)).replace(kv("a"), 7, json!(2));
            Ok(ToolOutput::new("written").with_delta(delta))
        })
    };
    fails(stale, FailureCause::DeltaConflict, WhatHappened::Happened);
}

#[test]
fn a_result_that_cannot_be_recorded() {
    let huge = |tool: TestTool| tool.calling(|_| Ok(ToolOutput::new("x".repeat(8 << 20))));
    fails(huge, FailureCause::BadResult, WhatHappened::Happened);
    let number = |tool: TestTool| {
        tool.calling(|_| Ok(ToolOutput::new("written").with_delta(Delta::none().create(kv("b"), json!(u64::MAX)))))
    };
    fails(number, FailureCause::BadResult, WhatHappened::Happened);
    // Every value fits, and the record that names them all does not.
    let many = |tool: TestTool| {
        tool.calling(|_| {
            let delta = (0..9_000).fold(Delta::none(), |delta, id| delta.create(kv(&id.to_string()), json!(1)));
            Ok(ToolOutput::new("written").with_delta(delta))
        })
    };
    fails(many, FailureCause::BadResult, WhatHappened::Happened);
    let pointers = |mut tool: TestTool| {
        tool.postcondition = Some(Box::new(|()| Err("unbalanced".into())));
        tool.calling(|_| Ok(ToolOutput::new(json!({"a long name of a list of numbers": vec![u64::MAX; 30_000]}))))
    };
    fails(pointers, FailureCause::Postcondition, WhatHappened::Happened);
}

#[test]
fn a_call_that_costs_more_than_it_said() {
    for spent in [Amounts { tokens: 6, ..Amounts::ONE_CALL }, Amounts { usd_millicents: u64::MAX, ..Amounts::ONE_CALL }]
    {
        let greedy = move |mut tool: TestTool| {
            tool.cost = Amounts { tokens: 5, ..Amounts::ONE_CALL };
            tool.calling(move |call| Ok(ToolOutput { cost: Some(spent), ..writes(&call) }))
        };
        let failures = fails(greedy, FailureCause::CostOverrun, WhatHappened::Happened);
        assert_eq!(failures[0].cost, spent.least(&Amounts::MAX));
    }
}

#[test]
fn a_quote_that_no_record_can_hold_is_refused() {
    let tool = TestTool::host("act").with(|tool| tool.cost = Amounts { tokens: u64::MAX, ..Amounts::ONE_CALL });
    let counter = tool.counter();
    let (_fixture, runtime, run) = open(vec![tool]);
    assert!(matches!(submit(&run, "act", json!({})), Submitted::Rejected { .. }));
    assert_eq!(counter.get(), 0);
    verified(&runtime, &run.id());
}

#[test]
fn what_a_call_really_cost_is_debited() {
    let fixture = Fixture::default();
    let clock = fixture.clock.clone();
    let tool =
        TestTool::host("act").with(|tool| tool.cost = Amounts { tokens: 9, usd_millicents: 9, ..Amounts::ONE_CALL });
    let tool = tool.calling(move |call| {
        clock.advance_ms(17);
        Ok(ToolOutput { cost: Some(Amounts { tokens: 4, ..Amounts::ONE_CALL }), ..writes(&call) })
    });
    let (_fixture, runtime, run) = opened(fixture, vec![tool]);
    let (_, _, cost) = committed(submit(&run, "act", json!({})));
    assert_eq!(cost, Amounts { tokens: 4, tool_calls: 1, usd_millicents: 0, wall_clock_ms: 17 });
    assert_eq!(block_on(run.spent()), (cost, Amounts::ZERO));
    assert_eq!(verified(&runtime, &run.id()).spent, cost);
}

#[test]
fn numbers_that_sealed_json_cannot_carry_are_kept_as_text_and_named() {
    let tool = TestTool::host("act").calling(|_| Ok(ToolOutput::new(json!({"n": [1, u64::MAX], "big": 1e300}))));
    let (fixture, runtime, run) = open(vec![tool]);
    let (_, output, _) = committed(submit(&run, "act", json!({})));
    assert_eq!(output, json!({"n": [1, "18446744073709551615"], "big": "1e+300"}));
    let entry = fixture.entry(&run.id(), 2);
    let commit: Commit = entry.body().unwrap();
    let mut pointers = commit.observation.normalised;
    pointers.sort();
    assert_eq!(pointers, ["/big", "/n/1"]);
    assert_eq!(entry.blob(&commit.observation.output).unwrap().value().unwrap(), output);
    verified(&runtime, &run.id());
}

#[test]
fn the_same_sealed_intent_is_carried_out_once() {
    let tool = TestTool::host("act").calling(|call| Ok(writes(&call)));
    let counter = tool.counter();
    let (fixture, runtime, run) = open(vec![tool]);
    let intent = Intent::act("act", json!({})).seal(&SeededEntropy::new(5)).unwrap();
    let first = block_on(run.submit_sealed(intent.clone())).unwrap();
    committed(first.clone());
    let spent = block_on(run.spent());
    let again = |run: &Run| block_on(run.submit_sealed(intent.clone())).unwrap();
    assert_eq!(again(&run), first);
    assert_eq!(block_on(run.spent()), spent);
    // Nor by another handle, in another process.
    let run_id: TrajectoryId = run.id();
    drop((runtime, run));
    let tool = TestTool::host("act");
    let (other, runtime) = (tool.counter(), fixture.open([tool]));
    let run = block_on(runtime.resume(&run_id)).unwrap();
    assert_eq!(again(&run), first);
    assert_eq!((counter.get(), other.get()), (1, 0));
    verified(&runtime, &run.id());
}

#[test]
fn a_tool_sees_what_it_asked_for_and_nothing_else() {
    let tool = TestTool::world("act").calling(|call| {
        let seen = json!([call.reads.version(&kv("a")), call.reads.value(&kv("a")), call.reads.version(&kv("b"))]);
        Ok(ToolOutput::new(seen))
    });
    let write = TestTool::world("note").calling(|call| Ok(writes(&call)));
    let write_b =
        TestTool::world("b").calling(|_| Ok(ToolOutput::new(0).with_delta(Delta::none().create(kv("b"), json!(2)))));
    let (_fixture, _runtime, run) = open(vec![tool, write, write_b]);
    committed(submit(&run, "b", json!({})));
    assert_eq!(committed(submit(&run, "act", json!({}))).1, json!([0, null, 0]));
    committed(submit(&run, "note", json!({})));
    assert_eq!(committed(submit(&run, "act", json!({}))).1, json!([1, 1, 0]));
}

#[test]
fn a_tool_that_declares_to_read_changes_nothing() {
    let reads =
        TestTool::world("read").with(|tool| tool.contract.effect = Effect::Read).calling(|call| Ok(writes(&call)));
    let (fixture, runtime, run) = open(vec![reads]);
    let submitted = submit(&run, "read", json!({}));
    assert!(matches!(submitted, Submitted::Failed { cause: FailureCause::BadResult, .. }), "{submitted:?}");
    assert!(block_on(run.world()).is_empty());
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Failure]);
    verified(&runtime, &run.id());
}

#[test]
fn an_effect_beyond_the_world_cannot_be_declared_as_one_of_the_world() {
    for effect in [Effect::External, Effect::Irreversible] {
        let contradicts = TestTool::world("send").with(|tool| tool.contract.effect = effect);
        let refused = block_on(Fixture::default().builder().tool(contradicts).open()).err().unwrap();
        assert!(refused.to_string().contains("touches more than the world"), "{refused}");
    }
}

#[test]
fn a_call_is_a_call_whatever_it_says_of_its_cost() {
    let free = |_: Call| Ok(ToolOutput { cost: Some(Amounts::ZERO), ..ToolOutput::new("free") });
    let tool = TestTool::world("free").with(|tool| tool.cost = Amounts::ZERO).calling(free);
    let (_, _, run) = open(vec![tool]);
    committed(submit(&run, "free", json!({})));
    assert_eq!(block_on(run.spent()).0.tool_calls, 1);
}

/// A key that signs until it is told to stop.
struct Failing(SecretKey, Arc<AtomicBool>);

#[async_trait]
impl Signer for Failing {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    async fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<Signature, SignError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(SignError { key: self.0.public_key(), reason: "unreachable".into() });
        }
        Ok(self.0.sign(purpose, digest))
    }
}

#[test]
fn an_effect_whose_outcome_cannot_be_signed_is_in_doubt() {
    let fixture = Fixture::default();
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let tool = TestTool::host("send").calling(move |_| {
        told.store(true, Ordering::SeqCst);
        Ok(ToolOutput::new("sent"))
    });
    let calls = tool.counter();
    let runtime =
        block_on(fixture.builder().signer("runtime", Failing(key(RUNTIME), Arc::clone(&stop))).tool(tool).open())
            .unwrap();
    let run = start(&runtime, &signed(writ()));
    let failed = block_on(run.submit(Intent::act("send", json!({}))));
    assert!(matches!(failed, Err(RunError::OutcomeNotRecorded { .. })), "{failed:?}");
    let again = block_on(run.submit(Intent::act("send", json!({}))));
    assert!(matches!(again, Err(RunError::Stale)), "{again:?}");
    assert_eq!(calls.get(), 1);
    stop.store(false, Ordering::SeqCst);
    let resumed = block_on(runtime.resume(&run.id())).unwrap();
    assert_eq!(verified(&runtime, &resumed.id()).in_doubt.len(), 1);
    assert_eq!(block_on(resumed.spent()).1.tool_calls, 1, "it stays held");
}

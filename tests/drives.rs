//! Whatever cognition returns is recorded and bounded, a drive ends with its reason on record, and a run goes on where it
//! stood.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use common::*;
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use openthymos::{
    canon::{IntentId, TrajectoryId},
    cognition::{Cognition, CognitionError, Context, Outcome, PastOutcome, Request, Turn, TurnEvents},
    commit::Delta,
    contract::{Effect, Risk},
    ledger::{
        Entry, Kind,
        record::{EndReason, Rejection, Resumed, Terminated, Turn as TurnRecord, TurnStart},
    },
    runtime::{Answer, Limits, Run, RunError, Runtime, StartError, Summary, WhyStopped},
    tool::{ToolError, ToolOutput},
    writ::{Amounts, Window},
};
use serde_json::{Value, json};

type Step = Box<dyn FnOnce(&Context) -> BoxFuture<'static, Result<Turn, CognitionError>> + Send>;

/// A cognition that does what it was told, step by step, and then answers.
#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    seen: Vec<Context>,
    estimate: Amounts,
}

impl Script {
    fn of(turns: impl IntoIterator<Item = Turn>) -> Self {
        turns.into_iter().fold(Self::default(), |script, turn| script.then(move |_| Ok(turn)))
    }

    fn then(self, step: impl FnOnce(&Context) -> Result<Turn, CognitionError> + Send + 'static) -> Self {
        self.step(move |context| futures::future::ready(step(context)).boxed())
    }

    fn step(
        mut self,
        step: impl FnOnce(&Context) -> BoxFuture<'static, Result<Turn, CognitionError>> + Send + 'static,
    ) -> Self {
        self.steps.push_back(Box::new(step));
        self
    }
}

#[async_trait]
impl Cognition for Script {
    fn name(&self) -> String {
        "script".into()
    }

    fn estimate(&self) -> Amounts {
        self.estimate
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.seen.push(context.clone());
        match self.steps.pop_front() {
            Some(step) => step(context).await,
            None => Ok(Turn::answer("the answer")),
        }
    }
}

/// More levels than a test's stack has room for, when each costs a call of a function.
const DEEP: usize = 6_000;

/// `set` writes a key of the world, `fail` fails, `ask` needs approval, `hold` leaves its effect in doubt.
fn tools() -> Vec<TestTool> {
    let set = TestTool::world("set").calling(|call| {
        let key = call.args.get("key").and_then(Value::as_str).unwrap_or("none").to_owned();
        Ok(ToolOutput::new(json!({"set": key})).with_delta(Delta::none().create(kv(&key), json!(1))))
    });
    let fail = TestTool::world("fail").calling(|_| Err(ToolError::NotDone("told to".into())));
    let ask = TestTool::host("ask").with(|tool| tool.contract.risk = Risk::Critical);
    let hold = TestTool::host("hold").calling(|_| Err(ToolError::Failed("lost".into())));
    vec![set, fail, ask, hold]
}

fn set(key: &str) -> Request {
    Request::call("set", json!({"key": key}))
}

fn open() -> (Fixture, Runtime, Run) {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let run = start(&runtime, &signed(writ()));
    (fixture, runtime, run)
}

fn drive(run: &Run, script: &mut Script) -> Summary {
    block_on(run.drive(script, Limits::default())).unwrap()
}

fn last(fixture: &Fixture, run: &Run) -> Terminated {
    let entry: Entry = fixture.entries(&run.id()).pop().unwrap();
    assert_eq!(entry.header.known_kind(), Some(Kind::Terminated));
    entry.body().unwrap()
}

fn bodies<T: serde::de::DeserializeOwned + serde::Serialize>(
    fixture: &Fixture,
    run: &TrajectoryId,
    kind: Kind,
) -> Vec<(Entry, T)> {
    let entries = fixture.entries(run).into_iter().filter(|entry| entry.header.known_kind() == Some(kind));
    entries.map(|entry| (entry.clone(), entry.body().unwrap())).collect()
}

fn resume(runtime: &Runtime, run: &TrajectoryId) -> Run {
    block_on(runtime.resume(run)).unwrap()
}

#[test]
fn turns_and_the_answer_are_recorded_and_what_became_of_them_is_told() {
    let (fixture, runtime, run) = open();
    let turn =
        Turn::calls([set("a").because("to begin"), Request::call("fail", json!({})), Request::call("gone", json!({}))]);
    let mut script = Script::of([turn.saying("on it")]);
    let summary = drive(&run, &mut script);
    assert_eq!((summary.why, summary.answer.as_deref()), (WhyStopped::Ended(EndReason::Completed), Some("the answer")));
    assert_eq!((summary.steps, summary.committed, summary.failed, summary.rejected), (1, 1, 1, 1));
    let [(start, first), (_, second)] = bodies::<TurnStart>(&fixture, &run.id(), Kind::TurnStart).try_into().unwrap();
    assert_eq!((first.step, second.step, first.cognition.as_str()), (0, 1, "script"));
    let turns = bodies::<TurnRecord>(&fixture, &run.id(), Kind::Turn);
    let (entry, turn) = &turns[0];
    assert_eq!((turn.start, turn.intents.len()), (start.id(), 3));
    let text = |commitment| entry.blob(&commitment).unwrap().value().unwrap();
    assert_eq!(text(turn.text.unwrap()), "on it");
    assert_eq!(
        (text(turn.intents[0].args), text(turn.intents[0].rationale.unwrap())),
        (json!({"key": "a"}), json!("to begin"))
    );
    let end = last(&fixture, &run);
    let answer = fixture.entry(&run.id(), summary.head_seq).blob(&end.answer.unwrap()).unwrap().value().unwrap();
    assert_eq!((answer, end.reason), (json!("the answer"), EndReason::Completed));
    let told = &script.seen[1].history;
    assert_eq!((script.seen[0].task.as_str(), script.seen[0].history.len(), told.len()), ("a task", 0, 3));
    assert_eq!(told[0].outcome, Outcome::Committed { output: json!({"set": "a"}) });
    assert!(
        matches!(&told[1].outcome, Outcome::Failed { cause, effect, .. } if cause == "not_done" && effect == "none")
    );
    assert!(matches!(&told[2].outcome, Outcome::Refused(_)));
    verified(&runtime, &run.id());
}

#[test]
fn cognition_is_shown_the_tools_that_its_writ_covers() {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let above = signed(writ().scopes([scope("s*"), scope("fail")]).effects_up_to(Effect::Write));
    let run = start(&runtime, &child(&above, |writ| writ.scopes([scope("s?t"), scope("s")])));
    let mut script = Script::default();
    drive(&run, &mut script);
    let names: Vec<_> = script.seen[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["set"]);
}

#[test]
fn requests_that_are_none_are_recorded_and_the_rest_is_carried_out() {
    let (fixture, runtime, run) = open();
    let bad = [
        Request::call("not a name", json!({})),
        Request::call("", json!({})),
        Request::call("set", json!({"key": 9_007_199_254_740_993_u64})),
        Request::call("x".repeat(1 << 20), json!({})),
        set("a"),
    ];
    let mut script = Script::of([Turn::calls(bad)]);
    let summary = drive(&run, &mut script);
    assert_eq!((summary.why, summary.committed, summary.rejected), (WhyStopped::Ended(EndReason::Completed), 1, 4));
    let (entry, turn) = bodies::<TurnRecord>(&fixture, &run.id(), Kind::Turn).remove(0);
    let indices: Vec<_> = turn.malformed.iter().map(|malformed| malformed.index).collect();
    assert_eq!((indices, turn.intents.len()), (vec![0, 1, 2, 3], 1));
    assert!(turn.malformed.iter().all(|malformed| entry.blob(&malformed.reason).is_some()));
    let told = &script.seen[1].history;
    assert!(told[..4].iter().all(|past| past.intent == IntentId::ZERO), "{told:?}");
    assert!(matches!(told[4].outcome, Outcome::Committed { .. }));
    verified(&runtime, &run.id());
}

#[test]
fn more_requests_than_are_looked_at() {
    let (fixture, runtime, run) = open();
    let many = (0..50_000).map(|number| set(&number.to_string()));
    let mut script = Script::of([Turn::calls(many)]);
    let limits = Limits { requests_per_turn: 3, ..Limits::default() };
    let summary = block_on(run.drive(&mut script, limits)).unwrap();
    assert_eq!((summary.why, summary.committed, summary.rejected), (WhyStopped::Ended(EndReason::Completed), 3, 1));
    let (entry, turn) = bodies::<TurnRecord>(&fixture, &run.id(), Kind::Turn).remove(0);
    assert_eq!((turn.intents.len(), turn.malformed.len(), turn.malformed[0].index), (3, 1, 3));
    let reason = entry.blob(&turn.malformed[0].reason).unwrap().value().unwrap();
    assert!(reason.as_str().unwrap().contains("50000"), "{reason}");
    verified(&runtime, &run.id());
}

/// A drive that ends because cognition failed, with that code on record.
fn cognition_fails(code: &str, usage: Amounts, mut script: Script) {
    let mut fixture = Fixture::default();
    fixture.host.timer = Arc::new(FastTimer);
    let runtime = fixture.open(tools());
    let run = start(&runtime, &signed(writ()));
    script.estimate = Amounts { tokens: 5, ..Amounts::ZERO };
    let summary = drive(&run, &mut script);
    assert_eq!((summary.why, summary.spent), (WhyStopped::Ended(EndReason::CognitionFailed), usage));
    assert!(summary.detail.unwrap().starts_with(code));
    let (_, turn) = bodies::<TurnRecord>(&fixture, &run.id(), Kind::Turn).remove(0);
    let error = turn.error.unwrap();
    assert!(error.code == code.chars().take(64).collect::<String>() && turn.usage == usage, "{error:?}");
    assert_eq!(last(&fixture, &run).reason, EndReason::CognitionFailed);
    assert_eq!(block_on(run.spent()), (usage, Amounts::ZERO));
    verified(&runtime, &run.id());
    assert!(matches!(block_on(run.drive(&mut Script::default(), Limits::default())), Err(RunError::Ended)));
}

#[test]
fn cognition_that_fails_panics_or_hangs() {
    let usage = Amounts { tokens: 70, ..Amounts::ZERO };
    let fails = |code: &str, message: &str| {
        let error = CognitionError { code: code.into(), message: message.into(), routing: None, usage };
        Script::default().then(move |_| Err(error))
    };
    cognition_fails("http_500", usage, fails("http_500", "no"));
    cognition_fails(&"x".repeat(200), usage, fails(&"x".repeat(200), &"é".repeat(2 << 20)));
    // Nobody can say what it cost: it is taken to have cost what was held for it.
    let held = Amounts { tokens: 5, ..Amounts::ZERO };
    cognition_fails("panicked", held, Script::default().then(|_| panic!("at once")));
    let later = |_: &Context| futures::future::lazy(|_| panic!("later")).boxed();
    cognition_fails("panicked", held, Script::default().step(later));
    cognition_fails("timed_out", held, Script::default().step(|_| futures::future::pending().boxed()));
}

#[test]
fn cognition_that_panics_before_it_is_asked_or_before_it_gives_a_future() {
    struct Broken(u8);
    impl Cognition for Broken {
        fn name(&self) -> String {
            assert!(self.0 != 0, "in name");
            "broken".into()
        }
        fn estimate(&self) -> Amounts {
            assert!(self.0 != 1, "in estimate");
            Amounts { tokens: 7, ..Amounts::ZERO }
        }
        fn step<'a: 'd, 'b: 'd, 'c: 'd, 'd>(
            &'a mut self,
            _: &'b Context,
            _: &'c dyn TurnEvents,
        ) -> BoxFuture<'d, Result<Turn, CognitionError>> {
            panic!("in step")
        }
    }
    for broken in 0..3 {
        let (fixture, runtime, run) = open();
        let summary = block_on(run.drive(&mut Broken(broken), Limits::default())).unwrap();
        assert_eq!(summary.why, WhyStopped::Ended(EndReason::CognitionFailed));
        assert_eq!(last(&fixture, &run).reason, EndReason::CognitionFailed);
        verified(&runtime, &run.id());
    }
}

#[test]
fn a_drive_has_limits_and_can_be_cancelled() {
    let (fixture, runtime, run) = open();
    let mut script = Script::of((0..9).map(|number| Turn::calls([set(&number.to_string())])));
    let limits = Limits { steps: 2, step_deadline: Duration::from_secs(1), ..Limits::default() };
    let summary = block_on(run.drive(&mut script, limits)).unwrap();
    assert_eq!((summary.why, summary.committed), (WhyStopped::Ended(EndReason::LimitReached), 2));
    assert_eq!(last(&fixture, &run).detail.as_deref(), Some("2 steps"));
    let run = start(&runtime, &signed(writ()));
    let canceller = run.clone();
    let mut script = Script::default().step(move |_| {
        canceller.cancel();
        futures::future::pending().boxed()
    });
    assert_eq!(drive(&run, &mut script).why, WhyStopped::Ended(EndReason::Cancelled));
    assert_eq!(last(&fixture, &run).reason, EndReason::Cancelled);
    verified(&runtime, &run.id());
}

#[test]
fn when_its_authority_ends_the_run_ends() {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let window = Window { not_before_ms: 0, expires_at_ms: START_MS + 5 };
    let run = start(&runtime, &signed(writ().window(window)));
    let clock = fixture.clock.clone();
    let late = move |_: &Context| {
        clock.set(START_MS + 6);
        Ok(Turn::calls([set("a"), set("b")]))
    };
    let summary = drive(&run, &mut Script::default().then(late).then(|_| Ok(Turn::calls([set("c")]))));
    assert_eq!(summary.why, WhyStopped::Ended(EndReason::AuthorityEnded));
    assert_eq!(summary.detail.as_deref(), Some("expired"));
    let kinds = [Kind::Root, Kind::TurnStart, Kind::Turn, Kind::Rejection, Kind::Rejection, Kind::Terminated];
    assert_eq!(fixture.kinds(&run.id()), kinds);
    verified(&runtime, &run.id());
}

#[test]
fn no_model_is_asked_under_a_writ_that_is_revoked_or_expired() {
    for (detail, revoked) in [("revoked", true), ("expired", false)] {
        let fixture = Fixture::default();
        let runtime = fixture.open(tools());
        let chain = signed(writ().window(Window { not_before_ms: 0, expires_at_ms: START_MS + 5 }));
        let run = start(&runtime, &chain);
        if revoked {
            block_on(runtime.revoke(chain.id(), "gone", "issuer", &key(ISSUER))).unwrap();
        } else {
            fixture.clock.set(START_MS + 6);
        }
        let mut script = Script { estimate: Amounts { tokens: 10, ..Amounts::ZERO }, ..Script::default() };
        let summary = drive(&run, &mut script);
        assert_eq!(summary.why, WhyStopped::Ended(EndReason::AuthorityEnded));
        assert_eq!((summary.detail.as_deref(), script.seen.len(), summary.spent), (Some(detail), 0, Amounts::ZERO));
        assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Terminated]);
        verified(&runtime, &run.id());
    }
}

#[test]
fn no_model_is_asked_under_a_writ_that_another_process_revoked() {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let chain = signed(writ());
    let run = start(&runtime, &chain);
    block_on(fixture.open([]).revoke(chain.id(), "gone", "issuer", &key(ISSUER))).unwrap();
    let mut script = Script::default();
    assert_eq!(drive(&run, &mut script).why, WhyStopped::Ended(EndReason::AuthorityEnded));
    assert!(script.seen.is_empty());
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Terminated]);
    verified(&runtime, &run.id());
}

#[test]
fn a_request_that_is_nested_too_deep_is_recorded_as_malformed() {
    let (fixture, runtime, run) = open();
    let deep = (0..DEEP).fold(json!({}), |args, _| Value::Array(vec![args]));
    let summary = drive(&run, &mut Script::of([Turn::calls([Request::call("set", deep), set("a")])]));
    assert_eq!((summary.rejected, summary.committed), (1, 1));
    let turns: Vec<(Entry, TurnRecord)> = bodies(&fixture, &run.id(), Kind::Turn);
    assert_eq!(turns[0].1.malformed.len(), 1);
    verified(&runtime, &run.id());
}

#[test]
fn after_a_suspension_or_a_doubt_the_rest_of_the_turn_is_not_attempted() {
    for (tool, kind) in [("ask", Kind::PendingApproval), ("hold", Kind::Failure)] {
        let (fixture, runtime, run) = open();
        let mut script = Script::of([Turn::calls([set("a"), Request::call(tool, json!({})), set("b"), set("c")])]);
        let summary = drive(&run, &mut script);
        assert_eq!(summary.why == WhyStopped::Suspended, tool == "ask");
        let stopped_by =
            fixture.entries(&run.id()).into_iter().find(|entry| entry.header.known_kind() == Some(kind)).unwrap();
        let rejections = bodies::<Rejection>(&fixture, &run.id(), Kind::Rejection);
        assert_eq!(rejections.len(), 2);
        for (_, rejection) in rejections {
            let Rejection::NotAttempted { after, .. } = rejection else { panic!("{rejection:?}") };
            assert_eq!(after, stopped_by.id());
        }
        assert_eq!(block_on(run.world()).len(), 1);
        if tool == "hold" {
            let told = &script.seen[1].history;
            assert_eq!([&told[2].outcome, &told[3].outcome], [&Outcome::NotAttempted, &Outcome::NotAttempted]);
        }
        verified(&runtime, &run.id());
    }
}

/// The history that cognition is handed on the next step of a run, once what waits is denied.
fn history(run: &Run) -> Vec<PastOutcome> {
    for request in block_on(run.requests()) {
        block_on(run.vote(Answer::deny(request.entry))).unwrap();
    }
    let mut script = Script::default();
    drive(run, &mut script);
    script.seen.remove(0).history
}

#[test]
fn a_run_that_a_process_left_goes_on_where_it_stood() {
    let (fixture, runtime, run) = open();
    let again = || Request::call("fail", json!({}));
    let mut script = Script::of([
        Turn::calls([set("a"), again()]),
        Turn::calls([Request::call("gone", json!({"x": 1})), Request::call("hold", json!({})), set("never")]),
        Turn::calls([set("b"), Request::call("ask", json!({})), set("never")]),
    ]);
    assert_eq!(drive(&run, &mut script).why, WhyStopped::Suspended);
    let (id, world, spent) = (run.id(), block_on(run.world()), block_on(run.spent()));
    let live = script.seen[2].history.clone();
    drop((run, runtime));

    let runtime = fixture.open(tools());
    let run = resume(&runtime, &id);
    assert_eq!(block_on(run.world()).root(), world.root());
    assert!(block_on(run.world()).iter().eq(world.iter()));
    assert_eq!(block_on(run.spent()), spent);
    let (_, resumed) = bodies::<Resumed>(&fixture, &id, Kind::Resumed).remove(0);
    assert_eq!(resumed.in_doubt.len(), 1);
    let told = history(&run);
    assert_eq!(told[..live.len()], live);
    let later: Vec<_> = told[live.len()..].iter().map(|past| (past.step, &past.outcome)).collect();
    assert!(
        matches!(later[..], [(2, Outcome::Committed { .. }), (2, Outcome::Refused(_)), (2, Outcome::NotAttempted)]),
        "{later:?}"
    );
    verified(&runtime, &id);
    assert!(matches!(block_on(runtime.resume(&id)), Err(StartError::Ended(ended)) if ended == id));
}

#[test]
fn a_turn_that_a_crash_cut_short_is_paid_for_and_counts_as_a_step() {
    let (fixture, runtime, run) = open();
    let estimate = Amounts { tokens: 90, ..Amounts::ZERO };
    let turns = Script::of([Turn::calls([set("a")])]);
    let mut script = Script { estimate, ..turns }.step(|_| futures::future::pending().boxed());
    let mut driving = Box::pin(run.drive(&mut script, Limits::default()));
    assert!((&mut driving).now_or_never().is_none());
    drop(driving);
    let id = run.id();
    assert_eq!(block_on(run.spent()).1, estimate);
    drop((run, runtime));

    let runtime = fixture.open(tools());
    let run = resume(&runtime, &id);
    let (spent, held) = block_on(run.spent());
    assert_eq!((spent.tokens, held), (90, Amounts::ZERO));
    let mut script = Script::of([Turn::calls([set("b"), Request::call("ask", json!({}))])]);
    assert_eq!(drive(&run, &mut script).why, WhyStopped::Suspended);
    assert_eq!((script.seen[0].step, verified(&runtime, &id).spent.tokens), (2, 90));
    drop((run, runtime));

    // A third process reads the same steps back from the ledger.
    let runtime = fixture.open(tools());
    let steps: Vec<_> = history(&resume(&runtime, &id)).iter().map(|past| past.step).collect();
    assert_eq!(steps, [0, 2, 2]);
}

#[test]
fn a_tool_that_is_new_or_has_changed_since_the_start_can_be_used_after_a_resume() {
    let (fixture, runtime, run) = open();
    assert!(matches!(submit(&run, "set", json!({"key": "a"})), openthymos::runtime::Submitted::Committed { .. }));
    let id = run.id();
    drop((run, runtime));
    for version in ["2", "3"] {
        let renewed = || tools().into_iter().map(move |tool| tool.with(|tool| tool.contract.version = version.into()));
        let runtime = fixture.open(renewed());
        let run = resume(&runtime, &id);
        assert!(matches!(
            submit(&run, "set", json!({"key": version})),
            openthymos::runtime::Submitted::Committed { .. }
        ));
        verified(&runtime, &id);
        let mut file = Vec::new();
        block_on(openthymos::runtime::export(&*fixture.ledger, &id, Some(&key(RUNTIME)), START_MS, &mut file)).unwrap();
        openthymos::replay::export::verify(
            &file[..],
            openthymos::replay::Pins { rederive: true, ..Default::default() },
            |_, _| {},
        )
        .unwrap();
        let again = resume(&runtime, &id);
        assert_eq!(block_on(again.world()).root(), block_on(run.world()).root());
    }
    let added: Vec<_> =
        bodies::<Resumed>(&fixture, &id, Kind::Resumed).iter().map(|(_, body)| body.contracts.len()).collect();
    assert_eq!(added, [4; 4]);
}

#[test]
fn one_drive_at_a_time_and_nothing_after_the_end() {
    let (fixture, runtime, run) = open();
    // While cognition thinks, another drive is refused and somebody closes the run.
    let other = run.clone();
    let thinks = Script::default().step(move |_| {
        async move {
            let again = other.drive(&mut Script::default(), Limits::default()).await;
            assert!(matches!(again, Err(RunError::Driven)));
            other.close().await.unwrap();
            Ok(Turn::calls([Request::call("set", json!({"key": "late"}))]))
        }
        .boxed()
    });
    let mut thinks = Script { estimate: Amounts { tokens: 3, ..Amounts::ZERO }, ..thinks };
    assert!(matches!(block_on(run.drive(&mut thinks, Limits::default())), Err(RunError::Ended)));
    let (_, turn) = bodies::<TurnRecord>(&fixture, &run.id(), Kind::Turn).remove(0);
    assert_eq!((turn.error.unwrap().code.as_str(), turn.usage.tokens), ("abandoned", 3));
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::TurnStart, Kind::Turn, Kind::Terminated]);
    assert_eq!(verified(&runtime, &run.id()).spent.tokens, 3);
}

#[test]
fn a_turn_whose_drive_went_away_is_recorded_and_paid() {
    let (fixture, runtime, run) = open();
    let held = Amounts { tokens: 4, ..Amounts::ZERO };
    let mut hangs = Script { estimate: held, ..Script::default().step(|_| futures::future::pending().boxed()) };
    let dropped = run.drive(&mut hangs, Limits::default()).now_or_never();
    assert!(dropped.is_none());
    assert_eq!(block_on(run.spent()), (Amounts::ZERO, held));
    drive(&run, &mut Script::default());
    assert_eq!(block_on(run.spent()), (held, Amounts::ZERO));
    let turns = bodies::<TurnRecord>(&fixture, &run.id(), Kind::Turn);
    assert_eq!(turns[0].1.error.as_ref().unwrap().code, "abandoned");
    assert!(turns[1].1.error.is_none());
    verified(&runtime, &run.id());
}

#[test]
fn no_model_is_asked_once_its_budget_is_used_up_whatever_it_estimates() {
    let (_, runtime, _) = open();
    let chain = signed(writ().budget(Amounts { tokens: 10, ..PLENTY }));
    let spends = Turn { usage: Amounts { tokens: 10, ..Amounts::ZERO }, ..Turn::answer("done") };
    assert_eq!(drive(&start(&runtime, &chain), &mut Script::of([spends])).why, WhyStopped::Ended(EndReason::Completed));
    let mut asked = Script::default();
    let summary = drive(&start(&runtime, &chain), &mut asked);
    assert_eq!(summary.why, WhyStopped::Ended(EndReason::BudgetExhausted));
    assert_eq!((summary.detail.as_deref(), asked.seen.len()), (Some("tokens"), 0));
}

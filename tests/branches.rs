//! A branch explores from a point of another run: on its world and its accounts, without touching that run or the host.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::*;
use futures::executor::block_on;
use openthymos::{
    cognition::{Cognition, CognitionError, Context, Outcome as Told, Turn, TurnEvents},
    commit::Delta,
    contract::{Effect, Risk, Touches},
    crypto::Role,
    intent::Intent,
    proposal::{Code, Stage},
    replay::{self, Pins, Verdict},
    runtime::{Answer, Builder, Limits, Run, Runtime, StartError, Subjects, Submitted, export},
    tool::ToolOutput,
    writ::{Amounts, WritChain},
};
use serde_json::{Value, json};

/// A run whose world counts, and a poisoned tool for its branches.
struct Scene {
    fixture: Fixture,
    runtime: Runtime,
    chain: WritChain,
    run: Run,
    calls: Counter,
}

/// Counts in the world: creates what is not there, and replaces what is.
fn count() -> TestTool {
    TestTool::world("count").with(|tool| tool.reads = vec![kv("n")]).calling(|call| {
        let delta = match call.reads.value(&kv("n")) {
            Some(n) => Delta::none().replace(kv("n"), call.reads.version(&kv("n")), json!(n.as_i64().unwrap() + 1)),
            None => Delta::none().create(kv("n"), json!(1)),
        };
        Ok(ToolOutput::new("counted").with_delta(delta))
    })
}

fn look() -> TestTool {
    TestTool::host("look").with(|tool| (tool.contract.effect, tool.contract.touches) = (Effect::Read, Touches::Host))
}

impl Scene {
    fn new() -> Self {
        Self::under(PLENTY, |builder| builder)
    }

    fn under(budget: Amounts, tune: impl FnOnce(Builder) -> Builder) -> Self {
        let (fixture, act) = (Fixture::default(), TestTool::host("act"));
        let calls = act.counter();
        let builder = fixture.builder().tool(act).tool(count()).tool(look());
        let runtime = block_on(tune(builder.delegation(Subjects::default().key(key(AGENT)))).open()).unwrap();
        let chain = signed(writ().budget(budget));
        let run = start(&runtime, &chain);
        Self { fixture, runtime, chain, run, calls }
    }

    fn branch(&self, run: &Run, seq: u64) -> Run {
        block_on(self.runtime.branch((&run.id(), seq), None, &self.chain, &key(AGENT))).unwrap()
    }
}

fn counts(run: &Run) -> u64 {
    match submit(run, "count", json!({})) {
        Submitted::Committed { seq, .. } => seq,
        other => panic!("{other:?}"),
    }
}

fn value(run: &Run) -> Option<Value> {
    block_on(run.world()).get(&kv("n")).and_then(|found| found.value.as_deref().cloned())
}

#[test]
fn a_branch_starts_from_the_world_of_any_point_and_leaves_its_parent_alone() {
    let scene = Scene::new();
    let seqs: Vec<_> = (0..3).map(|_| counts(&scene.run)).collect();
    let head = block_on(scene.run.head());
    let branches: Vec<_> = [0].iter().chain(&seqs).map(|seq| scene.branch(&scene.run, *seq)).collect();
    let values: Vec<_> = branches.iter().map(value).collect();
    assert_eq!(values, [None, Some(json!(1)), Some(json!(2)), Some(json!(3))]);
    for branch in &branches {
        counts(branch);
    }
    assert_eq!(value(&branches[1]), Some(json!(2)));
    // A branch of a branch has what that one did.
    let below = scene.branch(&branches[1], 1);
    counts(&below);
    assert_eq!(value(&below), Some(json!(3)));
    assert_eq!((block_on(scene.run.head()), value(&scene.run)), (head, Some(json!(3))));
    counts(&scene.run);
    for run in branches.iter().chain([&scene.run, &below]) {
        verified(&scene.runtime, &run.id());
    }
}

#[test]
fn a_branch_touches_no_host_and_hands_nothing_down() {
    let scene = Scene::new();
    assert!(matches!(submit(&scene.run, "act", json!({})), Submitted::Committed { .. }));
    let branch = scene.branch(&scene.run, 0);
    let refused = |submitted| match submitted {
        Submitted::Rejected { refusal, .. } => (refusal.stage, refusal.code),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(submit(&branch, "act", json!({}))), (Stage::Effect, Code::NotInBranch));
    let delegate = Intent::delegate(json!({"task": "act for me", "tools": ["act"], "effects": "write"}));
    assert_eq!(refused(block_on(branch.submit(delegate)).unwrap()), (Stage::Delegation, Code::NotInBranch));
    assert!(matches!(submit(&branch, "look", json!({})), Submitted::Committed { .. }));
    assert_eq!(scene.calls.get(), 1);
    verified(&scene.runtime, &branch.id());
}

#[test]
fn a_branch_spends_of_the_same_accounts() {
    let scene = Scene::under(Amounts { tool_calls: 4, ..PLENTY }, |builder| builder);
    counts(&scene.run);
    let branch = scene.branch(&scene.run, 1);
    counts(&branch);
    counts(&branch);
    counts(&scene.run);
    for run in [&branch, &scene.run] {
        let Submitted::Rejected { refusal, .. } = submit(run, "count", json!({})) else { panic!() };
        assert_eq!(refusal.code, Code::BudgetExceeded);
    }
    verified(&scene.runtime, &branch.id());
}

#[test]
fn a_branch_inherits_no_request_and_no_approval() {
    let critical = TestTool::world("gated").with(|tool| tool.contract.risk = Risk::Critical);
    let calls = critical.counter();
    let scene = Scene::under(PLENTY, |builder| builder.tool(critical).trust(named(STRANGER), [Role::Approver]));
    let Submitted::Suspended { entry, seq, .. } = submit(&scene.run, "gated", json!({})) else { panic!() };
    block_on(scene.run.vote(Answer::approve(entry).by("approver", &key(STRANGER)))).unwrap();
    let branch = scene.branch(&scene.run, seq);
    assert!(block_on(branch.requests()).is_empty() && block_on(branch.carry_on()).unwrap().is_empty());
    assert!(matches!(submit(&branch, "gated", json!({})), Submitted::Suspended { .. }));
    assert_eq!(calls.get(), 0);
    block_on(scene.run.carry_on()).unwrap();
    assert_eq!(calls.get(), 1);
    verified(&scene.runtime, &branch.id());
}

/// Keeps what cognition is told.
struct Listener(Arc<Mutex<(String, Vec<Told>)>>);

#[async_trait]
impl Cognition for Listener {
    fn name(&self) -> String {
        "listener".into()
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        let told = context.history.iter().map(|past| past.outcome.clone()).collect();
        *self.0.lock().unwrap() = (context.task.clone(), told);
        Ok(Turn::answer("heard"))
    }
}

#[test]
fn cognition_is_told_what_was_done_up_to_the_branch_point_and_since() {
    let scene = Scene::new();
    let first = counts(&scene.run);
    counts(&scene.run);
    let branch = scene.branch(&scene.run, first);
    submit(&branch, "gone", json!({}));
    let heard = Arc::default();
    block_on(branch.drive(&mut Listener(Arc::clone(&heard)), Limits::default())).unwrap();
    let (task, told) = heard.lock().unwrap().clone();
    assert_eq!(task, "a task");
    assert!(matches!(told.as_slice(), [Told::Committed { .. }, Told::Refused(_)]), "{told:?}");
    verified(&scene.runtime, &branch.id());
}

#[test]
fn a_branch_is_taken_up_after_a_restart() {
    let scene = Scene::new();
    let first = counts(&scene.run);
    counts(&scene.run);
    let branch = scene.branch(&scene.run, first);
    counts(&branch);
    let (fixture, id) = (scene.fixture, branch.id());
    drop((scene.runtime, scene.run, branch));
    let builder = fixture.builder().tool(TestTool::host("act")).tool(count()).tool(look()).snapshot_every(1);
    let runtime = block_on(builder.delegation(Subjects::default()).open()).unwrap();
    let branch = block_on(runtime.resume(&id)).unwrap();
    assert_eq!(value(&branch), Some(json!(2)));
    counts(&branch);
    let Submitted::Rejected { refusal, .. } = submit(&branch, "act", json!({})) else { panic!() };
    assert_eq!(refusal.code, Code::NotInBranch);
    block_on(branch.close()).unwrap();
    verified(&runtime, &id);
}

#[test]
fn a_branch_begins_where_there_is_an_entry() {
    let scene = Scene::new();
    let beyond = block_on(scene.runtime.branch((&scene.run.id(), 7), None, &scene.chain, &key(AGENT))).err().unwrap();
    assert!(matches!(beyond, StartError::NoEntry { seq: 7, last: 0, .. }), "{beyond}");
    let stranger = block_on(scene.runtime.branch((&scene.run.id(), 0), None, &scene.chain, &key(STRANGER)));
    assert!(matches!(stranger.err().unwrap(), StartError::Refused(_)));
}

#[test]
fn without_its_parent_a_branch_is_not_verified_and_not_refused() {
    let scene = Scene::new();
    let first = counts(&scene.run);
    let branch = scene.branch(&scene.run, first);
    counts(&branch);
    let mut file = Vec::new();
    block_on(export(&*scene.fixture.ledger, &branch.id(), Some(&key(RUNTIME)), START_MS, &mut file)).unwrap();
    let (report, _) = replay::export::verify(&file[..], Pins { rederive: true, ..Pins::default() }, |_, _| {}).unwrap();
    assert_eq!(report.verdict(), Verdict::Incomplete);
    assert!(report.incomplete[0].contains("branch"), "{report}");
}

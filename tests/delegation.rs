//! A run hands part of its task to a child: under a writ that is a part of its own, in a run of its own, and both sides' entries
//! say the same of each other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use async_trait::async_trait;
use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    cognition::{Cognition, CognitionError, Context, Outcome as Told, Request, Turn, TurnEvents},
    contract::{DELEGATE, Effect, Risk},
    crypto::Role,
    intent::{Intent, IntentKind},
    ledger::{Kind, record::EndReason},
    policy::{Bundle, Coordination, PolicySet, UnsignedBundle},
    proposal::{Code, Refusal, Stage},
    runtime::{Answer, Builder, Limits, Run, RunError, Runtime, StartError, Subjects, Submitted, WhyStopped},
    writ::{Amounts, WritBuilder},
};
use serde_json::{Value, json};

/// A run that may delegate, a poisoned tool for its children, and the machine around it.
struct Scene {
    fixture: Fixture,
    runtime: Runtime,
    run: Run,
    calls: Counter,
}

fn subjects() -> Subjects {
    Subjects::default().key(key(AGENT)).secret([5; 32])
}

fn act() -> TestTool {
    TestTool::host("act")
}

impl Scene {
    fn new() -> Self {
        Self::under(writ(), |builder| builder)
    }

    fn under(writ: WritBuilder, tune: impl FnOnce(Builder) -> Builder) -> Self {
        let (fixture, tool) = (Fixture::default(), act());
        let calls = tool.counter();
        let builder = fixture.builder().tool(tool).delegation(subjects());
        let runtime = block_on(tune(builder).open()).unwrap();
        let run = start(&runtime, &signed(writ));
        Self { fixture, runtime, run, calls }
    }

    /// The run in another process.
    fn reopened(self, subjects: Subjects) -> Self {
        let Self { fixture, runtime, run, .. } = self;
        let (id, tool) = (run.id(), act());
        drop((runtime, run));
        let calls = tool.counter();
        let runtime = block_on(fixture.builder().tool(tool).delegation(subjects).open()).unwrap();
        let run = block_on(runtime.resume(&id)).unwrap();
        Self { fixture, runtime, run, calls }
    }

    fn verified(&self) {
        verified(&self.runtime, &self.run.id());
    }
}

fn delegate(run: &Run, args: Value) -> Submitted {
    block_on(run.submit(Intent::delegate(args))).unwrap()
}

/// Starts a child that may call `act` ten times.
fn child_of(run: &Run) -> Run {
    let args = json!({"task": "a part", "tools": ["act", "delegate"], "effects": "write", "budget": {"tool_calls": 10}, "depth": 1});
    match delegate(run, args) {
        Submitted::Delegated { child, .. } => block_on(run.child(&child)).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn refused(submitted: Submitted) -> Refusal {
    match submitted {
        Submitted::Rejected { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_child_runs_under_a_part_of_its_parents_writ_and_both_sides_link() {
    let scene = Scene::new();
    let child = child_of(&scene.run);
    let chain = block_on(child.writ());
    assert_eq!(chain.leaf().parent, Some(block_on(scene.run.writ()).id()));
    assert_eq!((chain.leaf().effect_ceiling, chain.leaf().budget.tool_calls), (Effect::Write, 10));
    assert!(matches!(submit(&child, "act", json!({})), Submitted::Committed { .. }));
    assert_eq!(scene.calls.get(), 1);
    scene.verified();

    assert!(matches!(block_on(scene.run.conclude(&child.id())), Err(RunError::ChildOpen(_))));
    block_on(child.close()).unwrap();
    let result = block_on(scene.run.conclude(&child.id())).unwrap();
    assert_eq!((result.reason, result.spent.tool_calls), (EndReason::Closed, 1));
    assert_eq!(scene.fixture.kinds(&scene.run.id()), [Kind::Root, Kind::Delegation, Kind::DelegationResult]);
    assert!(matches!(block_on(scene.run.conclude(&child.id())), Err(RunError::NoChild(_))));
    scene.verified();
    verified(&scene.runtime, &child.id());
}

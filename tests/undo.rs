//! What a run did is undone newest first, under a writ that is presented for it, each step as a commit of its own, and nothing twice.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use common::*;
use futures::executor::block_on;
use openthymos::{
    Commit,
    canon::EntryId,
    contract::{Effect, Risk},
    crypto::Role,
    host::SeededEntropy,
    intent::Intent,
    ledger::{
        Kind, LedgerStore, RegisterKey,
        record::{CompensationHalt, FailureCause, HappenedVerdict, WhatHappened},
        register::claim_of,
    },
    proposal::{ClaimState, Code},
    replay::{Pins, Verdict},
    runtime::{Answer, HaltCause, Resolution, Rollback, RollbackError, RollbackTo, Run, Runtime, StartError, Submitted, Under},
    tool::{ToolContract, ToolError, ToolOutput, builtin},
    writ::{Amounts, Scope, WritBuilder, WritChain},
};
use serde_json::{Value, json};

const OPERATOR: u8 = 31;

/// Levels that calls set, and the calls in order.
#[derive(Clone, Default)]
struct Levels {
    now: Arc<Mutex<BTreeMap<String, i64>>>,
    calls: Arc<Mutex<Vec<(String, i64)>>>,
}

impl Levels {
    fn of(&self, name: &str) -> Option<i64> {
        self.now.lock().unwrap().get(name).copied()
    }

    fn calls(&self) -> Vec<(String, i64)> {
        self.calls.lock().unwrap().clone()
    }

    /// A tool that touches the host, and says how to undo what it did.
    fn set(&self) -> TestTool {
        let levels = self.clone();
        TestTool::host("set").calling(move |call| {
            let (name, to) = (call.args["name"].as_str().unwrap().to_owned(), call.args["amount"].as_i64().unwrap());
            levels.calls.lock().unwrap().push((name.clone(), to));
            let before = levels.now.lock().unwrap().insert(name.clone(), to).unwrap_or(0);
            let undo = json!({"name": name, "amount": before});
            Ok(ToolOutput::new(json!({"before": before})).undone_by("set".parse().unwrap(), undo))
        })
    }
}

fn undo_writ() -> WritBuilder {
    WritBuilder::root(named(ISSUER), named(OPERATOR))
        .any_store()
        .scopes([scope("*")])
        .budget(PLENTY)
        .effects_up_to(Effect::Irreversible)
}

fn undo_chain(writ: WritBuilder) -> WritChain {
    block_on(writ.sign_with(&key(ISSUER), &SeededEntropy::new(99))).unwrap()
}

fn operator() -> WritChain {
    undo_chain(undo_writ())
}

struct Scene {
    fixture: Fixture,
    levels: Levels,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        Self::with(|tool| tool, [])
    }

    fn with(change: impl FnOnce(TestTool) -> TestTool, more: impl IntoIterator<Item = TestTool>) -> Self {
        let (fixture, levels) = (Fixture::default(), Levels::default());
        let mut tools: Vec<Arc<dyn ToolContract>> = vec![Arc::new(change(levels.set()))];
        tools.extend(more.into_iter().map(|tool| Arc::new(tool) as Arc<dyn ToolContract>));
        tools.extend(builtin::kv());
        let builder = fixture.builder().trust(named(OPERATOR), [Role::Approver]).tools(tools);
        let runtime = block_on(builder.open()).unwrap();
        Self { fixture, levels, runtime }
    }

    fn start(&self) -> Run {
        start(&self.runtime, &signed(writ()))
    }

    /// The entries of a kind.
    fn of_kind(&self, run: &Run, kind: Kind) -> Vec<EntryId> {
        let entries = self.fixture.entries(&run.id());
        entries.iter().filter(|entry| entry.header.known_kind() == Some(kind)).map(|entry| entry.id()).collect()
    }

    fn commit(&self, run: &Run, at: EntryId) -> Commit {
        self.fixture.entries(&run.id()).iter().find(|entry| entry.id() == at).unwrap().body().unwrap()
    }

    /// What the registers say of the undoing of an entry.
    fn register(&self, effect: &EntryId) -> Option<ClaimState> {
        let value = block_on(self.fixture.ledger.register(&RegisterKey::compensated(effect))).unwrap();
        value.map(|value| claim_of(&value).unwrap().state)
    }
}

fn set(run: &Run, name: &str, amount: i64) -> EntryId {
    committed(submit(run, "set", json!({"name": name, "amount": amount})))
}

fn committed(submitted: Submitted) -> EntryId {
    assert!(matches!(submitted, Submitted::Committed { .. }), "{submitted:?}");
    submitted.entry()
}

fn undo(run: &Run, to: impl Into<RollbackTo>, chain: &WritChain) -> Result<Rollback, RollbackError> {
    block_on(run.compensate_to(to, Under::writ(chain, &key(OPERATOR))))
}

fn undone(rollback: &Rollback) -> Vec<EntryId> {
    rollback.undone.iter().map(|step| step.effect).collect()
}

#[test]
fn everything_after_a_commit_is_undone_newest_first_and_that_one_stays() {
    let scene = Scene::new();
    let run = scene.start();
    let stays = set(&run, "a", 1);
    let effects = [
        set(&run, "a", 2),
        committed(submit(&run, "kv_set", json!({"key": "x", "value": {"is": 1}}))),
        set(&run, "b", 5),
        committed(submit(&run, "kv_set", json!({"key": "x", "value": 2}))),
    ];
    submit(&run, "kv_get", json!({"key": "x"}));
    let before = block_on(run.spent());
    let rollback = undo(&run, stays, &operator()).unwrap();
    assert_eq!((&rollback.halted, rollback.left.as_slice()), (&None, &[][..]));
    assert_eq!(undone(&rollback), effects.iter().rev().copied().collect::<Vec<_>>());
    for step in &rollback.undone {
        assert_eq!(scene.commit(&run, step.by).compensates, Some(step.effect));
        assert_eq!(scene.register(&step.effect), Some(ClaimState::Done));
    }
    assert_eq!((scene.levels.of("a"), scene.levels.of("b")), (Some(1), Some(0)));
    assert!(block_on(run.world()).is_empty());
    assert_eq!(block_on(run.spent()), before, "undoing is debited to the presented writ");
    // The run goes on under its own writ, and what was undone is not undone again.
    let later = set(&run, "c", 3);
    let report = verified(&scene.runtime, &run.id());
    assert_eq!(report.commits, 11);
    assert_eq!(undone(&undo(&run, RollbackTo::Start, &operator()).unwrap()), [later, stays]);
    assert_eq!(scene.levels.of("a"), Some(0));
    assert_eq!(undo(&run, RollbackTo::Start, &operator()).unwrap(), Rollback::default());
    verified(&scene.runtime, &run.id());
}

#[test]
fn a_run_that_has_ended_is_undone_too_and_its_world_with_it() {
    let scene = Scene::new();
    let run = scene.start();
    set(&run, "a", 1);
    committed(submit(&run, "kv_set", json!({"key": "x", "value": 1})));
    block_on(run.close()).unwrap();
    let spent = verified(&scene.runtime, &run.id()).spent;
    let under = || Under::writ(&operator(), Box::leak(Box::new(key(OPERATOR))));
    let rollback = block_on(scene.runtime.compensate_to(&run.id(), RollbackTo::Start, under())).unwrap();
    assert_eq!((rollback.undone.len(), rollback.halted), (2, None));
    assert_eq!(scene.levels.of("a"), Some(0));
    let report = verified(&scene.runtime, &run.id());
    assert_eq!(report.world_root, Default::default());
    assert_eq!(report.spent, spent);
    let again = block_on(scene.runtime.compensate_to(&run.id(), RollbackTo::Start, under())).unwrap();
    assert_eq!(again, Rollback::default());
}

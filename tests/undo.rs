//! What a run did is undone newest first, under a writ that is presented for it, each step as a commit of its own, and nothing twice.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use common::*;
use futures::executor::block_on;
use openthymos::{
    Commit,
    canon::{EntryId, WorldRoot},
    contract::{Effect, Risk},
    crypto::Role,
    host::SeededEntropy,
    ledger::{
        Kind, LedgerStore, RegisterKey,
        record::{CompensationHalt, FailureCause, HappenedVerdict, MAX_PLAN, WhatHappened},
        register::claim_of,
    },
    policy::{PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput, PolicySet},
    proposal::{ClaimState, Code, Verdict},
    replay::{self, Pins},
    runtime::{
        Answer, HaltCause, Resolution, Rollback, RollbackError, RollbackTo, Run, Runtime, StartError, Submitted, Under,
    },
    tool::{ToolContract, ToolError, ToolOutput, builtin},
    writ::{Amounts, UnverifiedChain, Window, WritBuilder, WritChain},
};
use serde_json::json;

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
    nth_chain(99, writ)
}

/// Equal writs of different numbers are different writs.
fn nth_chain(number: u64, writ: WritBuilder) -> WritChain {
    block_on(writ.sign_with(&key(ISSUER), &SeededEntropy::new(number))).unwrap()
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
        let runtime = block_on(fixture.builder().trust(named(OPERATOR), [Role::Approver]).tools(tools).open()).unwrap();
        Self { fixture, levels, runtime }
    }

    fn start(&self) -> Run {
        start(&self.runtime, &signed(writ()))
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
    let (chain, operator) = (operator(), key(OPERATOR));
    let under = || Under::writ(&chain, &operator);
    let rollback = block_on(scene.runtime.compensate_to(&run.id(), RollbackTo::Start, under())).unwrap();
    assert_eq!((rollback.undone.len(), rollback.halted), (2, None));
    assert_eq!(scene.levels.of("a"), Some(0));
    let report = verified(&scene.runtime, &run.id());
    assert_eq!(report.world_root, WorldRoot::ZERO);
    assert_eq!(report.spent, spent);
    let again = block_on(scene.runtime.compensate_to(&run.id(), RollbackTo::Start, under())).unwrap();
    assert_eq!(again, Rollback::default());
}

/// What stopped an undo that undid nothing.
fn stopped(rollback: &Rollback) -> &HaltCause {
    assert!(rollback.undone.is_empty(), "{rollback:?}");
    &rollback.halted.as_ref().unwrap().cause
}

#[test]
fn no_tool_is_called_where_the_presented_writ_does_not_let_it() {
    let refused = |writ: WritBuilder, code: Code| {
        let scene = Scene::new();
        let run = scene.start();
        let effect = set(&run, "a", 1);
        let rollback = undo(&run, RollbackTo::Start, &undo_chain(writ)).unwrap();
        assert!(matches!(stopped(&rollback), HaltCause::Refused(refusal) if refusal.code == code), "{rollback:?}");
        assert_eq!(rollback.left.len(), 1);
        let halt: CompensationHalt = scene.fixture.entries(&run.id()).last().unwrap().body().unwrap();
        assert_eq!((halt.at, halt.cause.as_str()), (effect, "refused"));
        assert_eq!((scene.levels.calls().len(), scene.register(&effect)), (1, None));
        verified(&scene.runtime, &run.id());
        // With a writ that lets it, undoing goes on from there.
        let other = nth_chain(98, undo_writ());
        assert_eq!(undone(&undo(&run, RollbackTo::Start, &other).unwrap()), [effect]);
        verified(&scene.runtime, &run.id());
    };
    refused(undo_writ().scopes([scope("kv_*")]), Code::OutOfScope);
    refused(undo_writ().effects_up_to(Effect::Read), Code::EffectAboveCeiling);
    refused(undo_writ().budget(Amounts { tool_calls: 0, ..PLENTY }), Code::BudgetExceeded);
}

#[test]
fn a_writ_that_is_revoked_expired_or_not_trusted_undoes_nothing() {
    let scene = Scene::new();
    let run = scene.start();
    set(&run, "a", 1);
    let (entries, chain) = (scene.fixture.entries(&run.id()).len(), operator());
    let code = |chain: &WritChain| match undo(&run, RollbackTo::Start, chain) {
        Err(RollbackError::Start(StartError::Refused(refusal))) => refusal.code,
        other => panic!("{other:?}"),
    };
    block_on(scene.runtime.revoke(chain.id(), "lost", "root", &key(ISSUER))).unwrap();
    assert_eq!(code(&chain), Code::Revoked);
    let expired = undo_chain(undo_writ().window(Window { not_before_ms: 0, expires_at_ms: START_MS - 1 }));
    assert_eq!(code(&expired), Code::Expired);
    let strange = WritBuilder::root(named(STRANGER), named(OPERATOR)).any_store().scopes([scope("*")]).budget(PLENTY);
    let strange = block_on(strange.sign_with(&key(STRANGER), &SeededEntropy::new(5))).unwrap();
    assert_eq!(code(&strange), Code::UntrustedRoot);
    let other = nth_chain(98, undo_writ());
    let wrong_subject = block_on(run.compensate_to(RollbackTo::Start, Under::writ(&other, &key(STRANGER))));
    assert!(
        matches!(wrong_subject, Err(RollbackError::Start(StartError::Refused(refusal))) if refusal.code == Code::WrongSubject)
    );
    let mut forged = UnverifiedChain { chain: other.signed().to_vec() };
    forged.chain[0].signature = chain.signed()[0].signature;
    let forged = block_on(run.compensate_to(RollbackTo::Start, Under::writ(forged, &key(OPERATOR))));
    assert!(matches!(forged, Err(RollbackError::Start(StartError::InvalidChain { .. }))), "{forged:?}");
    let own = block_on(run.writ());
    let own = block_on(run.compensate_to(RollbackTo::Start, Under::writ(own, &key(AGENT))));
    assert!(matches!(own, Err(RollbackError::OwnWrit)));
    assert!(matches!(undo(&run, EntryId([7; 32]), &other), Err(RollbackError::NotThere(_))));
    assert_eq!(code(&undo_chain(undo_writ().tenant("another"))), Code::WrongTenant);
    assert_eq!((scene.fixture.entries(&run.id()).len(), scene.levels.calls().len()), (entries, 1));
    let refused = scene.fixture.authority();
    let refused = refused.iter().filter(|entry| entry.header.known_kind() == Some(Kind::StartRefused));
    assert_eq!(refused.count(), 6);
    verified(&scene.runtime, &run.id());
}

#[test]
fn the_budget_of_the_presented_writ_is_what_undoing_spends() {
    let scene = Scene::new();
    let run = scene.start();
    let effects = [set(&run, "a", 1), set(&run, "b", 1), set(&run, "c", 1)];
    let two = undo_chain(undo_writ().budget(Amounts { tool_calls: 2, ..PLENTY }));
    let rollback = undo(&run, RollbackTo::Start, &two).unwrap();
    assert_eq!(undone(&rollback), [effects[2], effects[1]]);
    assert!(
        matches!(&rollback.halted.unwrap().cause, HaltCause::Refused(refusal) if refusal.code == Code::BudgetExceeded)
    );
    let accounts = whole(&*scene.fixture.ledger).accounts;
    let account = accounts.iter().find(|account| account.writ == two.id()).unwrap();
    assert_eq!((account.spent.tool_calls, account.runs), (2, 0));
    // Presented once more, it has no more than it had.
    assert!(matches!(stopped(&undo(&run, RollbackTo::Start, &two).unwrap()), HaltCause::Refused(_)));
    assert_eq!(undone(&undo(&run, RollbackTo::Start, &operator()).unwrap()), [effects[0]]);
    verified(&scene.runtime, &run.id());
}

#[test]
fn what_cannot_be_undone_stops_it_until_somebody_signs_that_it_stays() {
    let scene = Scene::with(|tool| tool, [TestTool::host("mail")]);
    let run = scene.start();
    let first = set(&run, "a", 1);
    let mail = committed(submit(&run, "mail", json!({})));
    let last = set(&run, "a", 2);
    let rollback = undo(&run, RollbackTo::Start, &operator()).unwrap();
    assert_eq!(undone(&rollback), [last]);
    let halt = rollback.halted.unwrap();
    assert_eq!((halt.at, halt.cause, rollback.left.len()), (mail, HaltCause::NotCompensable, 2));
    // Again, and it is where it was.
    assert_eq!(*stopped(&undo(&run, RollbackTo::Start, &operator()).unwrap()), HaltCause::NotCompensable);
    let keep = |entries: &[EntryId]| {
        let (chain, key) = (operator(), key(OPERATOR));
        block_on(run.compensate_to(RollbackTo::Start, Under::writ(&chain, &key).keeping(entries.to_vec())))
    };
    assert!(matches!(keep(&[last]), Err(RollbackError::NotKept(entry)) if entry == last));
    assert_eq!(undone(&keep(&[mail]).unwrap()), [first]);
    assert_eq!(scene.levels.of("a"), Some(0));
    verified(&scene.runtime, &run.id());
}

#[test]
fn a_step_that_fails_is_tried_again_by_the_next_rollback() {
    let broken = Arc::new(Mutex::new(None));
    let fails = broken.clone();
    let scene = Scene::with(
        |tool| {
            let call = tool.call;
            TestTool {
                call: Box::new(move |of| match fails.lock().unwrap().take() {
                    Some(error) => Box::pin(async { Err(error) }),
                    None => call(of),
                }),
                reconcile: Some(Box::new(|()| None)),
                ..tool
            }
        },
        [],
    );
    let run = scene.start();
    let effects = [set(&run, "a", 1), set(&run, "b", 1)];
    *broken.lock().unwrap() = Some(ToolError::NotDone("busy".into()));
    let failed = undo(&run, RollbackTo::Start, &operator()).unwrap();
    let not_done = HaltCause::Failed { cause: FailureCause::NotDone, effect: WhatHappened::None };
    assert_eq!((stopped(&failed), failed.left.len()), (&not_done, 2));
    assert_eq!(scene.register(&effects[1]), None);
    // Nobody knows whether it was undone: nothing is tried until that is settled.
    *broken.lock().unwrap() = Some(ToolError::Failed("connection lost".into()));
    let unknown = undo(&run, RollbackTo::Start, &operator()).unwrap();
    assert!(matches!(stopped(&unknown), HaltCause::Failed { effect: WhatHappened::Unknown, .. }));
    assert_eq!(scene.register(&effects[1]), Some(ClaimState::InDoubt));
    let calls = scene.levels.calls().len();
    let again = undo(&run, RollbackTo::Start, &operator()).unwrap();
    assert_eq!((stopped(&again), scene.levels.calls().len()), (&HaltCause::InDoubt, calls));
    let (seq, dispatch) = block_on(run.in_doubt())[0];
    assert_eq!((again.halted.as_ref().unwrap().at, again.halted.as_ref().unwrap().seq), (dispatch, seq));
    verified(&scene.runtime, &run.id());
    let settle = |verdict| {
        let dispatch = block_on(scene.runtime.replay(&run.id(), Pins::default())).unwrap().in_doubt[0];
        let resolution = Resolution { dispatch, verdict, note: None, name: "operator" };
        block_on(scene.runtime.resolve(&run.id(), resolution, &key(OPERATOR))).unwrap();
    };
    settle(HappenedVerdict::NotDone);
    assert_eq!(scene.register(&effects[1]), None);
    let run = block_on(scene.runtime.resume(&run.id())).unwrap();
    *broken.lock().unwrap() = Some(ToolError::Failed("connection lost".into()));
    assert!(undo(&run, RollbackTo::Start, &operator()).unwrap().undone.is_empty());
    settle(HappenedVerdict::Happened);
    assert_eq!(scene.register(&effects[1]), Some(ClaimState::Done));
    let run = block_on(scene.runtime.resume(&run.id())).unwrap();
    assert_eq!(undone(&undo(&run, RollbackTo::Start, &operator()).unwrap()), [effects[0]]);
    assert_eq!((scene.levels.of("a"), scene.levels.of("b")), (Some(0), Some(1)));
    verified(&scene.runtime, &run.id());
}

#[test]
fn an_effect_in_doubt_stops_what_came_before_it() {
    let lost = TestTool::host("lost").calling(|_| Err(ToolError::Failed("no answer".into())));
    let scene = Scene::with(|tool| tool, [lost]);
    let run = scene.start();
    let before = set(&run, "a", 1);
    submit(&run, "lost", json!({}));
    let after = set(&run, "a", 2);
    let rollback = undo(&run, RollbackTo::Start, &operator()).unwrap();
    assert_eq!(undone(&rollback), [after]);
    let (_, dispatch) = block_on(run.in_doubt())[0];
    let halt = rollback.halted.unwrap();
    assert_eq!((halt.at, halt.cause), (dispatch, HaltCause::InDoubt));
    let resolution = Resolution { dispatch, verdict: HappenedVerdict::NotDone, note: None, name: "operator" };
    block_on(scene.runtime.resolve(&run.id(), resolution, &key(OPERATOR))).unwrap();
    let run = block_on(scene.runtime.resume(&run.id())).unwrap();
    assert_eq!(undone(&undo(&run, RollbackTo::Start, &operator()).unwrap()), [before]);
    verified(&scene.runtime, &run.id());
}

#[test]
fn an_effect_that_happened_and_failed_is_undone_as_well() {
    let scene =
        Scene::with(|tool| tool.with(|tool| tool.postcondition = Some(Box::new(|()| Err("looks_wrong".into())))), []);
    let run = scene.start();
    let failed = submit(&run, "set", json!({"name": "a", "amount": 1}));
    assert!(matches!(failed, Submitted::Failed { effect: WhatHappened::Happened, .. }));
    let rollback = undo(&run, RollbackTo::Start, &operator()).unwrap();
    // The step fails in the same way, after it was done: it is not done again.
    assert!(matches!(stopped(&rollback), HaltCause::Failed { effect: WhatHappened::Happened, .. }));
    assert!(rollback.left.is_empty());
    assert_eq!((scene.levels.of("a"), scene.register(&failed.entry())), (Some(0), Some(ClaimState::Done)));
    assert_eq!(undo(&run, RollbackTo::Start, &operator()).unwrap(), Rollback::default());
    assert_eq!(scene.levels.calls().len(), 2);
    verified(&scene.runtime, &run.id());
}

#[test]
fn a_step_that_needs_approval_waits_for_it_also_after_the_end() {
    for ended in [false, true] {
        let scene = Scene::with(|tool| tool.with(|tool| tool.contract.risk = Risk::Critical), []);
        let run = scene.start();
        let effects = ["a", "b"].map(|name| {
            let asked = submit(&run, "set", json!({"name": name, "amount": 1}));
            block_on(run.vote(Answer::approve(asked.entry()))).unwrap();
            committed(block_on(run.carry_on()).unwrap().remove(0).1)
        });
        if ended {
            block_on(run.close()).unwrap();
        }
        let (chain, operator) = (operator(), key(OPERATOR));
        let roll = || {
            let under = Under::writ(&chain, &operator);
            block_on(scene.runtime.compensate_to(&run.id(), RollbackTo::Start, under)).unwrap()
        };
        let waits = |rollback: &Rollback| match &rollback.halted.as_ref().unwrap().cause {
            HaltCause::Suspended { request, .. } => *request,
            other => panic!("{other:?}"),
        };
        let request = waits(&roll());
        assert_eq!(waits(&roll()), request, "it is not asked for again");
        assert_eq!(scene.levels.calls().len(), 2);
        let vote = |request| block_on(scene.runtime.vote(&run.id(), Answer::approve(request))).unwrap();
        vote(request);
        if !ended {
            // The run itself does not carry out what an undo asked for.
            let run = block_on(scene.runtime.resume(&run.id())).unwrap();
            assert_eq!(block_on(run.carry_on()).unwrap(), []);
        }
        assert_eq!(scene.levels.calls().len(), 2);
        let second = roll();
        assert_eq!(undone(&second), [effects[1]]);
        verified(&scene.runtime, &run.id());
        vote(waits(&second));
        assert_eq!(undone(&roll()), [effects[0]]);
        assert_eq!(scene.levels.of("a"), Some(0));
        verified(&scene.runtime, &run.id());
    }
}

#[test]
fn two_rollbacks_at_once_undo_each_effect_once() {
    let scene = Scene::new();
    let run = scene.start();
    let effects: Vec<_> = (1..=6).map(|amount| set(&run, "a", amount)).collect();
    block_on(run.close()).unwrap();
    let roll = |seed| {
        let (chain, operator) = (nth_chain(seed, undo_writ()), key(OPERATOR));
        let under = Under::writ(&chain, &operator);
        block_on(scene.runtime.compensate_to(&run.id(), RollbackTo::Start, under)).map(|rollback| undone(&rollback))
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || roll(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // Those that lost a race say so; what is left is undone by one more.
    let mut all: Vec<_> = done.into_iter().flatten().flatten().collect();
    all.extend(roll(9).unwrap());
    let calls = scene.levels.calls();
    assert_eq!(calls.len(), 12, "{calls:?}");
    assert_eq!(calls[6..].iter().map(|(_, to)| *to).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
    assert!(all.iter().all(|entry| effects.contains(entry)));
    assert!(effects.iter().all(|effect| scene.register(effect) == Some(ClaimState::Done)));
    verified(&scene.runtime, &run.id());
}

#[test]
fn a_cancelled_run_is_undone() {
    let scene = Scene::new();
    let run = scene.start();
    let effect = set(&run, "a", 1);
    run.cancel();
    assert_eq!(undone(&undo(&run, RollbackTo::Start, &operator()).unwrap()), [effect]);
}

/// Denies whatever a rollback asks for.
struct NoRollback;

impl PolicyEngine for NoRollback {
    fn descriptor(&self) -> PolicyDescriptor {
        PolicyDescriptor { config: String::new(), name: "no rollback".into(), version: "1".into() }
    }

    fn evaluate(&self, input: &PolicyInput<'_>) -> Result<Verdict, PolicyError> {
        let denied = input.intent.record().author == "rollback";
        Ok(if denied { Verdict::Deny { reason: "not here".into() } } else { Verdict::Permit })
    }
}

#[test]
fn rules_that_are_in_force_are_asked_about_every_step() {
    let scene = Scene::new();
    let run = scene.start();
    let effect = set(&run, "a", 1);
    let policies = PolicySet::builder().engine(Arc::new(NoRollback)).build().unwrap();
    let tools = [Arc::new(scene.levels.set()) as Arc<dyn ToolContract>].into_iter().chain(builtin::kv());
    let strict = block_on(scene.fixture.builder().policies(policies).tools(tools).open()).unwrap();
    let (chain, operator) = (operator(), key(OPERATOR));
    let under = Under::writ(&chain, &operator);
    let rollback = block_on(strict.compensate_to(&run.id(), RollbackTo::Start, under)).unwrap();
    assert!(matches!(stopped(&rollback), HaltCause::Refused(refusal) if refusal.code == Code::PolicyDenied));
    assert_eq!((scene.levels.calls().len(), scene.register(&effect)), (1, None));
    verified(&strict, &run.id());
}

#[test]
fn a_run_that_was_undone_is_taken_up_as_it_is_where_it_had_snapshots() {
    let (fixture, levels) = (Fixture::default(), Levels::default());
    let open = || {
        let tools = [Arc::new(levels.set()) as Arc<dyn ToolContract>].into_iter().chain(builtin::kv());
        block_on(fixture.builder().snapshot_every(1).tools(tools).open()).unwrap()
    };
    let runtime = open();
    let run = start(&runtime, &signed(writ()));
    for value in 0..12 {
        committed(submit(&run, "kv_set", json!({"key": "x", "value": value})));
        set(&run, "a", value + 1);
    }
    let kept = block_on(fixture.ledger.snapshot(&run.id(), u64::MAX)).unwrap().unwrap().0;
    assert_eq!(undo(&run, RollbackTo::Start, &operator()).unwrap().undone.len(), 24);
    for value in 0..12 {
        committed(submit(&run, "kv_set", json!({"key": "y", "value": value})));
    }
    assert_eq!(block_on(fixture.ledger.snapshot(&run.id(), u64::MAX)).unwrap().unwrap().0, kept);
    let (before, spent) = (block_on(run.world()), block_on(run.spent()));
    let id = run.id();
    drop(run);
    let run = block_on(open().resume(&id)).unwrap();
    assert_eq!((block_on(run.world()).root(), block_on(run.spent())), (before.root(), spent));
    assert_eq!(undo(&run, RollbackTo::Start, &nth_chain(5, undo_writ())).unwrap().undone.len(), 12);
    verified(&runtime, &run.id());
}

#[test]
fn more_effects_than_a_plan_has_are_undone_in_several() {
    let scene = Scene::new();
    let many = u64::try_from(MAX_PLAN).unwrap() + 2;
    let chain = signed(writ().budget(Amounts { tool_calls: 2 * many, ..PLENTY }));
    let run = start(&scene.runtime, &chain);
    let first = set(&run, "a", 1);
    for value in 1..many {
        committed(submit(&run, "kv_set", json!({"key": "x", "value": value})));
    }
    let wide = undo_chain(undo_writ().budget(Amounts { tool_calls: many, ..PLENTY }));
    let rollback = undo(&run, RollbackTo::Start, &wide).unwrap();
    assert_eq!((rollback.undone.len() as u64, rollback.undone.last().unwrap().effect), (many, first));
    let plans = scene.fixture.kinds(&run.id()).into_iter().filter(|kind| *kind == Kind::Compensation);
    assert_eq!(plans.count(), 2);
    let report = block_on(scene.runtime.replay(&run.id(), Pins::default())).unwrap();
    assert_eq!((report.verdict(), report.world_root), (replay::Verdict::Verified, WorldRoot::ZERO));
}

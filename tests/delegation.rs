//! A run hands part of its task to a child: under a writ that is a part of its own, in a run of its own, and both sides' entries
//! say the same of each other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    num::NonZeroU32,
    sync::{Arc, Barrier, Mutex},
};

use async_trait::async_trait;
use common::*;
use futures::{StreamExt, executor::block_on};
use openthymos::{
    cognition::{Cognition, CognitionError, Context, Mock, Outcome as Told, Request, Turn, TurnEvents},
    contract::{DELEGATE, Effect, Risk},
    crypto::Role,
    intent::{Intent, IntentKind},
    ledger::{Kind, record::EndReason},
    policy::{Bundle, Coordination, PolicySet, UnsignedBundle},
    proposal::{Code, Refusal, Stage},
    replay::{
        Pins,
        simulate::{self, Because, Change, Found, Runs},
    },
    runtime::{
        Answer, Binding, Builder, Event, EventKind, Limits, RollbackError, RollbackTo, Run, RunError, Runtime,
        StartError, Subjects, Submitted, Under, WhyStopped, rollback_plan,
    },
    tool::{ToolError, ToolOutput},
    writ::{Amounts, Cap, Skill, WritBuilder},
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

#[test]
fn what_exceeds_the_parent_in_any_single_dimension_is_refused_and_starts_nothing() {
    let narrow = || {
        let budget = Amounts { tokens: 5, tool_calls: 100, usd_millicents: 5, wall_clock_ms: 5_000 };
        writ().scopes([scope("act"), scope("delegate")]).effects_up_to(Effect::Write).budget(budget).delegable(2)
    };
    let asks = |more: Value| {
        let mut args = json!({"task": "a part", "tools": ["act"]});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    let exceeds = |more: Value| (asks(more), Stage::Delegation, Code::ChildExceedsParent);
    let cases = [
        exceeds(json!({"tools": ["act", "other"]})),
        exceeds(json!({"tools": ["*"]})),
        exceeds(json!({"effects": "external"})),
        exceeds(json!({"budget": {"tokens": 6}})),
        exceeds(json!({"budget": {"tool_calls": 101}})),
        exceeds(json!({"budget": {"usd_millicents": 6}})),
        exceeds(json!({"budget": {"wall_clock_ms": 5_001}})),
        exceeds(json!({"depth": 2})),
        (asks(json!({"task": ""})), Stage::Schema, Code::SchemaViolation),
        (asks(json!({"tools": []})), Stage::Schema, Code::SchemaViolation),
        (asks(json!({"role": "root"})), Stage::Schema, Code::SchemaViolation),
        (asks(json!({"tools": ["a b"]})), Stage::Schema, Code::ArgumentsMalformed),
    ];
    let scene = Scene::under(narrow(), |builder| builder);
    for (args, stage, code) in cases {
        let refusal = refused(delegate(&scene.run, args.clone()));
        assert_eq!((refusal.stage, refusal.code), (stage, code), "{args}: {refusal}");
    }
    assert!(block_on(scene.run.children()).is_empty());
    assert_eq!(
        scene.fixture.authority().iter().filter(|entry| entry.header.known_kind() == Some(Kind::RunOpened)).count(),
        1
    );
    scene.verified();
    let Submitted::Delegated { .. } = delegate(&scene.run, asks(json!({"effects": "write", "depth": 1}))) else {
        panic!()
    };
    scene.verified();
}

#[test]
fn a_writ_that_may_not_be_delegated_or_has_no_scope_for_it() {
    let plain = json!({"task": "a part", "tools": ["act"]});
    for (writ, code) in [
        (writ().delegable(0), Code::NotDelegable),
        (writ().scopes([scope("act")]), Code::OutOfScope),
        (writ().budget(Amounts { tool_calls: 0, ..PLENTY }), Code::BudgetExceeded),
    ] {
        let scene = Scene::under(writ, |builder| builder);
        assert_eq!(refused(delegate(&scene.run, plain.clone())).code, code);
        scene.verified();
    }
}

#[test]
fn a_delegation_is_asked_for_as_such_and_no_tool_has_its_name() {
    let scene = Scene::new();
    let plain = json!({"task": "a part", "tools": ["act"]});
    for kind in [IntentKind::Act, IntentKind::Query] {
        let intent = Intent { kind, ..Intent::delegate(plain.clone()) };
        assert_eq!(refused(block_on(scene.run.submit(intent)).unwrap()).code, Code::UnsupportedKind);
    }
    let other = Intent { kind: IntentKind::Delegate, ..Intent::act("act", json!({})) };
    assert_eq!(refused(block_on(scene.run.submit(other)).unwrap()).code, Code::UnsupportedKind);
    assert_eq!(scene.calls.get(), 0);
    scene.verified();
    // Where nobody set it up there is no such contract.
    let fixture = Fixture::default();
    let runtime = fixture.open([act()]);
    let run = start(&runtime, &signed(writ()));
    assert_eq!(refused(delegate(&run, plain)).code, Code::UnsupportedKind);
    let taken = block_on(fixture.builder().tool(TestTool::host(DELEGATE)).open()).err().unwrap();
    assert!(taken.to_string().contains("`delegate`"), "{taken}");
}

#[test]
fn the_numbers_of_children_descendants_and_generations_are_limited() {
    let limits = Coordination { children: 2, descendants: 3, generations: 2 };
    let scene =
        Scene::under(writ(), |builder| builder.policies(PolicySet::builder().coordination(limits).build().unwrap()));
    let asks = || json!({"task": "a part", "tools": ["act", "delegate"], "depth": 0});
    let limited = |run: &Run| {
        let refusal = refused(delegate(run, asks()));
        assert_eq!((refusal.stage, refusal.code), (Stage::Delegation, Code::TooManyRuns), "{refusal}");
        refusal.pointer.unwrap()
    };
    let deep = |run: &Run, depth: u32| {
        let args = json!({"task": "a part", "tools": ["act", "delegate"], "depth": depth});
        match delegate(run, args) {
            Submitted::Delegated { child, .. } => block_on(run.child(&child)).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let first = deep(&scene.run, 2);
    let grandchild = deep(&first, 1);
    assert_eq!(limited(&grandchild), "generation");
    let second = deep(&scene.run, 2);
    assert_eq!(limited(&scene.run), "children");
    assert_eq!(limited(&second), "descendants");
    scene.verified();
    // What has ended counts all the same: a limit is on how many there were.
    block_on(scene.run.close()).unwrap();
    scene.verified();
}

fn rules(rules: Value) -> PolicySet {
    let bundle: Bundle = serde_json::from_value(json!({"name": "b", "version": "1", "rules": rules})).unwrap();
    PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap()
}

#[test]
fn rules_read_what_a_child_would_be_granted_and_concern_no_other_call() {
    let policies = rules(json!([
        {"name": "money", "when": {"field": "child.budget.usd_millicents", "op": "gt", "value": 100},
         "decision": {"kind": "deny", "reason": "too much money"}},
        {"name": "effects", "when": {"field": "child.effect_ceiling", "op": "eq", "value": "external"},
         "decision": {"kind": "require_approval", "channel": "operator", "reason": "it acts outside"}},
        {"name": "shell", "when": {"field": "child.tools", "op": "contains", "value": "pay"},
         "decision": {"kind": "deny", "reason": "nobody below pays"}},
        {"name": "second", "when": {"field": "child.children", "op": "gte", "value": 1},
         "decision": {"kind": "deny", "reason": "one is enough"}},
    ]));
    let scene = Scene::under(writ(), |builder| builder.policies(policies));
    assert!(matches!(submit(&scene.run, "act", json!({})), Submitted::Committed { .. }));
    let asks = |more: Value| {
        let mut args = json!({"task": "a part", "tools": ["act"], "budget": {"usd_millicents": 100}});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    for (more, reason) in [
        (json!({"budget": {"usd_millicents": 101}}), "too much money"),
        (json!({"budget": {}}), "too much money"),
        (json!({"tools": ["act", "pay"]}), "nobody below pays"),
    ] {
        let refusal = refused(delegate(&scene.run, asks(more)));
        assert_eq!((refusal.code, refusal.asked.as_deref()), (Code::PolicyDenied, Some(reason)));
    }
    let Submitted::Suspended { reason, .. } = delegate(&scene.run, asks(json!({"effects": "external"}))) else {
        panic!()
    };
    assert_eq!(reason, "it acts outside");
    let Submitted::Delegated { .. } = delegate(&scene.run, asks(json!({}))) else { panic!() };
    assert_eq!(refused(delegate(&scene.run, asks(json!({})))).asked.as_deref(), Some("one is enough"));
    scene.verified();
}

#[test]
fn a_delegation_that_waits_is_approved_as_what_was_shown_and_starts_one_child() {
    let policies = rules(json!([
        {"name": "ask", "when": {"field": "intent.kind", "op": "eq", "value": "delegate"},
         "decision": {"kind": "require_approval", "channel": "operator", "reason": "somebody has to agree"}},
    ]));
    let approver = |builder: Builder| builder.trust(named(STRANGER), [Role::Approver]);
    for restart in [false, true] {
        let mut scene = Scene::under(writ(), |builder| approver(builder.policies(policies.clone())));
        let Submitted::Suspended { entry, .. } = delegate(&scene.run, json!({"task": "a part", "tools": ["act"]}))
        else {
            panic!()
        };
        assert!(block_on(scene.run.children()).is_empty());
        if restart {
            let Scene { fixture, runtime, run, calls } = scene;
            let id = run.id();
            drop((runtime, run));
            let builder = approver(fixture.builder().tool(act()).delegation(subjects()).policies(policies.clone()));
            let runtime = block_on(builder.open()).unwrap();
            let run = block_on(runtime.resume(&id)).unwrap();
            scene = Scene { fixture, runtime, run, calls };
        }
        block_on(scene.run.vote(Answer::approve(entry).by("approver", &key(STRANGER)))).unwrap();
        let carried = block_on(scene.run.carry_on()).unwrap();
        assert!(matches!(carried.as_slice(), [(_, Submitted::Delegated { .. })]), "{carried:?}");
        assert!(block_on(scene.run.carry_on()).unwrap().is_empty());
        assert_eq!(block_on(scene.run.children()).len(), 1);
        scene.verified();
    }
}

/// A tool whose calls cost ten calls.
fn spends(run: &Run) -> bool {
    match submit(run, "act", json!({})) {
        Submitted::Committed { .. } => true,
        Submitted::Rejected { refusal, .. } if refusal.code == Code::BudgetExceeded => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_child_spends_counts_against_every_ancestor() {
    let scene = Scene::under(writ().budget(Amounts { tool_calls: 8, ..PLENTY }), |builder| builder);
    let args = |calls: u64| json!({"task": "a part", "tools": ["act", "delegate"], "effects": "write", "budget": {"tool_calls": calls}, "depth": 1});
    let below = |run: &Run, calls: u64| match delegate(run, args(calls)) {
        Submitted::Delegated { child, .. } => block_on(run.child(&child)).unwrap(),
        other => panic!("{other:?}"),
    };
    let child = below(&scene.run, 8);
    // One call was to delegate. The child's cap is 2, and its parent has 7 left.
    let grandchild = match delegate(
        &child,
        json!({"task": "less", "tools": ["act"], "effects": "write", "budget": {"tool_calls": 2}}),
    ) {
        Submitted::Delegated { child: run, .. } => block_on(child.child(&run)).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!([spends(&grandchild), spends(&grandchild), spends(&grandchild)], [true, true, false]);
    assert_eq!([spends(&child), spends(&child), spends(&child), spends(&child)], [true; 4]);
    // 1 + 1 + 2 + 4 are spent: nothing is left for anybody.
    assert_eq!([spends(&child), spends(&scene.run), spends(&grandchild)], [false; 3]);
    assert_eq!(scene.calls.get(), 6);
    scene.verified();
}

#[test]
fn children_that_spend_at_once_spend_no_more_than_their_parent_has() {
    let scene = Scene::under(writ().budget(Amounts { tool_calls: 4 + 10, ..PLENTY }), |builder| builder);
    let children: Vec<_> = (0..4).map(|_| child_of(&scene.run)).collect();
    let spent: usize = std::thread::scope(|threads| {
        let spend = |child: &Run| (0..10).filter(|_| spends(child)).count();
        let spending: Vec<_> = children.iter().map(|child| threads.spawn(move || spend(child))).collect();
        spending.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((spent, scene.calls.get()), (10, 10));
    scene.verified();
}

#[test]
fn revoking_a_writ_stops_what_is_below_it_and_nothing_above() {
    let scene = Scene::new();
    let (child, sibling) = (child_of(&scene.run), child_of(&scene.run));
    let below = match delegate(&child, json!({"task": "less", "tools": ["act"], "effects": "write"})) {
        Submitted::Delegated { child: run, .. } => block_on(child.child(&run)).unwrap(),
        other => panic!("{other:?}"),
    };
    let revoke = |run: &Run| {
        let writ = block_on(run.writ()).id();
        block_on(scene.runtime.revoke(writ, "enough", "issuer", &key(ISSUER))).unwrap();
    };
    revoke(&child);
    for run in [&child, &below] {
        assert_eq!(refused(submit(run, "act", json!({}))).code, Code::Revoked);
    }
    assert_eq!(refused(delegate(&child, json!({"task": "less", "tools": ["act"]}))).code, Code::Revoked);
    assert!(spends(&sibling) && spends(&scene.run));
    revoke(&scene.run);
    assert_eq!(refused(submit(&sibling, "act", json!({}))).code, Code::Revoked);
    assert_eq!(scene.calls.get(), 2);
    block_on(scene.run.close()).unwrap();
    scene.verified();
}

#[test]
fn a_run_that_ends_ends_what_is_below_it_first() {
    let scene = Scene::new();
    let child = child_of(&scene.run);
    let below = match delegate(&child, json!({"task": "less", "tools": ["act"], "effects": "write"})) {
        Submitted::Delegated { child: run, .. } => block_on(child.child(&run)).unwrap(),
        other => panic!("{other:?}"),
    };
    block_on(scene.run.close()).unwrap();
    let ended = |run: &Run| matches!(block_on(run.submit(Intent::act("act", json!({})))), Err(RunError::Ended));
    assert!(ended(&scene.run) && ended(&child) && ended(&below));
    let kinds = [Kind::Root, Kind::Delegation, Kind::DelegationResult, Kind::Terminated];
    assert_eq!(scene.fixture.kinds(&scene.run.id()), kinds);
    assert_eq!(scene.fixture.kinds(&child.id()), kinds);
    assert_eq!(scene.fixture.kinds(&below.id()), [Kind::Root, Kind::Terminated]);
    assert_eq!(scene.calls.get(), 0);
    scene.verified();
}

#[test]
fn a_restart_finds_the_children_and_the_same_secret_their_keys() {
    let scene = Scene::new();
    let child = child_of(&scene.run).id();
    let less = json!({"task": "less", "tools": ["act"], "effects": "write"});
    let scene = scene.reopened(subjects());
    let [open] = block_on(scene.run.children()).try_into().unwrap();
    assert_eq!((open.run, open.returned), (child, None));
    let handle = block_on(scene.run.child(&child)).unwrap();
    assert!(spends(&handle));
    let Submitted::Delegated { .. } = delegate(&handle, less.clone()) else { panic!() };
    drop(handle);
    // With another secret the key of the child is not found, and without the agent's that of the run is not.
    let scene = scene.reopened(Subjects::default().key(key(AGENT)).secret([6; 32]));
    let handle = block_on(scene.run.child(&child)).unwrap();
    let without_key = |run: &Run| {
        let refusal = refused(delegate(run, json!({"task": "less", "tools": ["act"]})));
        assert_eq!((refusal.stage, refusal.code), (Stage::Delegation, Code::SubjectKeyUnavailable));
    };
    without_key(&handle);
    assert!(matches!(delegate(&scene.run, less), Submitted::Delegated { .. }));
    drop(handle);
    let scene = scene.reopened(Subjects::default());
    without_key(&scene.run);
    // What was ended in one process is concluded in the next.
    block_on(block_on(scene.run.child(&child)).unwrap().close()).unwrap();
    let scene = scene.reopened(subjects());
    assert!(matches!(block_on(scene.run.child(&child)), Err(StartError::Ended(_))));
    assert_eq!(block_on(scene.run.conclude(&child)).unwrap().spent.tool_calls, 2);
    block_on(scene.run.close()).unwrap();
    scene.verified();
}

#[test]
fn a_sealed_intent_that_comes_again_starts_one_child() {
    let scene = Scene::new();
    let intent = Intent::delegate(json!({"task": "a part", "tools": ["act"]}));
    let intent = intent.seal(&openthymos::host::SeededEntropy::new(99)).unwrap();
    let again = || block_on(scene.run.submit_sealed(intent.clone())).unwrap();
    let first = again();
    assert!(matches!(first, Submitted::Delegated { .. }));
    assert_eq!(again(), first);
    assert_eq!(block_on(scene.run.children()).len(), 1);
    let scene = scene.reopened(subjects());
    assert_eq!(block_on(scene.run.submit_sealed(intent)).unwrap(), first);
    scene.verified();
}

fn hands_down(task: &str) -> Request {
    Request::delegate(json!({"task": task, "tools": ["act", "pay"], "effects": "write"}))
}

fn drive(run: &Run, cognition: &mut dyn Cognition) -> openthymos::runtime::Summary {
    block_on(run.drive(cognition, Limits::default())).unwrap()
}

/// Keeps what cognition is told.
struct Listener(Arc<Mutex<Vec<Told>>>);

#[async_trait]
impl Cognition for Listener {
    fn name(&self) -> String {
        "listener".into()
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        *self.0.lock().unwrap() = context.history.iter().map(|past| past.outcome.clone()).collect();
        Ok(Turn::answer("heard"))
    }
}

/// What whoever takes the run up is told of its past.
fn heard(scene: &Scene) -> Vec<Told> {
    let heard = Arc::default();
    let mut listener = Listener(Arc::clone(&heard));
    assert_eq!(drive(&scene.run, &mut listener).answer.as_deref(), Some("heard"));
    heard.lock().unwrap().clone()
}

#[test]
fn a_drive_has_its_children_done_in_order_and_is_told_what_they_answered() {
    let scene = Scene::new();
    let worker = |answer: &str| Mock::script(vec![vec![Request::call("act", json!({}))]]).answering(answer);
    let asked = vec![hands_down("one"), Request::call("act", json!({})), hands_down("two")];
    let mut boss = Mock::script(vec![asked]).with_child("two", worker("2")).with_child("one", worker("1"));
    let events = scene.run.events();
    let summary = drive(&scene.run, &mut boss);
    assert_eq!((summary.why, summary.delegated, summary.committed), (WhyStopped::Ended(EndReason::Completed), 2, 1));
    assert_eq!(scene.calls.get(), 3);
    let children = block_on(scene.run.children());
    let answers: Vec<_> = children.iter().map(|child| child.returned.as_ref().map(|end| end.reason)).collect();
    assert_eq!(answers, [Some(EndReason::Completed); 2]);
    // Whoever watches the run sees what happens below it.
    let seen: Vec<_> = block_on(
        events
            .take(40)
            .take_while(|event| {
                let over = matches!(event.kind, EventKind::Ended { .. }) && event.run == scene.run.id();
                std::future::ready(!over)
            })
            .collect(),
    );
    let committed = |run| seen.iter().filter(|e| e.run == run && matches!(e.kind, EventKind::Committed { .. })).count();
    assert_eq!(children.iter().map(|child| committed(child.run)).collect::<Vec<_>>(), [1, 1]);
    let returned = |event: &Event| match &event.kind {
        EventKind::Returned(result) => result.answer.clone(),
        _ => None,
    };
    assert_eq!(seen.iter().filter_map(returned).collect::<Vec<_>>(), ["1", "2"]);
    scene.verified();
}

#[test]
fn a_drive_whose_child_waits_waits_and_goes_on_where_it_stood() {
    let pay = TestTool::host("pay").with(|tool| tool.contract.risk = Risk::Critical);
    let paid = pay.counter();
    let scene = Scene::under(writ(), |builder| builder.tool(pay).trust(named(STRANGER), [Role::Approver]));
    let asked = vec![hands_down("buy it"), Request::call("act", json!({}))];
    let buyer = || Mock::script(vec![vec![Request::call("pay", json!({"amount": 1}))]]).answering("bought");
    let mut boss = Mock::script(vec![asked]).with_child("buy it", buyer());
    let summary = drive(&scene.run, &mut boss);
    assert_eq!((summary.why, summary.suspended), (WhyStopped::Suspended, 0));
    let [child] = block_on(scene.run.children()).try_into().unwrap();
    assert!(summary.detail.unwrap().contains(&child.run.short()));
    assert_eq!((paid.get(), scene.calls.get()), (0, 0));

    let handle = block_on(scene.run.child(&child.run)).unwrap();
    let [request] = block_on(handle.requests()).try_into().unwrap();
    // Nobody is there to work as the child, and then somebody who goes on.
    assert_eq!(drive(&scene.run, &mut Mock::default()).why, WhyStopped::Suspended);
    block_on(handle.vote(Answer::approve(request.entry).by("approver", &key(STRANGER)))).unwrap();
    let heard = {
        let heard = Arc::default();
        let mut listener = Delegating(Listener(Arc::clone(&heard)), Some(Mock::default().answering("bought")));
        let summary = drive(&scene.run, &mut listener);
        assert_eq!(summary.why, WhyStopped::Ended(EndReason::Completed));
        heard.lock().unwrap().clone()
    };
    let Told::Committed { output } = &heard[0] else { panic!("{heard:?}") };
    assert_eq!((&output["answer"], &output["ended"]), (&json!("bought"), &json!("completed")));
    // What came after it in the turn was not tried.
    assert_eq!(heard[1..], [Told::NotAttempted]);
    assert_eq!((paid.get(), scene.calls.get()), (1, 0));
    scene.verified();
}

/// A cognition that lets another one work as its child.
struct Delegating(Listener, Option<Mock>);

#[async_trait]
impl Cognition for Delegating {
    fn name(&self) -> String {
        self.0.name()
    }

    fn delegate(&mut self, _: &str) -> Option<Box<dyn Cognition>> {
        Some(Box::new(self.1.take()?))
    }

    async fn step(&mut self, context: &Context, events: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.0.step(context, events).await
    }
}

#[test]
fn a_child_that_fails_or_is_refused_is_told_as_it_ended() {
    let scene = Scene::new();
    let failing = Mock::turns(vec![Turn {
        usage: Amounts { tokens: 2_000_000, ..Amounts::ZERO },
        ..Turn::calls([Request::call("act", json!({}))])
    }]);
    let mut boss = Mock::script(vec![vec![hands_down("one")]]).with_child("one", failing);
    let summary = drive(&scene.run, &mut boss);
    let [child] = block_on(scene.run.children()).try_into().unwrap();
    assert_eq!(child.returned.unwrap().reason, EndReason::BudgetExhausted);
    // What the child overdrew is gone for its parent, too.
    assert_eq!(
        (summary.why, summary.detail.as_deref()),
        (WhyStopped::Ended(EndReason::BudgetExhausted), Some("tokens"))
    );
    scene.verified();
}

#[test]
fn what_a_child_that_was_ended_by_hand_gave_back_is_told_too() {
    let scene = Scene::new();
    let child = child_of(&scene.run);
    // A drive lets somebody work as the child first, and here nobody does.
    assert_eq!(drive(&scene.run, &mut Mock::default()).why, WhyStopped::Suspended);
    block_on(child.close()).unwrap();
    let told = heard(&scene);
    let [Told::Committed { output }] = told.as_slice() else { panic!("{told:?}") };
    let expected = (&json!(child.id().to_string()), &json!("closed"), &Value::Null);
    assert_eq!((&output["run"], &output["ended"], &output["answer"]), expected);
    scene.verified();
}

/// A cognition that panics when it is asked who works as its child.
struct Panicking;

#[async_trait]
impl Cognition for Panicking {
    fn name(&self) -> String {
        "panicking".into()
    }

    fn delegate(&mut self, _: &str) -> Option<Box<dyn Cognition>> {
        panic!("nobody")
    }

    async fn step(&mut self, _: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        Ok(Turn::answer("done"))
    }
}

#[test]
fn a_cognition_that_panics_over_who_works_leaves_the_child_waiting() {
    let scene = Scene::new();
    let child = child_of(&scene.run);
    assert_eq!(drive(&scene.run, &mut Panicking).why, WhyStopped::Suspended);
    // Somebody else can still work as it.
    assert!(spends(&child));
    scene.verified();
}

#[test]
fn cancelling_a_run_reaches_the_call_of_a_child() {
    let called = Arc::new(Barrier::new(2));
    let reached = Arc::clone(&called);
    let slow = TestTool::host("slow").with(move |tool| {
        tool.call = Box::new(move |call| {
            let reached = Arc::clone(&reached);
            Box::pin(async move {
                std::thread::spawn(move || reached.wait());
                call.cancel.cancelled().await;
                Err(ToolError::NotDone("told to stop".into()))
            })
        });
    });
    let scene = Scene::under(writ(), |builder| builder.tool(slow));
    let asked = Request::delegate(json!({"task": "wait", "tools": ["slow"], "effects": "write"}));
    let worker = Mock::script(vec![vec![Request::call("slow", json!({}))]]);
    let mut boss = Mock::script(vec![vec![asked]]).with_child("wait", worker);
    let run = scene.run.clone();
    let cancelling = std::thread::spawn(move || {
        called.wait();
        run.cancel();
    });
    let summary = drive(&scene.run, &mut boss);
    cancelling.join().unwrap();
    assert_eq!(summary.why, WhyStopped::Ended(EndReason::Cancelled));
    let [child] = block_on(scene.run.children()).try_into().unwrap();
    assert_eq!(child.returned.unwrap().reason, EndReason::Cancelled);
    scene.verified();
}

#[test]
fn a_simulation_counts_what_a_child_did_that_would_not_have_been_started() {
    let scene = Scene::new();
    let (child, other) = (child_of(&scene.run), child_of(&scene.run));
    assert!(spends(&scene.run) && spends(&child) && spends(&child) && spends(&other));
    let condition = json!({"all": [{"field": "intent.kind", "op": "eq", "value": "delegate"},
        {"field": "child.children", "op": "eq", "value": 0}]});
    let set = rules(json!([{"name": "first", "when": condition, "decision": {"kind": "deny", "reason": "no"}}]));
    let change = Change { rules: Some(set.definition().bundles.clone()), ..Change::default() };
    let mut found = Vec::new();
    let ledger = &**scene.runtime.ledger();
    let simulated = simulate::runs(ledger, Runs::All, change, Pins::default(), |of| found.push(of.clone()));
    let simulation = block_on(simulated).unwrap();
    assert_eq!((simulation.changed.refused, simulation.changed.total()), (1, 1));
    assert_eq!((simulation.commits, simulation.started), (2, 1));
    let because = |found: &Found| match found {
        Found::Commit(affected) if affected.at.run == child.id() => Some(affected.because.clone()),
        _ => None,
    };
    let started = Because::Child { of: scene.run.id(), seq: 1 };
    assert_eq!(found.iter().filter_map(because).collect::<Vec<_>>(), [vec![started.clone()], vec![started]]);
    assert_eq!(scene.calls.get(), 4);
}

#[test]
fn a_skill_narrows_what_is_handed_down_and_counts_it_as_spent() {
    let cap = Cap { tool_calls: Some(10), ..Cap::NONE };
    let skill = Skill {
        budget: cap,
        effect_ceiling: Effect::Write,
        instructions: "Work.".into(),
        name: "work".parse().unwrap(),
        parameters: json!({"type": "object"}),
        tools: vec!["act".parse().unwrap(), "delegate".parse().unwrap()],
        version: NonZeroU32::MIN,
    };
    let scene = Scene::new();
    block_on(scene.run.bind(Binding::new(skill))).unwrap();
    let asks = |more: Value| {
        let mut args = json!({"task": "a part", "tools": ["act"], "budget": {"tool_calls": 4}});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    let cases = [
        (json!({"tools": ["act", "pay"]}), "skill:work@1/tools"),
        (json!({"effects": "external"}), "skill:work@1/effects"),
        (json!({"budget": {}}), "skill:work@1/tool_calls"),
        // One call of the ten is to delegate.
        (json!({"budget": {"tool_calls": 10}}), "skill:work@1/tool_calls"),
    ];
    for (more, pointer) in cases {
        let refusal = refused(delegate(&scene.run, asks(more)));
        assert_eq!((refusal.code, refusal.pointer.as_deref()), (Code::ChildExceedsParent, Some(pointer)));
    }
    // 1 + 4 are gone, and 5 are left: whatever the child makes of its own.
    let Submitted::Delegated { child, .. } = delegate(&scene.run, asks(json!({"effects": "write"}))) else { panic!() };
    let refusal = refused(delegate(&scene.run, asks(json!({"budget": {"tool_calls": 5}}))));
    assert_eq!(refusal.pointer.as_deref(), Some("skill:work@1/tool_calls"));
    assert_eq!((0..7).filter(|_| spends(&scene.run)).count(), 5);
    let child = block_on(scene.run.child(&child)).unwrap();
    assert_eq!((0..7).filter(|_| spends(&child)).count(), 4);
    let scene = scene.reopened(subjects());
    assert!(!spends(&scene.run));
    scene.verified();
}

#[test]
fn a_rollback_reaches_down_and_undoes_the_newest_in_the_store_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let set = TestTool::host("set").calling(move |call| {
        let amount = call.args["amount"].as_i64().unwrap();
        seen.lock().unwrap().push(amount);
        Ok(ToolOutput::new("set").undone_by("set".parse().unwrap(), json!({"amount": -amount})))
    });
    let scene = Scene::under(writ(), |builder| builder.tool(set));
    let call = |run: &Run, amount: i64| match submit(run, "set", json!({ "amount": amount })) {
        Submitted::Committed { entry, .. } => entry,
        other => panic!("{other:?}"),
    };
    let below = |run: &Run| {
        let args = json!({"task": "a part", "tools": ["set", "delegate"], "effects": "write", "depth": 1});
        match delegate(run, args) {
            Submitted::Delegated { child, .. } => block_on(run.child(&child)).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let stays = call(&scene.run, 1);
    let child = below(&scene.run);
    call(&child, 2);
    call(&scene.run, 3);
    let args = json!({"task": "less", "tools": ["set"], "effects": "write"});
    let Submitted::Delegated { child: id, .. } = delegate(&child, args) else { panic!() };
    let grandchild = block_on(child.child(&id)).unwrap();
    call(&grandchild, 4);
    call(&child, 5);
    call(&scene.run, 6);
    block_on(child.close()).unwrap();
    order.lock().unwrap().clear();

    let writ = WritBuilder::root(named(ISSUER), named(STRANGER)).any_store().scopes([scope("set")]).budget(PLENTY);
    let chain = signed(writ.effects_up_to(Effect::Write));
    let ledger = &**scene.runtime.ledger();
    let plan = block_on(rollback_plan(ledger, &scene.run.id(), RollbackTo::Entry(stays))).unwrap();
    let runs = [scene.run.id(), child.id(), grandchild.id(), scene.run.id(), child.id()];
    assert_eq!(plan.iter().map(|(run, _)| *run).collect::<Vec<_>>(), runs);
    let holder = key(STRANGER);
    let rollback = block_on(scene.run.compensate_to(stays, Under::writ(&chain, &holder))).unwrap();
    assert_eq!(rollback.halted, None);
    assert_eq!(rollback.undone.iter().map(|undone| undone.run).collect::<Vec<_>>(), runs);
    assert_eq!(*order.lock().unwrap(), [-6, -5, -4, -3, -2]);
    scene.verified();
    // Nothing is undone twice, and what stayed can still be undone.
    let again = block_on(scene.run.compensate_to(RollbackTo::Start, Under::writ(&chain, &holder))).unwrap();
    assert_eq!((again.undone.len(), again.halted), (1, None));
    assert_eq!(order.lock().unwrap().last(), Some(&-1));
    scene.verified();
}

#[test]
fn what_was_denied_is_not_handed_down() {
    let pay = TestTool::host("pay").with(|tool| tool.contract.risk = Risk::Critical);
    let paid = pay.counter();
    let scene = Scene::under(writ(), |builder| builder.tool(pay).trust(named(STRANGER), [Role::Approver]));
    let Submitted::Suspended { entry, .. } = submit(&scene.run, "pay", json!({"amount": 1})) else { panic!() };
    block_on(scene.run.vote(Answer::deny(entry).by("approver", &key(STRANGER)))).unwrap();
    for tools in [json!(["pay"]), json!(["*"]), json!(["act", "p?y"])] {
        let refusal = refused(delegate(&scene.run, json!({"task": "a part", "tools": tools, "effects": "write"})));
        assert_eq!((refusal.stage, refusal.code), (Stage::Delegation, Code::DeniedBefore));
    }
    let scene = Scene { calls: paid, ..scene };
    assert!(matches!(delegate(&scene.run, json!({"task": "a part", "tools": ["act"]})), Submitted::Delegated { .. }));
    assert_eq!(scene.calls.get(), 0);
    scene.verified();
}

#[test]
fn votes_on_one_child_start_no_other() {
    let policies = rules(json!([
        {"name": "ask", "when": {"field": "child.generation", "op": "eq", "value": 1},
         "decision": {"kind": "require_approval", "channel": "operator", "reason": "somebody has to agree"}},
    ]));
    let approver = |builder: Builder| builder.trust(named(STRANGER), [Role::Approver]).policies(policies.clone());
    let Scene { fixture, runtime, run, calls } = Scene::under(writ(), approver);
    let Submitted::Suspended { entry, .. } = delegate(&run, json!({"task": "a part", "tools": ["act"]})) else {
        panic!()
    };
    block_on(run.vote(Answer::approve(entry).by("approver", &key(STRANGER)))).unwrap();
    let id = run.id();
    drop((runtime, run));
    // With another secret the child would have another key, and so another writ.
    let subjects = Subjects::default().key(key(AGENT)).secret([6; 32]);
    let runtime = block_on(approver(fixture.builder().tool(act()).delegation(subjects)).open()).unwrap();
    let run = block_on(runtime.resume(&id)).unwrap();
    let carried = block_on(run.carry_on()).unwrap();
    let [(_, Submitted::Rejected { refusal, .. })] = carried.as_slice() else { panic!("{carried:?}") };
    assert_eq!((refusal.stage, refusal.code), (Stage::Delegation, Code::SubjectKeyUnavailable));
    assert!(block_on(run.children()).is_empty());
    Scene { fixture, runtime, run, calls }.verified();
}

#[test]
fn what_somebody_keeps_stays_when_runs_alternate() {
    let stuck = TestTool::host("stuck");
    let set = TestTool::host("set").calling(|call| {
        let amount = call.args["amount"].as_i64().unwrap();
        Ok(ToolOutput::new("set").undone_by("set".parse().unwrap(), json!({"amount": -amount})))
    });
    let scene = Scene::under(writ(), |builder| builder.tool(set).tool(stuck));
    let Submitted::Committed { entry: kept, .. } = submit(&scene.run, "stuck", json!({})) else { panic!() };
    let args = json!({"task": "a part", "tools": ["set"], "effects": "write"});
    let Submitted::Delegated { child, .. } = delegate(&scene.run, args) else { panic!() };
    let child = block_on(scene.run.child(&child)).unwrap();
    for run in [&child, &scene.run, &child] {
        assert!(matches!(submit(run, "set", json!({"amount": 1})), Submitted::Committed { .. }));
    }
    let writ = WritBuilder::root(named(ISSUER), named(STRANGER)).any_store().scopes([scope("set")]).budget(PLENTY);
    let (chain, holder) = (signed(writ.effects_up_to(Effect::Write)), key(STRANGER));
    let halted = block_on(scene.run.compensate_to(RollbackTo::Start, Under::writ(&chain, &holder))).unwrap();
    assert_eq!((halted.undone.len(), halted.halted.map(|halt| halt.at)), (3, Some(kept)));
    let under = || Under::writ(&chain, &holder).keeping([kept]);
    let done = block_on(scene.run.compensate_to(RollbackTo::Start, under())).unwrap();
    assert_eq!((done.undone.len(), done.halted), (0, None));
    scene.verified();
    // The writ of a run below is none to undo with, either.
    let (own, holder) = (block_on(scene.run.writ()), key(AGENT));
    let refused = block_on(scene.run.compensate_to(RollbackTo::Start, Under::writ(&own, &holder)));
    assert!(matches!(refused, Err(RollbackError::OwnWrit)));
}

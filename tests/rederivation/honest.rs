//! A ledger in which every decision was made that the runtime can make, and all of it follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    cognition::{Mock, Request},
    commit::Delta,
    contract::{ArgumentFault, Effect, Risk, SealedContract},
    crypto::Role,
    host::SeededEntropy,
    intent::{Intent, IntentKind},
    ledger::Kind,
    policy::PolicySet,
    proposal::{Code, PreconditionFault, Status},
    replay::{self, Pins, StorePins},
    runtime::{Limits, Rotation, Run, Runtime, Submitted, export},
    tool::{ToolError, ToolOutput},
    writ::{Amounts, Scope, Window, WritChain},
};
use serde_json::{Value, json};

use crate::{
    common::{
        faulty::{FaultyLedger, Left},
        *,
    },
    policies::{POLICY_ISSUER, guarded, rules},
    proposals, rederives, shared,
};

/// The key that signs entries after the first.
const NEXT: u8 = 33;

/// Tools of every kind, by what they are for.
pub fn tools() -> Vec<TestTool> {
    let keyed = |name: &str, key: &str| TestTool::host(name).with(|tool| tool.key = Some(key.into()));
    let fault = || ArgumentFault { keyword: "enum".into(), pointer: "/amount".into() };
    vec![
        TestTool::host("act"),
        TestTool::host("read").with(|tool| tool.contract.effect = Effect::Read),
        TestTool::host("mail").with(|tool| tool.contract.effect = Effect::External),
        TestTool::world("note").with(|tool| tool.reads = vec![kv("frozen")]).calling(|call| {
            let delta = match call.reads.version(&kv("frozen")) {
                0 => Delta::none().create(kv("frozen"), json!(false)),
                version => Delta::none().replace(kv("frozen"), version, json!(version > 1)),
            };
            Ok(ToolOutput::new("noted").with_delta(delta))
        }),
        TestTool::world("failing").calling(|_| Err(ToolError::Failed("told to".into()))),
        TestTool::host("critical").with(|tool| tool.contract.risk = Risk::Critical),
        TestTool::host("final").with(|tool| {
            tool.contract.effect = Effect::Irreversible;
            tool.contract.compensable = false;
        }),
        keyed("pay", "invoice 7"),
        keyed("transfer", "invoice 9").calling(|_| Err(ToolError::Failed("no answer".into()))),
        TestTool::host("lost").calling(|_| Err(ToolError::Failed("no answer".into()))),
        TestTool::host("mute").with(|tool| tool.on_reads = Some(Box::new(|()| panic!("in reads")))),
        TestTool::host("unmet")
            .with(|tool| tool.precondition = Some(Box::new(|()| Err(PreconditionFault { code: "closed".into() })))),
        TestTool::host("typed").with(|tool| tool.arguments = Some(Box::new(move |()| Err(fault())))),
        TestTool::host("dear").with(|tool| tool.cost = Amounts { usd_millicents: 5_000, ..Amounts::ONE_CALL }),
    ]
}

/// The stores that one machine has, and who may write to it.
pub struct Machine {
    pub fixture: Fixture,
    pub runtime: Runtime,
    pub runs: Vec<TrajectoryId>,
}

fn open(fixture: &Fixture, policies: PolicySet, tools: Vec<TestTool>, trusted: u8) -> Runtime {
    let mut builder = fixture.untrusting().trust(named(trusted), [Role::WritIssuer]).policies(policies);
    builder = builder.trust(named(POLICY_ISSUER), [Role::PolicyIssuer]);
    for tool in tools {
        builder = builder.tool(tool);
    }
    block_on(builder.open()).unwrap()
}

impl Machine {
    pub fn new() -> Self {
        Self::with(guarded())
    }

    pub fn with(policies: PolicySet) -> Self {
        let fixture = Fixture::default();
        let runtime = open(&fixture, policies, tools(), ISSUER);
        Self { fixture, runtime, runs: vec![] }
    }

    pub fn start(&mut self, chain: &WritChain) -> Run {
        let run = start(&self.runtime, chain);
        self.runs.push(run.id());
        run
    }

    /// Another process takes a run up, with other policies and tools.
    fn restart(&mut self, run: Run, policies: PolicySet, tools: Vec<TestTool>, trusted: u8) -> Run {
        let id = run.id();
        drop(run);
        self.runtime = open(&self.fixture, policies, tools, trusted);
        block_on(self.runtime.resume(&id)).unwrap()
    }
}

fn calls(run: &Run, calls: &[(&str, Value)]) {
    for (tool, args) in calls {
        submit(run, tool, args.clone());
    }
}

/// What the tools, the policies and the gates say.
fn asked(machine: &mut Machine) {
    let run = machine.start(&signed(writ()));
    let handle = json!({"amount": 1, "x": {"$secret": "unknown"}});
    calls(
        &run,
        &[
            ("act", json!({"amount": 1})),
            ("note", json!({})),
            ("note", json!({})),
            ("failing", json!({})),
            ("act", json!({"amount": 100})),
            ("act", json!({"amount": 50})),
            ("critical", json!({"amount": 1})),
            ("final", json!({"amount": 1})),
            ("act", json!({})),
            ("act", json!({"amount": 11})),
            ("act", json!({"amount": 12})),
            ("act", json!({"amount": 13})),
            ("act", json!({"amount": 14})),
            ("mail", json!({"amount": 20})),
            ("note", json!({})),
            ("mail", json!({"amount": 20})),
            ("gone", json!({})),
            ("act", json!({"amount": "much"})),
            ("act", json!({"$secret": 7})),
            ("mute", json!({"amount": 1})),
            ("unmet", json!({"amount": 1})),
            ("typed", json!({"amount": 1})),
            ("act", handle),
            ("pay", json!({"amount": 1})),
            ("pay", json!({"amount": 2})),
            ("transfer", json!({"amount": 1})),
            ("transfer", json!({"amount": 2})),
            ("lost", json!({"amount": 3})),
            ("lost", json!({"amount": 3})),
        ],
    );
    for kind in [IntentKind::Delegate, IntentKind::MemoryPromote, IntentKind::Query] {
        block_on(run.submit(Intent { kind, ..Intent::act("act", json!({"amount": 1})) })).unwrap();
    }
    block_on(run.submit(Intent::query("read", json!({"amount": 1})).because("to know"))).unwrap();
    // A sealed intent that waits, and comes again.
    let sealed = Intent::act("act", json!({"amount": 51})).seal(&SeededEntropy::new(5)).unwrap();
    for _ in 0..2 {
        assert!(matches!(block_on(run.submit_sealed(sealed.clone())).unwrap(), Submitted::Suspended { .. }));
    }
    block_on(run.close()).unwrap();
}

/// What a narrow chain refuses.
fn narrow(machine: &mut Machine) {
    let when = serde_json::from_value(json!({"field": "args.amount", "op": "lt", "value": 5})).unwrap();
    let other = SealedContract::new(TestTool::host("other").contract).unwrap().hash();
    let pinned = Scope { contracts: Some(vec![other]), ..scope("note") };
    let small = Scope { when: Some(when), ..scope("act") };
    let root = signed(writ().scopes([small, pinned, scope("mail"), scope("dear")]));
    let budget = Amounts { tool_calls: 2, usd_millicents: 4_999, ..PLENTY };
    let below = child(&root, |writ| writ.budget(budget).effects_up_to(Effect::Write));
    let run = machine.start(&below);
    let amount = |amount: i64| json!({"amount": amount});
    let asked = [("act", 7), ("note", 1), ("mail", 1), ("lost", 1), ("dear", 1), ("act", 1), ("act", 2), ("act", 3)];
    calls(&run, &asked.map(|(tool, n)| (tool, amount(n))));
}

/// What the clock and the authority take away while runs go on, and what another process finds.
fn changing(machine: &mut Machine) {
    let clock = machine.fixture.clock.clone();
    let root = signed(writ());
    let window = Window { not_before_ms: START_MS, expires_at_ms: START_MS + 1_000 };
    let (windowed, plain) =
        (child(&root, |writ| writ.window(window)), child(&root, |writ| writ.effects_up_to(Effect::Write)));
    let (early, revoked) = (machine.start(&windowed), machine.start(&plain));
    let call = |run: &Run| submit(run, "act", json!({"amount": 1}));
    call(&early);
    clock.set(START_MS - 1);
    call(&early);
    clock.set(START_MS + 2_000);
    call(&early);
    call(&revoked);
    clock.set(START_MS - 70_000);
    call(&revoked);
    submit(&revoked, "read", json!({}));
    block_on(machine.runtime.reset_clock("operator", &key(ISSUER))).unwrap();
    call(&revoked);
    let next = Rotation::runtime(key(RUNTIME).public_key(), "kernel", key(NEXT));
    block_on(machine.runtime.rotate(next, &key(RUNTIME))).unwrap();
    call(&revoked);
    block_on(machine.runtime.revoke(plain.id(), "left", "issuer", &key(ISSUER))).unwrap();
    call(&revoked);
    clock.set(START_MS + 3_000);
    call(&revoked);
}

/// Turns of a model: several intents in each, the last of which are not attempted.
fn driven(machine: &mut Machine) {
    let run = machine.start(&signed(writ()));
    let call = |tool: &str, amount: i64| Request::call(tool, json!({"amount": amount}));
    let turns = vec![
        vec![call("act", 2), call("gone", 2), call("note", 2)],
        vec![call("act", 200), call("critical", 1), call("act", 3)],
    ];
    block_on(run.drive(&mut Mock::script(turns), Limits::default())).unwrap();
}

/// A run that other processes take up, with other contracts, policies and roots.
fn taken_up(machine: &mut Machine) {
    let run = machine.start(&signed(writ()));
    let all = [("act", 20), ("act", 11), ("note", 1), ("critical", 1)].map(|(tool, n)| (tool, json!({"amount": n})));
    calls(&run, &all);
    let renewed = || {
        let renew = |tool: &mut TestTool| {
            tool.contract.version = "2".into();
            tool.contract.schema =
                json!({"type": "object", "properties": {"amount": {"type": "integer", "maximum": 15}}});
        };
        tools()
            .into_iter()
            .map(|tool| tool.with(renew))
            .filter(|tool| tool.contract.name.as_str() != "critical")
            .collect()
    };
    let run = machine.restart(run, rules(10).build().unwrap(), renewed(), ISSUER);
    calls(&run, &all);
    let run = machine.restart(run, guarded(), tools(), ISSUER);
    calls(&run, &all);
    machine.restart(run, guarded(), tools(), STRANGER);
    let run = block_on(machine.runtime.resume(machine.runs.last().unwrap())).unwrap();
    calls(&run, &all[..1]);
    drop(run);
    machine.runtime = open(&machine.fixture, guarded(), tools(), ISSUER);
}

/// A call on the world whose outcome the ledger would not take. It is told when a process with other contracts takes the run up.
fn left(machine: &mut Machine) {
    let failing = Arc::new(FaultyLedger::sound(&machine.fixture.ledger, Left::Nothing));
    let fails = failing.clone();
    let noting = TestTool::world("note").with(|tool| tool.contract.version = "0".into()).calling(move |_| {
        fails.fail_now();
        Ok(ToolOutput::new("noted"))
    });
    let builder = machine.fixture.builder().trust(named(POLICY_ISSUER), [Role::PolicyIssuer]).policies(guarded());
    let runtime = block_on(builder.shared_ledger(failing).tool(noting).open()).unwrap();
    let old = start(&runtime, &signed(writ()));
    machine.runs.push(old.id());
    assert!(block_on(old.submit(Intent::act("note", json!({"amount": 1})))).is_err());
    let run = block_on(machine.runtime.take_over(&old)).unwrap();
    assert_eq!(machine.fixture.kinds(&run.id()), [Kind::Root, Kind::Resumed, Kind::Failure]);
    submit(&run, "note", json!({"amount": 1}));
}

/// A machine on which all of it happened.
pub fn everything() -> Machine {
    let mut machine = Machine::new();
    asked(&mut machine);
    narrow(&mut machine);
    driven(&mut machine);
    taken_up(&mut machine);
    left(&mut machine);
    changing(&mut machine);
    machine
}

/// How often each refusal occurs, and each other outcome.
fn outcomes(machine: &Machine) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    for run in &machine.runs {
        for proposal in proposals(&*machine.fixture.ledger, run) {
            let outcome = match &proposal.decision.status {
                Status::Staged => "staged".into(),
                Status::Suspended { channel, reason } => format!("{channel}: {reason}"),
                Status::Rejected(refusal) => refusal.code.as_str(),
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    outcomes
}

#[test]
fn every_kind_of_decision_follows() {
    let machine = everything();
    let found: BTreeSet<_> = outcomes(&machine).into_keys().collect();
    let codes = [
        Code::UnsupportedKind,
        Code::QueryWithEffect,
        Code::UntrustedRoot,
        Code::Revoked,
        Code::NotYetValid,
        Code::Expired,
        Code::OutOfScope,
        Code::ContractNotPinned,
        Code::UnknownTool,
        Code::EffectAboveCeiling,
        Code::BudgetExceeded,
        Code::SchemaViolation,
        Code::ArgumentsMalformed,
        Code::ConditionNotMet,
        Code::PreconditionFailed,
        Code::QuoteUnavailable,
        Code::SecretUnavailable,
        Code::PolicyDenied,
        Code::PolicyFailed,
        Code::ClockBehind,
        Code::InDoubt,
        Code::AlreadyDone,
    ];
    let suspended = ["staged", "finance: some", "guards: twelve", "operator: compensation_gate", "operator: risk_gate"];
    let expected = codes.map(Code::as_str).into_iter().chain(suspended.map(str::to_owned)).collect();
    assert_eq!(found, expected);

    let (mut decisions, mut asserted) = (0, 0);
    for run in &machine.runs {
        let rederived = rederives(&*machine.fixture.ledger, run);
        decisions += rederived.decisions();
        asserted += rederived.asserted;
        let mut file = Vec::new();
        block_on(export(&*machine.fixture.ledger, run, Some(&key(NEXT)), START_MS, &mut file)).unwrap();
        let pins = Pins { rederive: true, ..Pins::default() };
        let (report, _) = replay::export::verify(&file[..], pins, |_, _| {}).unwrap();
        assert_eq!(report.rederived, Some(rederived));
    }
    assert!(decisions > 60 && asserted > 10, "{decisions} {asserted}");
    let pins = StorePins { rederive: true, ..StorePins::default() };
    let report = block_on(replay::store(&*shared(&machine.fixture), pins, |_| {})).unwrap();
    let rederived = report.rederived.as_ref().unwrap();
    assert_eq!((rederived.decisions(), rederived.asserted), (decisions, asserted));
    assert!(
        report.to_string().contains(&format!("{decisions} of {decisions} decisions derived again, {asserted} with"))
    );
}

#[test]
fn nothing_is_derived_again_unless_it_is_asked_for() {
    let machine = Machine::new();
    let run = start(&machine.runtime, &signed(writ())).id();
    assert_eq!(crate::replayed(&*machine.fixture.ledger, &run, false).unwrap().rederived, None);
    assert_eq!(crate::replayed(&*machine.fixture.ledger, &run, true).unwrap().rederived, Some(Default::default()));
}

#[test]
fn what_a_policy_in_rust_said_is_counted_apart() {
    let mut machine = Machine::with(rules(100).build().unwrap());
    let run = machine.start(&signed(writ()));
    calls(&run, &[("act", json!({"amount": 1})), ("unmet", json!({"amount": 1})), ("gone", json!({}))]);
    let rederived = rederives(&*machine.fixture.ledger, &run.id());
    assert_eq!((rederived.derived, rederived.asserted), (2, 1));
    let run = machine.restart(run, guarded(), tools(), ISSUER);
    calls(&run, &[("act", json!({"amount": 1})), ("gone", json!({}))]);
    let rederived = rederives(&*machine.fixture.ledger, &run.id());
    assert_eq!((rederived.derived, rederived.asserted), (3, 2));
}

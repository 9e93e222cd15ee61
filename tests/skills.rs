//! A skill narrows the run that it is bound to, from its entry on and for good: in its tools, its effects and what it spends. It
//! grants nothing, several are their intersection, and cognition is told what they say.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{
    faulty::{Fault, FaultyLedger, Left},
    *,
};
use futures::executor::block_on;
use openthymos::{
    Intent, LedgerStore,
    canon::TrajectoryId,
    cognition::{Cognition, CognitionError, Context, Mock, Request, Turn, TurnEvents},
    compile::{Compiled, Inputs, Standing, compile},
    contract::{ContractSet, Effect, SealedContract},
    crypto::{Role, Trust},
    host::SeededEntropy,
    ledger::{
        Kind,
        record::{EndReason, SkillBound},
    },
    policy::{Gates, PolicySet},
    proposal::{Code, Quote, Refusal, Stage},
    replay::since_snapshot,
    runtime::{BindError, Binding, Limits, Run, Runtime, StartError, Submitted, WhyStopped},
    tool::ToolOutput,
    world::World,
    writ::{Amounts, Cap, MAX_SKILLS, Narrowing, Skill, SkillFault, ToolPattern},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn skill(name: &str) -> Skill {
    Skill {
        budget: Cap::NONE,
        effect_ceiling: Effect::Irreversible,
        instructions: String::new(),
        name: name.parse().unwrap(),
        parameters: json!({"type": "object"}),
        tools: vec![ToolPattern::new("*").unwrap()],
        version: std::num::NonZeroU32::MIN,
    }
}

fn tools(patterns: &[&str]) -> Vec<ToolPattern> {
    patterns.iter().map(|pattern| ToolPattern::new(*pattern).unwrap()).collect()
}

fn calls(calls: u64) -> Cap {
    Cap { tool_calls: Some(calls), ..Cap::NONE }
}

fn start_with(runtime: &Runtime, skills: impl IntoIterator<Item = Skill>) -> Run {
    let skills = skills.into_iter().map(Binding::new);
    block_on(runtime.start_with("a task", &signed(writ()), &key(AGENT), skills)).unwrap()
}

fn bind(run: &Run, skill: Skill) {
    block_on(run.bind(Binding::new(skill))).unwrap();
}

fn refused(submitted: Submitted) -> Refusal {
    match submitted {
        Submitted::Rejected { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

fn done(run: &Run, tool: &str) -> bool {
    match submit(run, tool, json!({})) {
        Submitted::Committed { .. } => true,
        Submitted::Rejected { refusal, .. } if refusal.skill().is_some() => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_skill_does_not_allow_is_refused_and_not_called() {
    let fixture = Fixture::default();
    let (read, write) =
        (TestTool::host("look").with(|tool| tool.contract.effect = Effect::Read), TestTool::host("act"));
    let other = TestTool::host("other").with(|tool| tool.contract.effect = Effect::Read);
    let poisoned = [write.counter(), other.counter()];
    let runtime = fixture.open([read, write, other]);
    let narrow =
        Skill { budget: calls(1), effect_ceiling: Effect::Read, tools: tools(&["look", "a*"]), ..skill("reader") };
    let run = start_with(&runtime, [narrow]);
    let expected = Refusal::new(Stage::Scope, Code::OutOfScope).at_skill("reader@1").asked("other").allowed("look a*");
    assert_eq!(refused(submit(&run, "other", json!({}))), expected);
    let expected =
        Refusal::new(Stage::Effect, Code::EffectAboveCeiling).at_skill("reader@1").asked("write").allowed("read");
    assert_eq!(refused(submit(&run, "act", json!({}))), expected);
    assert!(done(&run, "look"));
    let expected =
        Refusal::new(Stage::Budget, Code::BudgetExceeded).at_skill("reader@1/tool_calls").asked(1).allowed(0);
    assert_eq!(refused(submit(&run, "look", json!({}))), expected);
    assert_eq!(expected.skill(), Some("reader@1"));
    assert!(poisoned.iter().all(|tool| tool.get() == 0));
    block_on(run.close()).unwrap();
    verified(&runtime, &run.id());
    // Without the skill all of it is granted.
    let free = start(&runtime, &signed(writ()));
    assert!(["other", "act", "look", "look"].iter().all(|tool| done(&free, tool)));
}

#[test]
fn a_skill_grants_nothing() {
    let fixture = Fixture::default();
    let act = TestTool::host("act");
    let called = act.counter();
    let runtime = fixture.open([act]);
    let chain = signed(writ().scopes([scope("look")]).effects_up_to(Effect::Read));
    let all = [Binding::new(skill("all"))];
    let run = block_on(runtime.start_with("a task", &chain, &key(AGENT), all)).unwrap();
    let refusal = refused(submit(&run, "act", json!({})));
    assert_eq!((refusal.code, refusal.skill(), called.get()), (Code::OutOfScope, None, 0));
    verified(&runtime, &run.id());
}

#[test]
fn the_start_and_its_skills_are_one_batch() {
    let fixture = Fixture::default();
    let runtime = fixture.open([TestTool::host("act")]);
    let run = start_with(&runtime, [skill("one"), skill("two")]);
    assert_eq!(fixture.kinds(&run.id()), [Kind::Root, Kind::Skill, Kind::Skill]);
    let names: Vec<_> = block_on(run.skills()).iter().map(|bound| (bound.seq, bound.skill.reference())).collect();
    assert_eq!(names, [(1, "one@1".to_owned()), (2, "two@1".to_owned())]);
    let bound: SkillBound = fixture.entry(&run.id(), 2).body().unwrap();
    assert_eq!((bound.definition.hash(), *bound.definition == skill("two")), (Ok(bound.hash), true));
    let head = block_on(fixture.ledger.head(&run.id())).unwrap().unwrap();
    let all = block_on(fixture.ledger.scan(openthymos::ledger::Position(0), 100)).unwrap();
    let of_run = all.iter().filter(|(_, entry)| entry.header.trajectory == run.id());
    let last = of_run.map(|(position, _)| position.0).max();
    assert_eq!(last, Some(head.position.0));
    verified(&runtime, &run.id());
}

#[test]
fn no_fault_of_the_ledger_leaves_a_run_without_its_skills() {
    let (mut whole, mut at, chain) = (0, 0, signed(writ()));
    while whole < 2 {
        let fixture = Fixture::default();
        // What is there without a fault in the start, so that all of it hits the start.
        drop(fixture.open([]));
        let ledger = Arc::new(FaultyLedger::new(&fixture.ledger, at, Fault::Error(Left::Nothing)));
        let started = block_on(async {
            let runtime = fixture.builder().shared_ledger(ledger.clone()).open().await.ok()?;
            runtime.start_with("a task", &chain, &key(AGENT), [Binding::new(skill("one"))]).await.ok()
        });
        let runs = block_on(fixture.ledger.trajectories(None, 100)).unwrap().into_iter().map(|(id, _)| id);
        let kinds: Vec<_> = runs.map(|id| fixture.kinds(&id)).filter(|kinds| kinds[0] == Kind::Root).collect();
        assert!(kinds.iter().all(|kinds| *kinds == [Kind::Root, Kind::Skill]), "{at}: {kinds:?}");
        assert_eq!(kinds.len(), usize::from(started.is_some()));
        whole += usize::from(started.is_some());
        at += 1;
    }
    assert!(at > 6, "{at}");
}

#[test]
fn a_cap_counts_from_the_binding_on_failures_included() {
    let fixture = Fixture::default();
    let act = TestTool::host("act").calling(|call| match call.args.get("fail") {
        Some(_) => Err(openthymos::tool::ToolError::NotDone("told to".into())),
        None => Ok(ToolOutput::new("done")),
    });
    let runtime = fixture.open([act]);
    let run = start(&runtime, &signed(writ()));
    assert!(done(&run, "act") && done(&run, "act"));
    bind(&run, Skill { budget: calls(3), ..skill("three") });
    assert!(done(&run, "act"));
    bind(&run, Skill { budget: calls(1), ..skill("one") });
    assert!(matches!(submit(&run, "act", json!({"fail": 1})), Submitted::Failed { .. }));
    // Of the first skill one call is left.
    assert_eq!(refused(submit(&run, "act", json!({}))).skill(), Some("one@1"));
    verified(&runtime, &run.id());
}

#[test]
fn time_that_a_call_may_take_is_within_every_cap() {
    let fixture = Fixture::default();
    let runtime = fixture.open([TestTool::host("act")]);
    let run = start_with(&runtime, [Skill { budget: Cap { wall_clock_ms: Some(70), ..Cap::NONE }, ..skill("brief") }]);
    assert!(done(&run, "act"));
    let dispatch: openthymos::ledger::record::Dispatch = fixture.entry(&run.id(), 2).body().unwrap();
    assert_eq!(dispatch.reserved.wall_clock_ms, 70);
    bind(&run, Skill { budget: Cap { wall_clock_ms: Some(0), ..Cap::NONE }, ..skill("none") });
    assert_eq!(refused(submit(&run, "act", json!({}))).pointer.as_deref(), Some("skill:none@1/wall_clock_ms"));
    verified(&runtime, &run.id());
}

/// Estimates and uses tokens, and keeps what it was told.
#[derive(Default)]
struct Model {
    estimate: u64,
    usage: u64,
    turns: usize,
    told: Vec<Context>,
}

#[async_trait]
impl Cognition for Model {
    fn name(&self) -> String {
        "model".into()
    }

    fn estimate(&self) -> Amounts {
        Amounts { tokens: self.estimate, ..Amounts::ZERO }
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.told.push(context.clone());
        let turn = match self.told.len() <= self.turns {
            true => Turn::calls([Request::call("look", json!({}))]),
            false => Turn::answer("done"),
        };
        Ok(Turn { usage: Amounts { tokens: self.usage, ..Amounts::ZERO }, ..turn })
    }
}

fn look() -> TestTool {
    TestTool::host("look").with(|tool| tool.contract.effect = Effect::Read)
}

#[test]
fn a_model_is_asked_only_for_what_every_cap_has_left() {
    for (cap, asked, ended) in [
        (Some(100), 5, "tokens of skill frugal@1"),
        (Some(99), 4, "tokens of skill frugal@1"),
        (Some(19), 0, "tokens of skill frugal@1"),
        (Some(0), 0, "tokens of skill frugal@1"),
        (None, 9, ""),
    ] {
        let fixture = Fixture::default();
        let runtime = fixture.open([look()]);
        let budget = Cap { tokens: cap, ..Cap::NONE };
        let run = start_with(&runtime, [skill("all"), Skill { budget, ..skill("frugal") }]);
        let mut model = Model { estimate: 20, usage: 20, turns: 8, ..Model::default() };
        let summary = block_on(run.drive(&mut model, Limits::default())).unwrap();
        assert_eq!(model.told.len(), asked, "{cap:?}");
        let completed = summary.why == WhyStopped::Ended(EndReason::Completed);
        assert_eq!((completed, summary.detail.unwrap_or_default()), (ended.is_empty(), ended.to_owned()));
        assert!(cap.is_none_or(|cap| summary.spent.tokens <= cap));
        verified(&runtime, &run.id());
    }
}

#[test]
fn a_model_that_overdraws_a_cap_begins_nothing_more() {
    let fixture = Fixture::default();
    let look = look();
    let called = look.counter();
    let runtime = fixture.open([look]);
    let run = start_with(&runtime, [Skill { budget: Cap { tokens: Some(30), ..Cap::NONE }, ..skill("frugal") }]);
    let mut model = Model { estimate: 10, usage: 40, turns: 8, ..Model::default() };
    let summary = block_on(run.drive(&mut model, Limits::default())).unwrap();
    assert_eq!((summary.why, called.get()), (WhyStopped::Ended(EndReason::BudgetExhausted), 0));
    assert_eq!(model.told[0].remaining.tokens, 20);
    verified(&runtime, &run.id());
}

const KEY: &str = "AKIAQ3EGTIVXV5PLDK7T";

#[test]
fn cognition_is_told_the_instructions_and_sees_only_what_is_allowed() {
    let fixture = Fixture::default();
    let runtime = fixture.open([look(), TestTool::host("act"), TestTool::host("late")]);
    let parameters = json!({
        "type": "object",
        "properties": {"who": {"type": "string"}, "how": {"type": "string", "default": "well"}, "count": {"type": "integer"}},
        "required": ["who"],
        "additionalProperties": false,
    });
    let told = "Greet {who} {how}, {count} times. {\"json\": {who}} {unknown} {";
    let polite = Skill { instructions: told.into(), parameters, tools: tools(&["look", "late"]), ..skill("polite") };
    // A value is not looked at again: it names no other parameter, whatever it says.
    let values = json!({"who": format!("{{how}} {{count}} {KEY}"), "count": 3});
    let run = block_on(runtime.start_with("a task", &signed(writ()), &key(AGENT), [Binding::new(polite).with(values)]));
    let run = run.unwrap();
    bind(&run, Skill { tools: tools(&["look", "act"]), instructions: "Be brief.".into(), ..skill("brief") });
    let mut model = Model::default();
    block_on(run.drive(&mut model, Limits::default())).unwrap();
    let context = &model.told[0];
    let placeholder = &context.instructions[0][context.instructions[0].find("[redacted:").unwrap()..];
    let placeholder = placeholder.split_inclusive(']').next().unwrap();
    let who = format!("{{how}} {{count}} {placeholder}");
    let expected = format!("Greet {who} well, 3 times. {{\"json\": {who}}} {{unknown}} {{");
    assert_eq!(context.instructions, [expected, "Be brief.".to_owned()]);
    assert_eq!(context.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["look"]);
    let entry = fixture.entry(&run.id(), 1);
    let bound: SkillBound = entry.body().unwrap();
    let value = entry.blob(&bound.parameters.unwrap()).unwrap().value().unwrap();
    assert_eq!(value, json!({"who": who, "count": 3, "how": "well"}));
    for entry in fixture.entries(&run.id()) {
        let blobs = entry.blobs.iter().map(|blob| format!("{blob:?}")).collect::<String>();
        assert!(!String::from_utf8_lossy(&entry.record).contains(KEY) && !blobs.contains(KEY));
    }
    verified(&runtime, &run.id());
}

#[test]
fn what_was_erased_of_the_parameters_says_so() {
    let parameters = json!({"type": "object", "properties": {"who": {"type": "string"}}});
    let greeter = Skill { instructions: "Greet {who}.".into(), parameters, ..skill("greeter") };
    assert_eq!(greeter.instructions_with(&Value::Null), "Greet [erased].");
}

/// Notes the instructions of each step, and has the run bound to one more skill in between.
struct Bound<'a>(&'a Run, Vec<Vec<String>>);

#[async_trait]
impl Cognition for Bound<'_> {
    fn name(&self) -> String {
        "bound".into()
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.1.push(context.instructions.clone());
        if self.1.len() > 2 {
            return Ok(Turn::answer("done"));
        }
        let told = format!("Rule {}.", self.1.len());
        self.0.bind(Binding::new(Skill { instructions: told, ..skill("more") })).await.unwrap();
        Ok(Turn::calls([Request::call("look", json!({}))]))
    }
}

#[test]
fn what_is_bound_while_cognition_thinks_is_told_with_the_next_step() {
    let fixture = Fixture::default();
    let runtime = fixture.open([look()]);
    let run = start(&runtime, &signed(writ()));
    let mut cognition = Bound(&run, vec![]);
    block_on(run.drive(&mut cognition, Limits::default())).unwrap();
    assert_eq!(cognition.1, [vec![], vec!["Rule 1.".to_owned()], vec!["Rule 1.".to_owned(), "Rule 2.".to_owned()]]);
    verified(&runtime, &run.id());
}

#[test]
fn a_binding_outlives_the_process_with_and_without_a_snapshot() {
    for every in [0, 2] {
        let fixture = Fixture::default();
        let opened = || block_on(fixture.builder().tool(TestTool::world("note")).snapshot_every(every).open()).unwrap();
        let runtime = opened();
        let run = start_with(&runtime, [Skill { budget: calls(3), instructions: "Note.".into(), ..skill("three") }]);
        assert!(done(&run, "note") && done(&run, "note"));
        let (id, bound) = (run.id(), block_on(run.skills()));
        drop((run, runtime));
        assert_eq!(block_on(since_snapshot(&*fixture.ledger, &id, None)).is_some(), every > 0);

        let runtime = opened();
        let run = block_on(runtime.resume(&id)).unwrap();
        assert_eq!(block_on(run.skills()), bound);
        assert!(done(&run, "note") && !done(&run, "note"));
        let mut model = Model::default();
        block_on(run.drive(&mut model, Limits::default())).unwrap();
        assert_eq!(
            (model.told[0].instructions.as_slice(), model.told[0].remaining.tool_calls),
            (&["Note.".to_owned()][..], 0)
        );
        verified(&runtime, &id);
    }
}

#[test]
fn what_cannot_be_bound_leaves_no_entry() {
    let fixture = Fixture::default();
    let runtime = fixture.open([TestTool::host("act")]);
    let run = start(&runtime, &signed(writ()));
    let before = (fixture.kinds(&run.id()), fixture.authority().len());
    let who = json!({"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]});
    let optional = json!({"type": "object", "properties": {"who": {"type": "string"}}});
    let greeter = |parameters: &Value| Skill {
        instructions: "Greet {who}.".into(),
        parameters: parameters.clone(),
        ..skill("greeter")
    };
    let faults = [
        (Binding::new(greeter(&who)), "skill `greeter@1`: parameters: `/` breaks `required`"),
        (Binding::new(greeter(&who)).with(json!({"who": 1})), "skill `greeter@1`: parameters: `/who` breaks `type`"),
        (Binding::new(greeter(&who)).with(json!([])), "breaks `type`"),
        (Binding::new(greeter(&optional)), "the instructions need the parameter `who`, and it has no value"),
        (Binding::new(greeter(&json!({"type": "string"}))), "expected an object schema"),
        (
            Binding::new(Skill { instructions: "x".repeat(65_537), ..skill("long") }),
            "65537 bytes of instructions, and the limit is 65536",
        ),
        (
            Binding::new(greeter(&who)).with(json!({"who": "x".repeat(65_537)})),
            "bytes of instructions with their parameters",
        ),
        (
            Binding::new(Skill { instructions: format!("Use {KEY}."), ..skill("leaky") }),
            "finds a secret in its definition",
        ),
    ];
    for (binding, expected) in faults {
        let error = block_on(run.bind(binding.clone())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(KEY), "{error}");
        let started = block_on(runtime.start_with("a task", &signed(writ()), &key(AGENT), [binding]));
        assert!(matches!(started, Err(StartError::Bind(_))));
    }
    let many = (0..=MAX_SKILLS).map(|_| Binding::new(skill("one")));
    let started = block_on(runtime.start_with("a task", &signed(writ()), &key(AGENT), many));
    assert!(matches!(started, Err(StartError::Bind(BindError::TooMany(_)))));
    assert_eq!((fixture.kinds(&run.id()), fixture.authority().len()), before);
    (0..MAX_SKILLS).for_each(|_| bind(&run, skill("one")));
    assert!(matches!(block_on(run.bind(Binding::new(skill("one")))), Err(BindError::TooMany(_))));
    block_on(run.close()).unwrap();
    let ended = block_on(run.bind(Binding::new(skill("one"))));
    assert!(matches!(ended, Err(BindError::Run(openthymos::runtime::RunError::Ended))));
}

#[test]
fn small_values_in_many_places_are_bounded_too() {
    let parameters = json!({"type": "object", "properties": {"x": {"type": "string"}}});
    let bomb = Skill { instructions: "{x}".repeat(20_000), parameters, ..skill("bomb") };
    let fault = bomb.parameters(json!({"x": "y".repeat(60_000)})).unwrap_err();
    assert!(matches!(fault, SkillFault::Limit(_)), "{fault}");
}

#[test]
fn what_waits_for_approval_is_decided_once_more_within_the_skills_bound_since() {
    let fixture = Fixture::default();
    let act = TestTool::host("act").with(|tool| tool.contract.risk = openthymos::contract::Risk::Critical);
    let called = act.counter();
    let builder = fixture.builder().trust(named(AGENT), [Role::Approver]).tool(act);
    let runtime = block_on(builder.open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let Submitted::Suspended { entry, .. } = submit(&run, "act", json!({})) else { panic!("it is critical") };
    let approver = key(AGENT);
    block_on(run.vote(openthymos::runtime::Answer::approve(entry).by("agent", &approver))).unwrap();
    bind(&run, Skill { tools: vec![], ..skill("nothing") });
    let (_, became) = block_on(run.carry_on()).unwrap().remove(0);
    assert_eq!((refused(became).skill(), called.get()), (Some("nothing@1"), 0));
    verified(&runtime, &run.id());
}

#[test]
fn a_driven_script_stays_within_its_skill() {
    let fixture = Fixture::default();
    let act = TestTool::host("act");
    let called = act.counter();
    let runtime = fixture.open([look(), act]);
    let run = start_with(&runtime, [Skill { tools: tools(&["look"]), ..skill("reader") }]);
    let call = |tool: &str| Request::call(tool, json!({}));
    let mut script = Mock::script(vec![vec![call("look"), call("act")], vec![call("act")]]);
    let summary = block_on(run.drive(&mut script, Limits::default())).unwrap();
    assert_eq!((summary.committed, summary.rejected, called.get()), (1, 2, 0));
    verified(&runtime, &run.id());
}

/// What a skill or a writ allows in the properties below.
#[derive(Debug, Clone)]
struct Bounds {
    tools: Vec<&'static str>,
    effect: Effect,
    budget: Cap,
}

const PATTERNS: [&str; 7] = ["*", "a*", "?b", "ab", "a", "*b", "c"];
const NAMES: [&str; 5] = ["a", "ab", "bb", "c", "abc"];
const EFFECTS: [Effect; 4] = [Effect::Read, Effect::Write, Effect::External, Effect::Irreversible];

fn amount() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(0u64..4)
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let cap =
        (amount(), amount(), amount(), amount()).prop_map(|(tokens, tool_calls, usd_millicents, wall_clock_ms)| Cap {
            tokens,
            tool_calls,
            usd_millicents,
            wall_clock_ms,
        });
    let tools = prop::collection::vec(prop::sample::select(&PATTERNS[..]), 0..4);
    (tools, prop::sample::select(&EFFECTS[..]), cap).prop_map(|(tools, effect, budget)| Bounds {
        tools,
        effect,
        budget,
    })
}

impl Bounds {
    fn skill(&self) -> Narrowing {
        let skill = Skill { effect_ceiling: self.effect, tools: tools(&self.tools), ..skill("drawn") };
        Narrowing { left: self.budget, skill: skill.into() }
    }

    /// The tiny model: by hand, not by the code that is tried.
    fn allows(&self, tool: &str, effect: Effect, cost: &Amounts) -> bool {
        let matches = |pattern: &&str| match *pattern {
            "*" => true,
            "a*" => tool.starts_with('a'),
            "?b" => tool.len() == 2 && tool.ends_with('b'),
            "*b" => tool.ends_with('b'),
            name => name == tool,
        };
        let within = |cap: Option<u64>, cost: u64| cap.is_none_or(|cap| cost <= cap);
        self.tools.iter().any(matches)
            && effect <= self.effect
            && within(self.budget.tokens, cost.tokens)
            && within(self.budget.tool_calls, cost.tool_calls)
            && within(self.budget.usd_millicents, cost.usd_millicents)
            && within(self.budget.wall_clock_ms, cost.wall_clock_ms)
    }
}

/// One call, and all that it is decided by but the skills.
struct Case {
    chain: openthymos::WritChain,
    contracts: ContractSet,
    intent: openthymos::intent::SealedIntent,
    cost: Amounts,
}

impl Case {
    fn new(tool: &str, effect: Effect, cost: Amounts, writ_of: &Bounds) -> Self {
        let contract = TestTool::host(tool).with(|tool| tool.contract.effect = effect).contract;
        let mut contracts = ContractSet::default();
        contracts.insert(SealedContract::new(contract).unwrap()).unwrap();
        let scopes = writ_of.tools.iter().map(|pattern| scope(pattern));
        let chain = signed(writ().scopes(scopes).effects_up_to(writ_of.effect).budget(writ_of.budget.most()));
        let intent = Intent::act(tool, json!({})).seal(&SeededEntropy::new(5)).unwrap();
        Self { chain, contracts, intent, cost }
    }

    fn staged(&self, skills: &[Narrowing]) -> bool {
        let mut trust = Trust::default();
        trust.add(key(ISSUER).public_key(), Role::WritIssuer);
        let gates = Gates { approve_risk_from: None, approve_uncompensable: false, ..Gates::default() };
        let inputs = Inputs {
            branch: false,
            denied: &[],
            approvals: &[],
            balances: &[self.chain.leaf().budget],
            contracts: &self.contracts,
            earlier: None,
            intent: &self.intent,
            policies: &PolicySet::builder().gates(gates).build().unwrap(),
            recorded: None,
            roster: None,
            skills,
            standing: Standing {
                chain: &self.chain,
                clock_ms: START_MS,
                now_ms: START_MS,
                revoked: &std::collections::BTreeSet::new(),
                store: openthymos::canon::StoreId([1; 32]),
                trust: &trust,
            },
            trajectory: TrajectoryId([2; 32]),
            world: &World::default(),
        };
        let quote = Quote { cost: self.cost, ..Quote::default() };
        matches!(compile(&inputs, Some(quote.into())).unwrap(), Compiled::Staged(_))
    }
}

fn cases() -> impl Strategy<Value = (usize, Effect, Amounts, Bounds)> {
    let cost = (0u64..3, 1u64..3, 0u64..3, 0u64..3).prop_map(|(tokens, tool_calls, usd_millicents, wall_clock_ms)| {
        Amounts { tokens, tool_calls, usd_millicents, wall_clock_ms }
    });
    (0..NAMES.len(), prop::sample::select(&EFFECTS[..]), cost, bounds())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_staged_with_skills_is_staged_without_them_and_within_each(
        (tool, effect, cost, granted) in cases(),
        skills in prop::collection::vec(bounds(), 0..4),
    ) {
        let case = Case::new(NAMES[tool], effect, cost, &granted);
        let narrowings: Vec<_> = skills.iter().map(Bounds::skill).collect();
        let within = skills.iter().all(|skill| skill.allows(NAMES[tool], effect, &cost));
        prop_assert_eq!(case.staged(&[]), granted.allows(NAMES[tool], effect, &cost));
        prop_assert_eq!(case.staged(&narrowings), case.staged(&[]) && within);
    }

    #[test]
    fn several_skills_are_their_intersection_in_any_order(
        (tool, effect, cost, _) in cases(),
        skills in prop::collection::vec(bounds(), 1..5),
        rotated in 0usize..5,
    ) {
        let all = Bounds { tools: vec!["*"], effect: Effect::Irreversible, budget: Cap::NONE };
        let case = Case::new(NAMES[tool], effect, cost, &all);
        let mut narrowings: Vec<_> = skills.iter().map(Bounds::skill).collect();
        let each = narrowings.iter().all(|one| case.staged(std::slice::from_ref(one)));
        prop_assert_eq!(case.staged(&narrowings), each);
        narrowings.rotate_left(rotated % skills.len());
        prop_assert_eq!(case.staged(&narrowings), each);
        narrowings.reverse();
        prop_assert_eq!(case.staged(&narrowings), each);
    }
}

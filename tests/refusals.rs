//! What is refused never reaches its tool: the refusal is in the ledger, the world and the budget are as before, and the
//! run replays.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{collections::BTreeSet, sync::Arc};

use common::*;
use futures::{FutureExt, executor::block_on};
use openthymos::{
    canon::{FileHash, PolicySetHash, TrajectoryId, WritId},
    compile::{self, Compiled, Inputs, Standing},
    contract::{ArgumentFault, ContractSet, Effect, Risk, SealedContract},
    crypto::{Role, Trust},
    host::SeededEntropy,
    intent::{Intent, IntentKind, SealedIntent},
    ledger::record::{PendingApproval, Rejection},
    policy::{
        Bundle, PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput, PolicySet, Quorum, Roster, UnsignedBundle,
    },
    predicate::Predicate,
    proposal::{ApprovalEvidence, Code, PreconditionFault, Proposal, Quote, Read, Refusal, Stage, Status, Verdict},
    runtime::{RevokeError, Run, Runtime, Submitted},
    tool::{ToolContract, ToolError},
    world::World,
    writ::{Amounts, Dimension, Scope, Window, WritBuilder, WritChain},
};
use serde_json::{Value, json};

/// A run with a poisoned tool `act`, and what it looked like before anything was asked.
struct Case {
    fixture: Fixture,
    runtime: Runtime,
    run: Run,
    calls: Counter,
}

impl Case {
    fn new(tool: TestTool, writ: WritBuilder) -> Self {
        Self::under(Fixture::default(), tool, &signed(writ), PolicySet::default())
    }

    fn under(fixture: Fixture, tool: TestTool, chain: &WritChain, policies: PolicySet) -> Self {
        let calls = tool.counter();
        let runtime = block_on(fixture.builder().tool(tool).policies(policies).open()).unwrap();
        let run = start(&runtime, chain);
        Self { fixture, runtime, run, calls }
    }

    /// The same run in another process, whose runtime is composed in another way.
    fn reopened(self, builder: impl FnOnce(&Fixture) -> openthymos::runtime::Builder) -> Self {
        let Self { fixture, runtime, run, calls } = self;
        let id = run.id();
        drop((runtime, run));
        let runtime = block_on(builder(&fixture).open()).unwrap();
        let run = block_on(runtime.resume(&id)).unwrap();
        Self { fixture, runtime, run, calls }
    }

    fn balances(&self) -> Vec<Amounts> {
        // A request that no stage lets pass records the balances and changes nothing else.
        let intent = Intent { kind: IntentKind::Delegate, ..Intent::act("act", json!({})) };
        match block_on(self.run.submit(intent)).unwrap() {
            Submitted::Rejected { seq, .. } => self.proposal(seq).decision.balances,
            other => panic!("{other:?}"),
        }
    }

    fn proposal(&self, seq: u64) -> Proposal {
        match self.fixture.entry(&self.run.id(), seq).body().unwrap() {
            Rejection::Refused(proposal) => Arc::unwrap_or_clone(proposal),
            other => panic!("{other:?}"),
        }
    }

    fn refuses(&self, expected: Refusal) -> Proposal {
        self.refuses_intent(Intent::act("act", json!({"amount": 1})), expected)
    }

    fn refuses_intent(&self, intent: Intent, expected: Refusal) -> Proposal {
        let before = (block_on(self.run.world()).root(), block_on(self.run.spent()), self.balances(), self.calls.get());
        let (seq, refusal) = match block_on(self.run.submit(intent)).unwrap() {
            Submitted::Rejected { seq, refusal, .. } => (seq, refusal),
            other => panic!("expected {expected}, found {other:?}"),
        };
        assert_eq!(refusal, expected);
        let recorded = self.proposal(seq);
        assert_eq!(recorded.decision.status, Status::Rejected(expected));
        let after = (block_on(self.run.world()).root(), block_on(self.run.spent()), self.balances(), self.calls.get());
        assert_eq!(before, after);
        verified(&self.runtime, &self.run.id());
        recorded
    }

    fn suspends(&self, channel: &str) {
        let before = (block_on(self.run.world()).root(), block_on(self.run.spent()), self.balances());
        let Submitted::Suspended { seq, channel: found, .. } = submit(&self.run, "act", json!({"amount": 1})) else {
            panic!("expected a suspension")
        };
        let pending: PendingApproval = self.fixture.entry(&self.run.id(), seq).body().unwrap();
        assert!(matches!(pending.proposal.decision.status, Status::Suspended { .. }));
        let after = (block_on(self.run.world()).root(), block_on(self.run.spent()), self.balances());
        assert_eq!((found.as_str(), self.calls.get(), after), (channel, 0, before));
        verified(&self.runtime, &self.run.id());
    }
}

fn poisoned() -> TestTool {
    TestTool::host("act")
}

fn refusal(stage: Stage, code: Code) -> Refusal {
    Refusal::new(stage, code)
}

#[test]
fn the_run_that_all_others_differ_from_is_carried_out() {
    let case = Case::new(poisoned(), writ());
    assert!(matches!(submit(&case.run, "act", json!({"amount": 1})), Submitted::Committed { .. }));
    assert_eq!(case.calls.get(), 1);
}

#[test]
fn intent_kind() {
    let case = Case::new(poisoned(), writ());
    for kind in [IntentKind::Delegate, IntentKind::MemoryPromote] {
        let intent = Intent { kind, ..Intent::act("act", json!({})) };
        case.refuses_intent(intent, refusal(Stage::IntentKind, Code::UnsupportedKind).asked(kind));
    }
    let expected = refusal(Stage::IntentKind, Code::QueryWithEffect).asked("query").allowed("read");
    case.refuses_intent(Intent::query("act", json!({})), expected);
}

#[test]
fn chain_whose_root_is_not_trusted_any_more() {
    let case = Case::new(poisoned(), writ());
    let calls = case.calls.clone();
    let again = poisoned();
    let other = again.counter();
    let case = case.reopened(|fixture| fixture.untrusting().tool(again));
    case.refuses(refusal(Stage::Chain, Code::UntrustedRoot).asked(named(ISSUER).key));
    assert_eq!((calls.get(), other.get()), (0, 0));
}

#[test]
fn window() {
    let window = Window { not_before_ms: START_MS, expires_at_ms: START_MS + 10 };
    let case = Case::new(poisoned(), writ().window(window));
    case.fixture.clock.set(START_MS - 1);
    case.refuses(refusal(Stage::Window, Code::NotYetValid).at(0).asked(START_MS - 1).allowed(START_MS));
    case.fixture.clock.set(START_MS + 11);
    case.refuses(refusal(Stage::Window, Code::Expired).at(0).asked(START_MS + 11).allowed(START_MS + 10));
    // A clock set back revives nothing.
    case.fixture.clock.set(START_MS + 5);
    case.refuses(refusal(Stage::Window, Code::Expired).at(0).asked(START_MS + 11).allowed(START_MS + 10));
}

#[test]
fn window_of_the_second_link() {
    let root = signed(writ());
    let chain = child(&root, |writ| writ.window(Window { not_before_ms: 0, expires_at_ms: START_MS + 10 }));
    let case = Case::under(Fixture::default(), poisoned(), &chain, PolicySet::default());
    case.fixture.clock.set(START_MS + 11);
    case.refuses(refusal(Stage::Window, Code::Expired).at(1).asked(START_MS + 11).allowed(START_MS + 10));
}

#[test]
fn scope_of_each_link() {
    let case = Case::new(poisoned(), writ().scopes([scope("other"), scope("a?")]));
    case.refuses(refusal(Stage::Scope, Code::OutOfScope).at(0).asked("act").allowed("other a?"));
    let case = Case::new(poisoned(), writ().scopes([]));
    case.refuses(refusal(Stage::Scope, Code::OutOfScope).at(0).asked("act").allowed("nothing"));
    let chain = child(&signed(writ()), |writ| writ.scopes([scope("other")]));
    let case = Case::under(Fixture::default(), poisoned(), &chain, PolicySet::default());
    case.refuses(refusal(Stage::Scope, Code::OutOfScope).at(1).asked("act").allowed("other"));
}

#[test]
fn a_contract_that_has_changed_since_it_was_pinned() {
    let pinned = SealedContract::new(poisoned().contract).unwrap().hash();
    let case = Case::new(poisoned(), writ().scopes([Scope { contracts: Some(vec![pinned]), ..scope("act") }]));
    let changed = poisoned().with(|tool| tool.contract.description = "now does something else".into());
    let (hash, calls) = (SealedContract::new(changed.contract.clone()).unwrap().hash(), changed.counter());
    let case = case.reopened(|fixture| fixture.builder().tool(changed));
    case.refuses(refusal(Stage::Scope, Code::ContractNotPinned).at(0).asked(hash).allowed(pinned));
    assert_eq!(calls.get(), 0);
}

#[test]
fn registry() {
    let case = Case::new(poisoned(), writ());
    let recorded =
        case.refuses_intent(Intent::act("gone", json!({})), refusal(Stage::Registry, Code::UnknownTool).asked("gone"));
    assert_eq!(recorded.resolved, None);
}

#[test]
fn effect_ceiling_of_each_link() {
    let tool = || poisoned().with(|tool| tool.contract.effect = Effect::External);
    let case = Case::new(tool(), writ().effects_up_to(Effect::Write));
    case.refuses(refusal(Stage::Effect, Code::EffectAboveCeiling).at(0).asked("external").allowed("write"));
    let chain = child(&signed(writ()), |writ| writ.effects_up_to(Effect::Read));
    let case = Case::under(Fixture::default(), tool(), &chain, PolicySet::default());
    case.refuses(refusal(Stage::Effect, Code::EffectAboveCeiling).at(1).asked("external").allowed("read"));
}

#[test]
fn clock_behind_the_record() {
    let case = Case::new(poisoned(), writ());
    case.fixture.clock.set(START_MS - 60_001);
    case.refuses(refusal(Stage::Effect, Code::ClockBehind).asked(60_001).allowed(60_000));
    // So it is for a process that was started after the clock went back.
    let case = case.reopened(|fixture| fixture.builder().tool(poisoned()));
    case.refuses(refusal(Stage::Effect, Code::ClockBehind).asked(60_001).allowed(60_000));
    case.fixture.clock.set(START_MS - 60_000);
    assert!(matches!(submit(&case.run, "act", json!({})), Submitted::Committed { .. }));
}

fn amount(dimension: Dimension, amount: u64) -> Amounts {
    let mut amounts = PLENTY;
    match dimension {
        Dimension::Tokens => amounts.tokens = amount,
        Dimension::ToolCalls => amounts.tool_calls = amount,
        Dimension::UsdMillicents => amounts.usd_millicents = amount,
        Dimension::WallClockMs => amounts.wall_clock_ms = amount,
    }
    amounts
}

#[test]
fn budget_in_every_dimension_at_each_link() {
    for dimension in Dimension::ALL {
        // Time left shortens a call; only when none is left, it is refused.
        let (budget, short, asked) = if dimension == Dimension::WallClockMs { (5, 0, 1) } else { (9, 4, 5) };
        for link in [0, 1] {
            let fixture = Fixture::default();
            let clock = fixture.clock.clone();
            let tool = poisoned()
                .with(|tool| tool.cost = Amounts { tokens: 5, tool_calls: 5, usd_millicents: 5, wall_clock_ms: 0 });
            let tool = tool.calling(move |_| {
                clock.advance_ms(5);
                Ok(openthymos::tool::ToolOutput::new("spent"))
            });
            let root = signed(writ().budget(amount(dimension, budget)));
            let below = child(&root, |writ| writ.budget(amount(dimension, if link == 0 { budget } else { short })));
            let case = Case::under(fixture, tool, &below, PolicySet::default());
            if link == 0 {
                // Another run under the parent has used it up.
                let spender = start(&case.runtime, &root);
                assert!(matches!(submit(&spender, "act", json!({})), Submitted::Committed { .. }));
            }
            let expected = refusal(Stage::Budget, Code::BudgetExceeded).at(dimension.as_str());
            let recorded = case.refuses(expected.asked(asked).allowed(short));
            let left: Vec<_> = recorded.decision.balances.iter().map(|left| left.get(dimension)).collect();
            assert_eq!(left, if link == 0 { [short, budget] } else { [budget, short] });
        }
    }
}

#[test]
fn schema() {
    let case = Case::new(poisoned(), writ());
    let intent = Intent::act("act", json!({"amount": "much"}));
    case.refuses_intent(intent, refusal(Stage::Schema, Code::SchemaViolation).at("/amount").allowed("type"));
    let intent = Intent::act("act", json!(["no object"]));
    case.refuses_intent(intent, refusal(Stage::Schema, Code::SchemaViolation).at("").allowed("type"));
}

#[test]
fn arguments_that_the_tools_own_types_refuse() {
    let fault = || ArgumentFault { keyword: "enum".into(), pointer: "/amount".into() };
    let case = Case::new(poisoned().with(|tool| tool.arguments = Some(Box::new(move |()| Err(fault())))), writ());
    case.refuses(refusal(Stage::Schema, Code::ArgumentsMalformed).at("/amount").allowed("enum"));
}

#[test]
fn conditions_that_are_false_or_cannot_be_judged() {
    let when: Predicate = serde_json::from_value(json!({"field": "args.amount", "op": "lt", "value": 10})).unwrap();
    let small = || Scope { when: Some(when.clone()), ..scope("act") };
    let chain = child(&signed(writ()), |writ| writ.scopes([small()]));
    let case = Case::under(Fixture::default(), poisoned(), &chain, PolicySet::default());
    for args in [json!({"amount": 10}), json!({})] {
        let expected = refusal(Stage::Conditions, Code::ConditionNotMet).at(1).asked("act");
        case.refuses_intent(Intent::act("act", args), expected);
    }
    assert!(matches!(submit(&case.run, "act", json!({"amount": 9})), Submitted::Committed { .. }));
    // Conditions add up along the chain: a wider child does not lift its parent's.
    let chain = child(&signed(writ().scopes([small()])), |writ| writ.scopes([scope("act")]));
    let case = Case::under(Fixture::default(), poisoned(), &chain, PolicySet::default());
    let expected = refusal(Stage::Conditions, Code::ConditionNotMet).at(0).asked("act");
    case.refuses_intent(Intent::act("act", json!({"amount": 10})), expected);
}

#[test]
fn preconditions() {
    let fault = || PreconditionFault { code: "not_found".into() };
    let case = Case::new(poisoned().with(|tool| tool.precondition = Some(Box::new(move |()| Err(fault())))), writ());
    case.refuses(refusal(Stage::Preconditions, Code::PreconditionFailed).asked("not_found"));
}

#[test]
fn a_tool_that_cannot_be_asked() {
    let unavailable = || refusal(Stage::Preconditions, Code::QuoteUnavailable);
    let panics = || poisoned().with(|tool| tool.on_reads = Some(Box::new(|()| panic!("in reads"))));
    Case::new(panics(), writ()).refuses(unavailable());
    let checks = || poisoned().with(|tool| tool.arguments = Some(Box::new(|()| panic!("in check_arguments"))));
    Case::new(checks(), writ()).refuses(unavailable());
    let fails = |()| futures::future::ready(Err(ToolError::Failed("unreadable".into()))).boxed();
    Case::new(poisoned().with(|tool| tool.probe = Some(Box::new(fails))), writ()).refuses(unavailable());
    let panics = |()| futures::future::lazy(|_| panic!("in probe")).boxed();
    Case::new(poisoned().with(|tool| tool.probe = Some(Box::new(panics))), writ()).refuses(unavailable());
}

#[test]
fn a_probe_that_never_answers() {
    let mut fixture = Fixture::default();
    fixture.host.timer = Arc::new(FastTimer);
    let tool = poisoned().with(|tool| tool.probe = Some(Box::new(|()| Box::pin(futures::future::pending()))));
    let case = Case::under(fixture, tool, &signed(writ()), PolicySet::default());
    case.refuses(refusal(Stage::Preconditions, Code::QuoteUnavailable));
}

fn rules(rules: Value) -> PolicySet {
    let bundle = json!({"name": "house", "version": "1", "rules": rules});
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap()
}

fn with_policies(policies: PolicySet) -> Case {
    Case::under(Fixture::default(), poisoned(), &signed(writ()), policies)
}

#[test]
fn a_policy_that_denies_and_one_that_cannot_be_judged() {
    let when = json!({"field": "args.amount", "op": "gte", "value": 100});
    let case =
        with_policies(rules(json!([{"name": "r", "when": when, "decision": {"kind": "deny", "reason": "much"}}])));
    let expected = || refusal(Stage::Policy, Code::PolicyDenied).asked("much");
    let recorded = case.refuses_intent(Intent::act("act", json!({"amount": 100})), expected());
    assert_eq!(recorded.decision.trace.fired, [0]);
    let recorded = case.refuses_intent(Intent::act("act", json!({})), expected());
    assert_eq!(recorded.decision.trace.unknown, [0]);
    assert!(matches!(submit(&case.run, "act", json!({"amount": 99})), Submitted::Committed { .. }));
}

struct Engine(fn() -> Result<Verdict, PolicyError>);

impl PolicyEngine for Engine {
    fn descriptor(&self) -> PolicyDescriptor {
        PolicyDescriptor { config: String::new(), name: "engine".into(), version: "1".into() }
    }

    fn evaluate(&self, _: &PolicyInput<'_>) -> Result<Verdict, PolicyError> {
        (self.0)()
    }
}

#[test]
fn a_policy_engine_that_fails_or_panics() {
    for engine in [Engine(|| Err(PolicyError("lost".into()))), Engine(|| panic!("lost"))] {
        let case = with_policies(PolicySet::builder().engine(Arc::new(engine)).build().unwrap());
        let reason = "policy `engine` version `1` could not decide";
        case.refuses(refusal(Stage::Policy, Code::PolicyFailed).asked(reason));
    }
}

#[test]
fn what_needs_approval_waits_for_it() {
    let ask = json!({"kind": "require_approval", "channel": "finance", "reason": "spends"});
    let when = json!({"field": "args.amount", "op": "gt", "value": 0});
    with_policies(rules(json!([{"name": "r", "when": when, "decision": ask}]))).suspends("finance");
    Case::new(poisoned().with(|tool| tool.contract.risk = Risk::Critical), writ()).suspends("operator");
    let final_one = |tool: &mut TestTool| {
        tool.contract.effect = Effect::Irreversible;
        tool.contract.compensable = false;
    };
    Case::new(poisoned().with(final_one), writ()).suspends("operator");
}

/// A compile without a runtime: for inputs that no runtime makes by itself.
struct Direct {
    approvals: Vec<ApprovalEvidence>,
    chain: WritChain,
    contracts: ContractSet,
    earlier: Option<Arc<Proposal>>,
    intent: SealedIntent,
    policies: PolicySet,
    roster: Option<Roster>,
    revoked: BTreeSet<WritId>,
    trust: Trust,
    store: openthymos::canon::StoreId,
}

impl Direct {
    fn new(tool: &TestTool, chain: WritChain) -> Self {
        let mut contracts = ContractSet::default();
        contracts.insert(SealedContract::new(tool.contract()).unwrap()).unwrap();
        let mut trust = Trust::default();
        trust.add(named(ISSUER).key, Role::WritIssuer);
        Self {
            approvals: vec![],
            chain,
            contracts,
            earlier: None,
            intent: Intent::act("act", json!({"amount": 1})).seal(&SeededEntropy::new(5)).unwrap(),
            policies: PolicySet::default(),
            roster: None,
            revoked: BTreeSet::new(),
            trust,
            store: openthymos::canon::StoreId([1; 32]),
        }
    }

    fn compile(&self, quote: Option<Quote>) -> Compiled {
        let balances: Vec<_> = self.chain.links().map(|(_, writ)| writ.budget).collect();
        let inputs = Inputs {
            branch: false,
            denied: &[],
            approvals: &self.approvals,
            balances: &balances,
            contracts: &self.contracts,
            earlier: self.earlier.as_deref(),
            intent: &self.intent,
            policies: &self.policies,
            recorded: None,
            roster: self.roster.as_ref(),
            skills: &[],
            standing: Standing {
                chain: &self.chain,
                clock_ms: START_MS,
                now_ms: START_MS,
                revoked: &self.revoked,
                store: self.store,
                trust: &self.trust,
            },
            trajectory: TrajectoryId([2; 32]),
            world: &World::default(),
        };
        compile::compile(&inputs, quote.map(Into::into)).unwrap()
    }

    /// What it makes of the intent as it is.
    fn proposal(&self, quote: Quote) -> Arc<Proposal> {
        self.compile(Some(quote)).into_proposal()
    }

    fn refuses(&self, quote: Quote, expected: Refusal) {
        match self.compile(Some(quote)) {
            Compiled::Rejected(proposal) => assert_eq!(proposal.decision.status, Status::Rejected(expected)),
            other => panic!("expected {expected}, found {other:?}"),
        }
    }
}

fn quote() -> Quote {
    Quote { cost: Amounts { wall_clock_ms: 1, ..Amounts::ONE_CALL }, compensable: true, ..Quote::default() }
}

#[test]
fn by_compile_alone_a_revoked_link_voids_the_chain() {
    let chain = child(&signed(writ()), |writ| writ);
    for (index, (id, _)) in chain.links().enumerate() {
        let direct = Direct { revoked: [id].into(), ..Direct::new(&poisoned(), chain.clone()) };
        direct.refuses(quote(), refusal(Stage::Revocation, Code::Revoked).at(index).asked(id));
    }
    let stranger = Direct { revoked: [WritId([8; 32])].into(), ..Direct::new(&poisoned(), chain.clone()) };
    assert!(matches!(stranger.compile(Some(quote())), Compiled::Staged(_)));
}

#[test]
fn by_compile_alone_a_writ_for_another_store_is_refused() {
    let other = openthymos::canon::StoreId([3; 32]);
    let direct = Direct::new(&poisoned(), signed(writ().stores([other])));
    direct.refuses(quote(), refusal(Stage::Audience, Code::WrongAudience).at(0).asked(direct.store));
    let chain = child(&signed(writ().stores([other, direct.store])), |writ| writ.stores([other]));
    let direct = Direct { chain, ..direct };
    direct.refuses(quote(), refusal(Stage::Audience, Code::WrongAudience).at(1).asked(direct.store));
}

#[test]
fn by_compile_alone_a_tool_that_was_not_asked_is_not_called() {
    let Compiled::Rejected(proposal) = Direct::new(&poisoned(), signed(writ())).compile(None) else { panic!("staged") };
    let expected = refusal(Stage::Preconditions, Code::QuoteUnavailable);
    assert_eq!(proposal.decision.status, Status::Rejected(expected));
}

#[test]
fn by_compile_alone_what_was_read_must_not_have_moved_on() {
    let read = |version, value: Option<u8>| Read {
        resource: kv("a"),
        value: value.map(|byte| openthymos::canon::Commitment([byte; 32])),
        version,
    };
    let reading = |reads| Quote { reads, ..quote() };
    let base = Direct::new(&poisoned(), signed(writ()));
    let earlier = Some(base.proposal(reading(vec![read(3, Some(1))])));
    let direct = Direct { earlier, ..base };
    for now in [vec![read(4, Some(1))], vec![read(3, Some(2))], vec![read(0, None)], vec![]] {
        direct.refuses(reading(now), refusal(Stage::Reads, Code::ReadChanged).at("kv/a").allowed(3));
    }
    assert!(matches!(direct.compile(Some(reading(vec![read(3, Some(1))]))), Compiled::Staged(_)));
    let probed = |byte: Option<u8>| Quote { probe: byte.map(|byte| FileHash([byte; 32])), ..quote() };
    let direct = Direct { earlier: None, ..direct };
    let earlier = Some(direct.proposal(probed(Some(1))));
    let direct = Direct { earlier, ..direct };
    for now in [Some(2), None] {
        direct.refuses(probed(now), refusal(Stage::Reads, Code::ProbeChanged));
    }
    assert!(matches!(direct.compile(Some(probed(Some(1)))), Compiled::Staged(_)));
}

#[test]
fn by_compile_alone_approval_takes_a_quorum_of_distinct_keys_and_one_denial_vetoes() {
    let tool = poisoned().with(|tool| tool.contract.risk = Risk::Critical);
    let direct = |approvals| Direct { approvals, ..Direct::new(&tool, signed(writ())) };
    let key = |byte| openthymos::canon::KeyId([byte; 32]);
    let votes = |channel: &str, quorum, approved: &[u8], denied: &[u8]| ApprovalEvidence {
        approved: approved.iter().copied().map(key).collect(),
        channel: channel.into(),
        denied: denied.iter().copied().map(key).collect(),
        operator_present: false,
        quorum,
        roster: Some(openthymos::canon::RosterHash([0; 32])),
    };
    for short in [
        vec![],
        vec![votes("operator", 2, &[1], &[])],
        vec![votes("operator", 2, &[1, 1], &[])],
        vec![votes("operator", 0, &[1], &[])],
        vec![votes("finance", 1, &[1, 2], &[])],
        vec![votes("operator", 2, &[1], &[]), votes("operator", 2, &[2], &[])],
    ] {
        assert!(matches!(direct(short.clone()).compile(Some(quote())), Compiled::Suspended(_)), "{short:?}");
    }
    assert!(matches!(direct(vec![votes("operator", 2, &[1, 2], &[])]).compile(Some(quote())), Compiled::Staged(_)));
    // The operator's bare yes serves where one approval suffices, and nowhere else.
    let present = |quorum, approved: &[u8]| {
        vec![ApprovalEvidence { operator_present: true, ..votes("operator", quorum, approved, &[]) }]
    };
    assert!(matches!(direct(present(1, &[])).compile(Some(quote())), Compiled::Staged(_)));
    for short in [present(0, &[]), present(2, &[]), present(2, &[1])] {
        assert!(matches!(direct(short.clone()).compile(Some(quote())), Compiled::Suspended(_)), "{short:?}");
    }
    let waits = direct(vec![]).proposal(quote());
    for votes in [votes("operator", 2, &[1, 2], &[3]), votes("operator", 2, &[], &[3])] {
        let denied = Direct { earlier: Some(Arc::clone(&waits)), ..direct(vec![votes.clone()]) };
        denied.refuses(quote(), refusal(Stage::Approvals, Code::ApprovalDenied).asked("operator"));
        // As one that comes after it.
        direct(vec![votes]).refuses(quote(), refusal(Stage::Approvals, Code::DeniedBefore).asked("operator"));
    }
}

#[test]
fn by_compile_alone_what_was_approved_must_be_under_the_same_contract_and_policies() {
    let base = Direct::new(&poisoned(), signed(writ()));
    let earlier = Some(base.proposal(quote()));
    let direct = Direct { earlier: earlier.clone(), ..base };
    assert!(matches!(direct.compile(Some(quote())), Compiled::Staged(_)));
    let then = direct.policies.hash();
    let policies = rules(json!([{
        "name": "r", "when": {"field": "intent.target", "op": "eq", "value": "act"}, "decision": {"kind": "permit"}
    }]));
    let now = policies.hash();
    let changed = Direct { policies, ..direct };
    changed.refuses(quote(), refusal(Stage::Policy, Code::PolicyChanged).asked(now).allowed(then));

    let other = poisoned().with(|tool| tool.contract.version = "2".into());
    let then = changed.contracts.get("act").unwrap().hash();
    let changed = Direct { earlier, ..Direct::new(&other, signed(writ())) };
    let now = changed.contracts.get("act").unwrap().hash();
    changed.refuses(quote(), refusal(Stage::Registry, Code::ContractChanged).asked(now).allowed(then));
}

#[test]
fn by_compile_alone_a_channel_that_no_roster_has_is_not_asked() {
    let tool = poisoned().with(|tool| tool.contract.risk = Risk::Critical);
    let on = |channel: &str| {
        let quorum = Quorum { approvers: vec![named(ISSUER)], required: 1 };
        let roster = Roster { channels: [(channel.to_owned(), quorum)].into(), version: "1".into() };
        Direct { roster: Some(roster), ..Direct::new(&tool, signed(writ())) }
    };
    on("finance").refuses(quote(), refusal(Stage::Approvals, Code::UnknownChannel).asked("operator"));
    assert!(matches!(on("operator").compile(Some(quote())), Compiled::Suspended(_)));
}

#[test]
fn by_compile_alone_approval_lifts_no_other_stage() {
    let evidence = ApprovalEvidence {
        approved: vec![openthymos::canon::KeyId([1; 32])],
        channel: "operator".into(),
        denied: vec![],
        operator_present: false,
        quorum: 1,
        roster: Some(openthymos::canon::RosterHash([0; 32])),
    };
    let tool = poisoned().with(|tool| tool.contract.risk = Risk::Critical);
    let chain = signed(writ().scopes([scope("other")]));
    let direct = Direct { approvals: vec![evidence], ..Direct::new(&tool, chain) };
    direct.refuses(quote(), refusal(Stage::Scope, Code::OutOfScope).at(0).asked("act").allowed("other"));
}

#[test]
fn by_compile_alone_the_same_inputs_give_the_same_bytes() {
    let direct = Direct::new(&poisoned(), signed(writ().scopes([scope("other")])));
    let bytes = || match direct.compile(Some(quote())) {
        Compiled::Rejected(proposal) => openthymos::canon::to_canonical(&proposal).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bytes(), bytes());
    assert_ne!(direct.policies.hash(), PolicySetHash::ZERO);
}

#[test]
fn revocation_of_any_link_is_in_force_at_once_and_after_a_restart() {
    let chain = child(&signed(writ()), |writ| writ);
    for (index, (id, _)) in chain.links().enumerate() {
        let case = Case::under(Fixture::default(), poisoned(), &chain, PolicySet::default());
        let stranger = block_on(case.runtime.revoke(id, "no", "stranger", &key(STRANGER)));
        assert!(matches!(stranger, Err(RevokeError::NotTrusted { .. })), "{stranger:?}");
        assert!(matches!(submit(&case.run, "act", json!({"amount": 1})), Submitted::Committed { .. }));
        block_on(case.runtime.revoke(id, "left the company", "issuer", &key(ISSUER))).unwrap();
        let expected = refusal(Stage::Revocation, Code::Revoked).at(index).asked(id);
        case.refuses(expected.clone());
        assert_eq!(case.calls.get(), 1);
        let again = poisoned();
        let calls = again.counter();
        let case = case.reopened(|fixture| fixture.builder().tool(again));
        case.refuses(expected);
        assert_eq!(calls.get(), 0);
        let refused = block_on(case.runtime.start("again", &chain, &key(CHILD))).err().unwrap();
        assert!(refused.to_string().contains("revoked"), "{refused}");
    }
}

#[test]
fn revocation_between_decision_and_effect_stops_the_effect() {
    let fixture = Fixture::default();
    let chain = signed(writ());
    // The tool's probe runs after the intent was admitted and before it is dispatched: the writ is revoked right then.
    let handle: Arc<std::sync::Mutex<Option<Runtime>>> = Arc::default();
    let (id, seen) = (chain.id(), Arc::clone(&handle));
    let tool = poisoned().with(|tool| {
        tool.probe = Some(Box::new(move |()| {
            let runtime = seen.lock().unwrap().take();
            async move {
                if let Some(runtime) = runtime {
                    runtime.revoke(id, "now", "issuer", &key(ISSUER)).await.unwrap();
                }
                Ok(openthymos::tool::Probe::default())
            }
            .boxed()
        }));
    });
    let calls = tool.counter();
    let runtime = block_on(fixture.builder().tool(tool).open()).unwrap();
    *handle.lock().unwrap() = Some(runtime.clone());
    let run = start(&runtime, &chain);
    let submitted = submit(&run, "act", json!({"amount": 1}));
    let Submitted::Rejected { refusal, .. } = submitted else { panic!("{submitted:?}") };
    assert_eq!((refusal.code, calls.get()), (Code::Revoked, 0));
    verified(&runtime, &run.id());
}

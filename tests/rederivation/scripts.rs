//! Random calls under random writs, policies, clocks and processes: whatever was decided follows.

use futures::executor::block_on;
use openthymos::{
    cognition::{Mock, Request},
    contract::Effect,
    crypto::Role,
    host::SeededEntropy,
    intent::Intent,
    policy::PolicySet,
    replay::{self, StorePins, Verdict},
    runtime::{Limits, Run, Runtime},
    writ::{Amounts, Scope, Window, WritBuilder, WritChain},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    common::*,
    honest::tools,
    policies::{Guard, POLICY_ISSUER, bundled},
    proposals, rederives, shared,
};

const TOOLS: [&str; 12] =
    ["act", "read", "mail", "note", "critical", "final", "pay", "lost", "unmet", "typed", "dear", "gone"];

#[derive(Debug, Clone)]
pub enum Step {
    Call(usize, Value),
    Query(usize, Value),
    Sealed(usize, Value, u8),
    Drive(Vec<(usize, Value)>),
    Clock(i64),
    Reset,
    Revoke,
    Restart { rules: Value, guard: bool, without: usize },
}

#[derive(Debug, Clone)]
pub struct Grant {
    scopes: Vec<(usize, bool)>,
    budget: Amounts,
    ceiling: Effect,
    window: Window,
}

fn args() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0i64..120).prop_map(|amount| json!({"amount": amount})),
        1 => Just(json!({})),
        1 => Just(json!({"amount": "much"})),
        1 => (0i64..20).prop_map(|amount| json!({"amount": amount, "x": {"$secret": "door"}})),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0i64..120, prop::sample::select(vec!["lt", "gte", "eq", "ne"]))
            .prop_map(|(value, op)| json!({"field": "args.amount", "op": op, "value": value})),
        any::<bool>().prop_map(|value| json!({"field": "world.kv.frozen", "op": "eq", "value": value})),
        (0u64..4).prop_map(|value| json!({"field": "world.kv.frozen.version", "op": "gt", "value": value})),
        prop::sample::select(vec!["read", "write", "external"])
            .prop_map(|value| json!({"field": "tool.effect", "op": "eq", "value": value})),
        Just(json!({"field": "intent.target", "op": "starts_with", "value": "no"})),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|members| json!({"all": members})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|members| json!({"any": members})),
            inner.prop_map(|member| json!({"not": member})),
        ]
    })
}

fn rules() -> impl Strategy<Value = Value> {
    let decision = prop::sample::select(vec![
        json!({"kind": "permit"}),
        json!({"kind": "deny", "reason": "no"}),
        json!({"kind": "require_approval", "channel": "finance", "reason": "ask"}),
    ]);
    prop::collection::vec((condition(), decision), 0..5).prop_map(|rules| {
        let named =
            |(index, (when, decision))| json!({"name": format!("r{index}"), "when": when, "decision": decision});
        rules.into_iter().enumerate().map(named).collect()
    })
}

pub fn grant() -> impl Strategy<Value = Grant> {
    let scopes = prop::collection::vec((0..TOOLS.len() + 3, any::<bool>()), 1..6);
    let effects = prop::sample::select(vec![Effect::Read, Effect::Write, Effect::Irreversible, Effect::Irreversible]);
    let parts = (scopes, 1u64..12, 0u64..20_000, effects, 0u64..3_000, 0u64..60_000);
    parts.prop_map(|(scopes, tool_calls, usd_millicents, ceiling, from, until)| Grant {
        scopes,
        budget: Amounts { tool_calls, usd_millicents, ..PLENTY },
        ceiling,
        window: Window { not_before_ms: START_MS - 2_000 + from, expires_at_ms: START_MS + 100 + until },
    })
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tool = || 0..TOOLS.len();
    let step = prop_oneof![
        12 => (tool(), args()).prop_map(|(tool, args)| Step::Call(tool, args)),
        1 => (tool(), args()).prop_map(|(tool, args)| Step::Query(tool, args)),
        1 => (tool(), args(), 0u8..4).prop_map(|(tool, args, seed)| Step::Sealed(tool, args, seed)),
        1 => prop::collection::vec((tool(), args()), 1..4).prop_map(Step::Drive),
        3 => (-90_000i64..30_000).prop_map(Step::Clock),
        1 => Just(Step::Reset),
        1 => Just(Step::Revoke),
        2 => (rules(), any::<bool>(), tool()).prop_map(|(rules, guard, without)| Step::Restart { rules, guard, without }),
    ];
    prop::collection::vec(step, 1..24)
}

pub fn narrowed(writ: WritBuilder, grant: &Grant) -> WritBuilder {
    let when = serde_json::from_value(json!({"field": "args.amount", "op": "lt", "value": 60})).unwrap();
    let scopes = grant.scopes.iter().map(|(tool, conditional)| {
        let scope = scope(TOOLS.get(*tool).copied().unwrap_or("*"));
        if *conditional { Scope { when: Some(Clone::clone(&when)), ..scope } } else { scope }
    });
    writ.scopes(scopes).budget(grant.budget).effects_up_to(grant.ceiling).window(grant.window)
}

fn opened(fixture: &Fixture, rules: &Value, guard: bool, without: usize) -> Runtime {
    let open = |policies: PolicySet| {
        let mut builder = fixture.builder().trust(named(POLICY_ISSUER), [Role::PolicyIssuer]).policies(policies);
        for tool in tools().into_iter().filter(|tool| tool.contract.name.as_str() != TOOLS[without]) {
            builder = builder.tool(tool);
        }
        block_on(builder.open())
    };
    let set = bundled(rules);
    let set = if guard { set.engine(std::sync::Arc::new(Guard)) } else { set };
    // Rules that can never fire are refused when the ledger is opened.
    open(set.build().unwrap()).unwrap_or_else(|_| open(PolicySet::default()).unwrap())
}

/// Does what a script says, and goes on with another run when one has ended. Returns the runs.
pub fn play(fixture: &Fixture, chain: &WritChain, steps: &[Step]) -> Vec<openthymos::canon::TrajectoryId> {
    let mut runtime = opened(fixture, &json!([]), true, TOOLS.len() - 1);
    let start = |runtime: &Runtime| block_on(runtime.start("a task", chain, &key(CHILD)));
    let Ok(mut run): Result<Run, _> = start(&runtime) else { return vec![] };
    let mut runs = vec![run.id()];
    for step in steps {
        let went_on = match step.clone() {
            Step::Call(tool, args) => block_on(run.submit(Intent::act(TOOLS[tool], args))).is_ok(),
            Step::Query(tool, args) => block_on(run.submit(Intent::query(TOOLS[tool], args))).is_ok(),
            Step::Sealed(tool, args, seed) => {
                let sealed = Intent::act(TOOLS[tool], args).seal(&SeededEntropy::new(seed.into())).unwrap();
                block_on(run.submit_sealed(sealed)).is_ok()
            }
            Step::Drive(calls) => {
                let calls = calls.into_iter().map(|(tool, args)| Request::call(TOOLS[tool], args)).collect();
                block_on(run.drive(&mut Mock::script(vec![calls]), Limits::default())).is_ok()
            }
            Step::Clock(by) => {
                let now = openthymos::host::Clock::now_ms(&*fixture.clock);
                fixture.clock.set(now.saturating_add_signed(by));
                true
            }
            Step::Reset => {
                block_on(runtime.reset_clock("operator", &key(ISSUER))).ok();
                true
            }
            Step::Revoke => {
                block_on(runtime.revoke(chain.id(), "over", "issuer", &key(ISSUER))).unwrap();
                true
            }
            Step::Restart { rules, guard, without } => {
                runtime = opened(fixture, &rules, guard, without);
                match block_on(runtime.resume(&run.id())) {
                    Ok(resumed) => run = resumed,
                    Err(_) => return runs,
                }
                true
            }
        };
        if !went_on {
            let Ok(next) = start(&runtime) else { return runs };
            run = next;
            runs.push(run.id());
        }
    }
    runs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_decided_follows(grant in grant(), steps in steps()) {
        let fixture = Fixture::default();
        let chain = child(&signed(writ()), |writ| narrowed(writ, &grant));
        let runs = play(&fixture, &chain, &steps);
        let mut decisions = 0;
        for run in &runs {
            rederives(&*fixture.ledger, run);
            decisions += proposals(&*fixture.ledger, run).len() as u64;
        }
        let pins = StorePins { rederive: true, ..StorePins::default() };
        let report = block_on(replay::store(&*shared(&fixture), pins, |_| {})).unwrap();
        prop_assert_eq!(report.verdict(), Verdict::Verified);
        prop_assert_eq!(report.rederived.unwrap().decisions(), decisions);
    }
}

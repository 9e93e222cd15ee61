//! What holds for every input, tried on random ones.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

mod common;

use std::collections::BTreeMap;

use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{Nonce, StoreId, canonical_value, parse},
    commit::Delta,
    contract::{Effect, Risk, ToolName},
    crypto::Purpose,
    replay::{self, Pins},
    runtime::Submitted,
    tool::{ToolContract, ToolError, ToolOutput, tool},
    writ::{
        Amounts, Audience, Delegation, Dimension, Scope, SignedWrit, ToolPattern, UnverifiedChain, WRIT_FORMAT, Window,
        WritBody,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is done with one key of the world, whether the tool then fails, and whether its expectation is out of date.
#[derive(Debug, Clone)]
struct Op {
    key: u8,
    value: Option<i32>,
    host: bool,
    fails: bool,
    stale: bool,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct KvArgs {
    key: String,
    value: Option<i32>,
    version: u64,
    fails: bool,
}

/// Writes, or removes without a value, at the version that the caller expects.
fn kv_tool(name: &str, host: bool) -> impl ToolContract + use<> {
    let builder = tool(name, Effect::Write, Risk::Low).unwrap().inline();
    let builder = if host { builder } else { builder.world_only() };
    builder.function(|args: KvArgs, _| {
        let resource = kv(&args.key);
        let delta = match (args.value, args.version) {
            (Some(value), 0) => Delta::none().create(resource, json!(value)),
            (Some(value), version) => Delta::none().replace(resource, version, json!(value)),
            (None, version) => Delta::none().delete(resource, version),
        };
        if args.fails { Err(ToolError::Failed("told to".into())) } else { Ok(ToolOutput::new("ok").with_delta(delta)) }
    })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = (0u8..6, any::<Option<i32>>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let op = op.prop_map(|(key, value, host, fails, stale)| Op { key, value, host, fails, stale });
    prop::collection::vec(op, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replayed_world_is_that_of_a_model(ops in ops()) {
        let fixture = Fixture::default();
        let builder = fixture.builder().tool(kv_tool("kv_host", true)).tool(kv_tool("kv_world", false));
        let runtime = block_on(builder.open()).unwrap();
        let run = start(&runtime, &signed(writ()));
        let mut model: BTreeMap<String, (u64, i32)> = BTreeMap::new();
        for op in ops {
            let key = format!("k{}", op.key);
            let found = model.get(&key).map_or(0, |(version, _)| *version);
            let version = found + u64::from(op.stale);
            let name = if op.host { "kv_host" } else { "kv_world" };
            let args = json!({"key": key, "value": op.value, "version": version, "fails": op.fails});
            let committed = matches!(submit(&run, name, args), Submitted::Committed { .. });
            let applies = !op.fails && version == found && (found > 0 || op.value.is_some());
            prop_assert_eq!(committed, applies);
            match op.value {
                Some(value) if committed => drop(model.insert(key, (found + 1, value))),
                None if committed => drop(model.remove(&key)),
                _ => {}
            }
        }
        let (report, folded) = block_on(replay::run(&**runtime.ledger(), &run.id(), Pins { rederive: true, ..Pins::default() }, |_, _| {})).unwrap();
        let live = block_on(run.world());
        prop_assert_eq!(folded.world.root(), live.root());
        prop_assert_eq!(report.spent, block_on(run.spent()).0);
        for world in [live, folded.world] {
            let found: BTreeMap<_, _> = world.iter().map(|(id, resource)| {
                let value = resource.value.as_deref().and_then(Value::as_i64).unwrap();
                (id.id().to_owned(), (resource.version, i32::try_from(value).unwrap()))
            }).collect();
            prop_assert_eq!(&found, &model);
        }
    }
}

/// Any JSON that sealed JSON can hold.
fn sealable() -> impl Strategy<Value = Value> {
    const MAX: i64 = (1 << 53) - 1;
    let number = prop_oneof![
        (-MAX..=MAX).prop_map(Value::from),
        (-9.0e15..9.0e15).prop_map(Value::from),
        (-1.0..1.0f64, -300i32..15).prop_map(|(digits, power)| Value::from(digits * 10f64.powi(power))),
        prop::sample::select(vec![0.0, -0.0, 5e-324, 1e-7, 1e-6, 0.1, 4.5, 2e-3, f64::MIN_POSITIVE])
            .prop_map(Value::from),
    ];
    let text = prop_oneof![".{0,8}", prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sealed_json_is_the_canonical_form_of_rfc_8785(value in sealable()) {
        let ours = canonical_value(&value).unwrap();
        let other = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(String::from_utf8(ours.clone()).unwrap(), String::from_utf8(other).unwrap());
        let read = parse(&ours, ours.len()).unwrap();
        prop_assert_eq!(canonical_value(&read).unwrap(), ours);
        prop_assert_eq!(serde_json::from_slice::<Value>(&canonical_value(&value).unwrap()).unwrap(), read);
    }

    #[test]
    fn reading_never_panics_and_what_it_takes_can_be_sealed(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = parse(&bytes, 1_000) {
            prop_assert!(canonical_value(&value).is_ok());
        }
    }
}

fn pattern_text() -> impl Strategy<Value = String> {
    "[ab?*]{1,6}".prop_filter("`**` is no pattern", |text| !text.contains("**"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pattern_that_covers_another_matches_all_that_the_other_does(
        wide in pattern_text(), narrow in pattern_text(), names in prop::collection::vec("[abc:/]{1,7}", 12),
    ) {
        let (wide, narrow) = (ToolPattern::new(wide).unwrap(), ToolPattern::new(narrow).unwrap());
        prop_assert!(narrow.covers(&narrow));
        // Names made from the narrow pattern hit it far more often than random ones.
        let filled = names.iter().map(|name| fill(narrow.as_str(), name));
        for name in names.iter().cloned().chain(filled.clone()).filter(|name| !name.is_empty()) {
            let name = ToolName::new(name).unwrap();
            prop_assert!(!(wide.covers(&narrow) && narrow.matches(&name)) || wide.matches(&name), "{wide} {narrow} {name}");
        }
        prop_assert!(filled.filter(|name| !name.is_empty()).all(|name| narrow.matches(&ToolName::new(name).unwrap())));
    }
}

/// A name that a pattern matches, with letters of `with` in place of its wildcards.
fn fill(pattern: &str, with: &str) -> String {
    let mut letters = with.chars().cycle();
    let mut name = String::new();
    for symbol in pattern.chars() {
        match symbol {
            '?' => name.extend(letters.next()),
            '*' => name.extend(letters.by_ref().take(with.len() % 3)),
            literal => name.push(literal),
        }
    }
    name
}

const SCOPES: [&str; 5] = ["fs_*", "net.?", "kv:get", "*", "mcp/a*z"];
const NARROWER: [&str; 5] = ["fs_read*", "net.a", "kv:get", "anything?", "mcp/ab*z"];

fn amounts(most: u64) -> impl Strategy<Value = Amounts> {
    [0..=most, 0..=most, 0..=most, 0..=most].prop_map(|[tokens, tool_calls, usd_millicents, wall_clock_ms]| Amounts {
        tokens,
        tool_calls,
        usd_millicents,
        wall_clock_ms,
    })
}

fn effects() -> impl Strategy<Value = Effect> {
    prop::sample::select(vec![Effect::Read, Effect::Write, Effect::External])
}

/// A writ that may be delegated, not the widest in any dimension.
fn parents() -> impl Strategy<Value = WritBody> {
    let scopes = prop::sample::subsequence(vec![0usize, 1, 2, 4], 1..4);
    let parts = (amounts(1_000), effects(), 1u32..5, 10u64..100, 200u64..300, prop::option::of(1u8..4), scopes);
    parts.prop_map(|(budget, effect_ceiling, depth, not_before_ms, expires_at_ms, stores, scopes)| WritBody {
        audience: stores.map_or(Audience::Stores(vec![StoreId([9; 32])]), |count| {
            Audience::Stores((0..count).map(|byte| StoreId([byte; 32])).collect())
        }),
        budget,
        delegation: Delegation { depth, may_subdivide: true },
        effect_ceiling,
        format: WRIT_FORMAT,
        issuer: named(ISSUER),
        nonce: Nonce([1; 16]),
        parent: None,
        scopes: scopes.into_iter().map(|at| scope(SCOPES[at])).collect(),
        subject: named(AGENT),
        tenant: "acme".into(),
        window: Window { not_before_ms, expires_at_ms },
    })
}

/// How a child is narrowed: shares of 0 to 100 of what its parent has.
type Shares = ([u64; 4], u64, u64, u64, u64, Vec<bool>);

fn shares() -> impl Strategy<Value = Shares> {
    let share = || 0u64..=100;
    ([share(), share(), share(), share()], share(), share(), share(), share(), prop::collection::vec(any::<bool>(), 8))
}

fn narrowed(parent: &WritBody, (budget, effect, depth, begin, end, coins): &Shares) -> WritBody {
    let of = |whole: u64, share: u64| whole * share / 100;
    let effects = [Effect::Read, Effect::Write, Effect::External];
    let ceiling = effects.iter().position(|effect| *effect == parent.effect_ceiling).unwrap();
    let span = parent.window.expires_at_ms - parent.window.not_before_ms;
    let depth = of(u64::from(parent.delegation.depth - 1), *depth) as u32;
    let Audience::Stores(stores) = &parent.audience else { panic!("any store") };
    let narrow = |scope: &Scope, coin: bool| {
        let at = SCOPES.iter().position(|text| *text == scope.tool.as_str()).unwrap();
        common::scope(if coin { NARROWER[at] } else { SCOPES[at] })
    };
    let scopes = parent.scopes.iter().zip(coins).map(|(scope, coin)| narrow(scope, *coin));
    WritBody {
        audience: Audience::Stores(
            stores.iter().zip(coins).filter(|(_, coin)| **coin).map(|(store, _)| *store).collect(),
        ),
        budget: Amounts {
            tokens: of(parent.budget.tokens, budget[0]),
            tool_calls: of(parent.budget.tool_calls, budget[1]),
            usd_millicents: of(parent.budget.usd_millicents, budget[2]),
            wall_clock_ms: of(parent.budget.wall_clock_ms, budget[3]),
        },
        delegation: Delegation { depth, may_subdivide: depth > 0 },
        effect_ceiling: effects[of(ceiling as u64, *effect) as usize],
        issuer: parent.subject.clone(),
        nonce: Nonce([2; 16]),
        parent: Some(parent.id().unwrap()),
        scopes: scopes.take(coins.iter().filter(|coin| **coin).count()).collect(),
        subject: named(CHILD),
        window: Window {
            not_before_ms: parent.window.not_before_ms + of(span / 2, *begin),
            expires_at_ms: parent.window.expires_at_ms - of(span / 2, *end),
        },
        ..parent.clone()
    }
}

/// Every way in which a child can be wider in one dimension alone.
fn widened(parent: &WritBody, child: &WritBody, by: u64) -> Vec<WritBody> {
    let mut wider = Vec::new();
    for dimension in Dimension::ALL {
        let mut budget = child.budget;
        let (amount, limit) = match dimension {
            Dimension::Tokens => (&mut budget.tokens, parent.budget.tokens),
            Dimension::ToolCalls => (&mut budget.tool_calls, parent.budget.tool_calls),
            Dimension::UsdMillicents => (&mut budget.usd_millicents, parent.budget.usd_millicents),
            Dimension::WallClockMs => (&mut budget.wall_clock_ms, parent.budget.wall_clock_ms),
        };
        *amount = limit + by;
        wider.push(WritBody { budget, ..child.clone() });
    }
    let (window, depth) = (child.window, parent.delegation.depth + by as u32 - 1);
    let mut stores = match &child.audience {
        Audience::Stores(stores) => stores.clone(),
        Audience::Any => vec![],
    };
    stores.push(StoreId([77; 32]));
    let begins = Window { not_before_ms: parent.window.not_before_ms - by.min(parent.window.not_before_ms), ..window };
    wider.extend([
        WritBody { effect_ceiling: Effect::Irreversible, ..child.clone() },
        WritBody { delegation: Delegation { depth, may_subdivide: true }, ..child.clone() },
        WritBody { tenant: format!("acme{by}"), ..child.clone() },
        WritBody { audience: Audience::Any, ..child.clone() },
        WritBody { audience: Audience::Stores(stores), ..child.clone() },
        WritBody { window: begins, ..child.clone() },
        WritBody { window: Window { expires_at_ms: parent.window.expires_at_ms + by, ..window }, ..child.clone() },
    ]);
    for extra in ["*", "f*", "net.?x", "kv:ge?", "mcp/*"] {
        wider.push(WritBody { scopes: child.scopes.iter().cloned().chain([scope(extra)]).collect(), ..child.clone() });
    }
    wider
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_child_is_within_its_parent_or_refused(parent in parents(), shares in shares(), by in 1u64..9) {
        let child = narrowed(&parent, &shares);
        prop_assert_eq!(child.is_within(&parent), Ok(()));
        for wider in widened(&parent, &child, by) {
            prop_assert!(wider.is_within(&parent).is_err(), "{:?}", wider);
        }
        for closed in [Delegation { may_subdivide: false, ..parent.delegation }, Delegation { depth: 0, may_subdivide: true }] {
            let closed = WritBody { delegation: closed, ..parent.clone() };
            prop_assert!(child.is_within(&closed).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_signed_chain_is_refused_for_the_same_reasons(parent in parents(), shares in shares(), by in 1u64..9) {
        let sign = |writ: WritBody, seed| {
            let signature = key(seed).sign(Purpose::Writ, writ.id().unwrap().as_bytes());
            SignedWrit { signature, writ }
        };
        let child = narrowed(&parent, &shares);
        let above = sign(parent.clone(), ISSUER);
        let verify = |child| UnverifiedChain { chain: vec![above.clone(), sign(child, AGENT)] }.verify();
        let wider = widened(&parent, &child, by);
        prop_assert!(verify(child).is_ok());
        prop_assert!(wider.into_iter().all(|wider| verify(wider).is_err()));
    }
}

use std::collections::BTreeMap;

use openthymos::proposal::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{deny, judge, set};

/// Whether a rule with that condition fired, was unknown, or neither, on a call.
fn outcome(when: Value, tool: &str, args: Value) -> &'static str {
    let evaluation = judge(&deny(when), tool, args);
    let denied = matches!(evaluation.verdict, Verdict::Deny { .. });
    let outcome = match (evaluation.trace.fired.as_slice(), evaluation.trace.unknown.as_slice()) {
        ([0], []) => "fired",
        ([], [0]) => "unknown",
        ([], []) => "silent",
        other => panic!("{other:?}"),
    };
    assert_eq!(denied, outcome != "silent");
    outcome
}

fn leaf(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({"field": field, "op": op, "value": value.into()})
}

#[test]
fn every_documented_field_is_read() {
    let id = crate::fixture::chain().id().to_string();
    for (field, value) in [
        ("intent.target", json!("pay")),
        ("intent.kind", json!("act")),
        ("intent.author", json!("planner")),
        ("intent.args.amount", json!(7)),
        ("args.amount", json!(7)),
        ("args.to.iban", json!("DE1")),
        ("args[\"amount\"]", json!(7)),
        ("args", json!({"amount": 7, "to": {"iban": "DE1"}})),
        ("writ.tenant_id", json!("acme")),
        ("writ.subject", json!("agent-7")),
        ("writ.issuer", json!("ops")),
        ("writ.effect_ceiling", json!("irreversible")),
        ("writ.id", json!(id)),
        ("tool.effect", json!("irreversible")),
        ("tool.risk", json!("high")),
        ("tool.touches", json!("host")),
        ("tool.version", json!("2")),
        ("world.kv.limits.version", json!(1)),
        ("world.kv.limits.value.daily", json!(500)),
        ("world.kv.limits.value.by.1", json!("bob")),
        ("world.kv[\"a.b/c\"]", json!("frozen")),
        ("world.kv[\"a.b/c\"].value", json!("frozen")),
    ] {
        let args = json!({"amount": 7, "to": {"iban": "DE1"}});
        assert_eq!(outcome(leaf(field, "eq", value), "pay", args), "fired", "{field}");
    }
    for (field, seed) in [("writ.issuer_key", 1), ("writ.subject_key", 2)] {
        let key = openthymos::crypto::SecretKey::from_seed(&[seed; 32]).public_key().to_string();
        assert_eq!(outcome(leaf(field, "eq", key), "fs_read", json!({})), "fired", "{field}");
    }
}

#[test]
fn what_is_absent_or_of_another_type_fires_a_denial_as_unknown() {
    for (when, args) in [
        (leaf("args.amount", "gt", 5), json!({})),
        (leaf("args.amount", "gt", 5), json!({"amount": "9"})),
        (leaf("world.kv.nobody", "eq", 1), json!({})),
        (leaf("world.kv.erased.value", "eq", 1), json!({})),
        (leaf("world.kv.limits.value.monthly", "eq", 1), json!({})),
    ] {
        assert_eq!(outcome(when.clone(), "pay", args), "unknown", "{when}");
    }
    let asks = json!({"kind": "require_approval", "channel": "cfo", "reason": "big"});
    let when = leaf("args.amount", "gt", 5);
    let asked = judge(&set(json!([{"name": "r", "when": when, "decision": asks}])), "pay", json!({}));
    assert_eq!(asked.verdict, Verdict::RequireApproval { channel: "cfo".into(), reason: "big".into() });
    let permit = judge(&set(json!([{"name": "r", "when": when, "decision": {"kind": "permit"}}])), "pay", json!({}));
    assert_eq!((permit.verdict, permit.trace.unknown), (Verdict::Permit, vec![0]));
}

#[test]
fn a_rule_judges_the_tools_that_have_its_arguments() {
    let above = leaf("args.amount", "gt", 5);
    assert_eq!(outcome(above.clone(), "fs_read", json!({"path": "/x"})), "silent");
    assert_eq!(outcome(json!({"not": above}), "fs_read", json!({"path": "/x"})), "silent");
    assert_eq!(outcome(json!({"all": [above, leaf("args.path", "eq", "/x")]}), "pay", json!({"amount": 9})), "silent");
    // Declared behind a reference and an alternative.
    assert_eq!(outcome(leaf("args.file", "eq", "a"), "split", json!({"dir": "a"})), "unknown");
    assert_eq!(outcome(leaf("args.dir", "eq", "a"), "split", json!({"dir": "a"})), "fired");
}

#[test]
fn an_argument_that_no_schema_names_is_judged_where_a_call_passes_it() {
    assert_eq!(outcome(leaf("args.mode", "eq", "raw"), "fs_read", json!({"path": "/x", "mode": "raw"})), "fired");
    assert_eq!(outcome(leaf("args.mode", "eq", "raw"), "fs_read", json!({"path": "/x"})), "silent");
}

#[test]
fn alternatives_for_other_tools_neither_hide_nor_trigger_a_rule() {
    let when = json!({"any": [leaf("args.amount", "gt", 100), leaf("args.path", "starts_with", "/etc")]});
    assert_eq!(outcome(when.clone(), "pay", json!({"amount": 101})), "fired");
    assert_eq!(outcome(when.clone(), "pay", json!({"amount": 100})), "silent");
    assert_eq!(outcome(when.clone(), "fs_read", json!({"path": "/etc/shadow"})), "fired");
    assert_eq!(outcome(when.clone(), "fs_read", json!({"path": "/srv"})), "silent");
    assert_eq!(outcome(when.clone(), "refund", json!({"invoice": "7"})), "silent");
    assert_eq!(outcome(json!({"not": when}), "fs_read", json!({"path": "/srv"})), "fired");
}

#[test]
fn the_trace_names_rules_across_bundles() {
    let first = crate::fixture::bundle(json!([
        {"name": "quiet", "when": leaf("intent.target", "eq", "refund"), "decision": {"kind": "deny", "reason": "a"}},
        {"name": "ask", "when": {"all": []}, "decision": {"kind": "require_approval", "channel": "c", "reason": "b"}},
    ]));
    let second = crate::fixture::bundle(json!([
        {"name": "stop", "when": leaf("world.kv.nobody", "eq", 1), "decision": {"kind": "deny", "reason": "c"}},
        {"name": "late", "when": {"all": []}, "decision": {"kind": "deny", "reason": "d"}},
    ]));
    let set = openthymos::policy::PolicySet::builder()
        .unsigned_bundle(openthymos::policy::UnsignedBundle::accept_unsigned(first))
        .unsigned_bundle(openthymos::policy::UnsignedBundle::accept_unsigned(second))
        .build()
        .unwrap();
    let evaluation = judge(&set, "pay", json!({"amount": 1}));
    assert_eq!((evaluation.trace.fired, evaluation.trace.unknown), (vec![1, 3], vec![2]));
    assert_eq!(evaluation.verdict, Verdict::Deny { reason: "c".into() });
    assert_eq!(set.rule(2).map(|(_, rule)| rule.name.as_str()), Some("stop"));
    assert!(set.rule(4).is_none());
}

/// Conditions over three booleans that may be absent, beside what they mean.
#[derive(Debug, Clone)]
enum Model {
    Is(usize, bool),
    All(Vec<Model>),
    Any(Vec<Model>),
    Not(Box<Model>),
}

impl Model {
    fn json(&self) -> Value {
        let members = |members: &[Self]| members.iter().map(Self::json).collect::<Vec<_>>();
        match self {
            Self::Is(index, value) => leaf(&format!("args.{}", ["x", "y", "z"][*index]), "eq", *value),
            Self::All(all) => json!({"all": members(all)}),
            Self::Any(any) => json!({"any": members(any)}),
            Self::Not(not) => json!({"not": not.json()}),
        }
    }

    /// Kleene's logic as numbers: 0 is false, 1 unknown, 2 true.
    fn truth(&self, args: &[Option<bool>; 3]) -> u8 {
        match self {
            Self::Is(index, value) => args[*index].map_or(1, |found| if found == *value { 2 } else { 0 }),
            Self::All(all) => all.iter().map(|member| member.truth(args)).min().unwrap_or(2),
            Self::Any(any) => any.iter().map(|member| member.truth(args)).max().unwrap_or(0),
            Self::Not(not) => 2 - not.truth(args),
        }
    }
}

fn model() -> impl Strategy<Value = Model> {
    let leaf = (0usize..3, any::<bool>()).prop_map(|(index, value)| Model::Is(index, value));
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Model::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Model::Any),
            inner.prop_map(|inner| Model::Not(Box::new(inner))),
        ]
    })
}

fn decision(severity: u8, reason: usize) -> Value {
    let reason = reason.to_string();
    match severity {
        0 => json!({"kind": "permit"}),
        1 => json!({"kind": "require_approval", "channel": "c", "reason": reason}),
        _ => json!({"kind": "deny", "reason": reason}),
    }
}

proptest! {
    #[test]
    fn conditions_follow_three_valued_logic(model in model(), x: Option<bool>, y: Option<bool>, z: Option<bool>) {
        // The schema names all three, so every call has them, absent or not.
        let schema = json!({"type": "object", "properties": {"x": {}, "y": {}, "z": {}}});
        let tool = crate::fixture::contract(
            "t", openthymos::contract::Effect::Read, openthymos::contract::Risk::Low, schema,
        );
        let given: BTreeMap<&str, bool> =
            [("x", x), ("y", y), ("z", z)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let intent = openthymos::intent::Intent::act("t", json!(given))
            .seal(&openthymos::host::SeededEntropy::new(1)).unwrap();
        let (chain, world) = (crate::fixture::chain(), openthymos::world::World::default());
        let input = openthymos::policy::PolicyInput { intent: &intent, chain: &chain, child: None, contract: &tool, world: &world };
        let trace = deny(model.json()).evaluate(&input).trace;
        let found = match (trace.fired.is_empty(), trace.unknown.is_empty()) {
            (false, true) => 2,
            (true, false) => 1,
            _ => 0,
        };
        prop_assert_eq!(found, model.truth(&[x, y, z]), "{}", model.json());
    }

    #[test]
    fn the_strongest_verdict_wins_in_any_order(severities in prop::collection::vec((0u8..3, any::<bool>()), 0..12)) {
        let rules: Vec<_> = severities.iter().enumerate().map(|(index, (severity, fires))| {
            let when = if *fires { json!({"all": []}) } else { json!({"any": []}) };
            json!({"name": index.to_string(), "when": when, "decision": decision(*severity, index)})
        }).collect();
        let fired = severities.iter().enumerate().filter(|(_, (_, fires))| *fires);
        let (index, (strongest, _)) =
            fired.rev().max_by_key(|(_, (severity, _))| *severity).unwrap_or((0, &(0, true)));
        let expected: Verdict = serde_json::from_value(decision(*strongest, index)).unwrap();
        prop_assert_eq!(judge(&set(json!(rules)), "refund", json!({})).verdict, expected);
    }
}

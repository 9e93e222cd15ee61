use openthymos::{
    contract::{ContractSet, Effect, Risk},
    host::SeededEntropy,
    intent::Intent,
    policy::PolicyInput,
    world::World,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{chain, contract, deny, set, tools};

fn leaf(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({"field": field, "op": op, "value": value.into()})
}

/// The text of the fault of a rule with that condition.
fn fault(when: Value) -> String {
    match deny(when.clone()).check(&tools()) {
        Ok(()) => panic!("{when} was accepted"),
        Err(faults) => {
            assert_eq!(faults.len(), 1);
            faults[0].to_string()
        }
    }
}

#[test]
fn faults_say_where_and_why() {
    let house = "bundle `house`, rule `r` at `/rules/0/when";
    let target = leaf("intent.target", "eq", "pay");
    for (when, expected) in [
        (
            leaf("arg.amount", "gt", 1),
            "/field`: unknown field `arg.amount`: a field starts with `args`, `child`, `intent`, `writ`, `tool` or `world`",
        ),
        (
            json!({"not": {"any": [leaf("tool.name", "eq", "x")]}}),
            "/not/any/0/field`: unknown field `tool.name`: expected one of `tool.effect`, `tool.risk`, `tool.touches`, \
             `tool.version`",
        ),
        (
            leaf("world.kv.a.b", "eq", 1),
            "/field`: `world.kv.a.b`: after a resource comes `.version`, `.value` with a path, or nothing; an id with \
             other characters goes in brackets, such as `world.kv[\"a.b\"]`",
        ),
        (leaf("intent.target", "eq", "pya"), "/value`: `intent.target` eq \"pya\" fits no registered tool"),
        (
            json!({"all": [target, leaf("args.amonut", "gt", 1)]}),
            "/all/1/field`: tool `pay` has no argument `amonut`, but `amount`, `currency`, `memo`, `to`, `urgent`",
        ),
        (
            leaf("args.amount", "gt", "abc"),
            "/value`: `args.amount` gt \"abc\" is never true, as `args.amount` is a number",
        ),
        (
            leaf("args.currency", "eq", "EURO"),
            "/value`: `args.currency` eq \"EURO\" is never true, as `args.currency` is one of [\"EUR\",\"USD\"]",
        ),
        (leaf("args.amount", "in", json!([])), "/value`: `args.amount` in [] is never true"),
        (json!({"any": []}), "`: `any` without members is never true"),
        (
            json!({"all": [leaf("args.amount", "gt", 5), leaf("intent.args.amount", "lt", 3)]}),
            "`: its comparisons of `args.amount` can never hold together",
        ),
    ] {
        assert_eq!(fault(when), format!("{house}{expected}"));
    }
}

#[test]
fn conditions_that_no_call_meets_are_refused() {
    let both = |one: Value, other: Value| json!({"all": [one, {"all": [other]}]});
    for when in [
        both(leaf("intent.target", "eq", "pay"), leaf("intent.target", "eq", "refund")),
        both(leaf("intent.target", "starts_with", "fs_"), leaf("intent.target", "contains", "pay")),
        leaf("intent.target", "in", json!(["a", "b"])),
        leaf("intent.target", "starts_with", "mcp:"),
        leaf("intent.target", "eq", 7),
        leaf("intent.kind", "eq", "delete"),
        leaf("tool.risk", "eq", "severe"),
        both(leaf("intent.target", "eq", "pay"), leaf("args.path", "eq", "/x")),
        both(leaf("args.amount", "gt", 1), leaf("args.path", "eq", "/x")),
        json!({"not": {"any": [leaf("args.nothing", "gt", 1)]}}),
        json!({"not": {"all": []}}),
        json!({"not": {"any": [{"all": []}, leaf("args.amount", "gt", 1)]}}),
        both(leaf("args.amount", "gt", 5), leaf("args.amount", "lte", 5)),
        both(leaf("args.amount", "gte", 5), json!({"not": leaf("args.amount", "gt", 4)})),
        both(leaf("args.amount", "in", json!([1, 2])), leaf("args.amount", "gt", 2)),
        both(leaf("args.path", "starts_with", "/a"), leaf("args.path", "starts_with", "/b")),
        both(leaf("args.urgent", "ne", true), leaf("args.urgent", "ne", false)),
        both(leaf("world.kv.a", "eq", 1), leaf("world.kv.a.value", "eq", "1")),
        leaf("world.kv.a.version", "eq", "1"),
        leaf("args.to.iban", "eq", 3),
        leaf("args.memo", "contains", 3),
        // A text is not unequal to null: it is of another type.
        leaf("args.memo", "ne", Value::Null),
        leaf("args.amount", "in", 3),
        leaf("args", "eq", "x"),
        leaf("world.KV.a", "eq", 1),
        leaf("world.kv", "eq", 1),
        leaf("writ.tenant", "eq", "acme"),
        json!({"any": [leaf("intent.target", "eq", "x"), leaf("intent.target", "eq", "y")]}),
    ] {
        fault(when);
    }
}

#[test]
fn conditions_that_some_call_meets_are_accepted() {
    for when in [
        json!({"all": []}),
        leaf("intent.target", "in", json!(["pay", "gone"])),
        leaf("intent.target", "ne", "gone"),
        json!({"not": leaf("intent.target", "eq", "gone")}),
        // Guards against what is not there yet.
        json!({"not": leaf("intent.target", "in", json!(["pay", "fs_read", "refund", "split"]))}),
        json!({"all": [leaf("intent.target", "starts_with", "fs_"), leaf("intent.target", "ne", "fs_read")]}),
        leaf("tool.risk", "eq", "critical"),
        json!({"not": leaf("args.currency", "in", json!(["EUR", "USD"]))}),
        json!({"any": [leaf("args.amount", "gt", 1), leaf("args.nothing", "eq", 1)]}),
        json!({"any": [leaf("intent.target", "eq", "gone"), leaf("intent.target", "eq", "pay")]}),
        json!({"all": [leaf("args.amount", "gte", 5), leaf("args.amount", "lte", 5)]}),
        json!({"all": [leaf("args.amount", "gt", 5.5), leaf("intent.target", "contains", "a")]}),
        json!({"all": [leaf("args.memo", "ne", "x"), leaf("intent.kind", "eq", "act")]}),
        leaf("args.memo", "starts_with", "x"),
        leaf("args.to.bic", "eq", 3),
        leaf("args.file", "eq", "x"),
        leaf("args.dir", "eq", 3),
        leaf("world.kv.any", "gt", "x"),
        json!({"all": [leaf("args.path", "starts_with", "/a"), leaf("args.path", "starts_with", "/a/b")]}),
    ] {
        assert_eq!(deny(when.clone()).check(&tools()), Ok(()), "{when}");
    }
    // Nothing is registered yet, so nothing speaks against a tool or an argument.
    assert_eq!(deny(leaf("args.amonut", "gt", 1)).check(&ContractSet::default()), Ok(()));
}

#[test]
fn properties_say_nothing_of_arrays() {
    let schema = json!({"type": "object", "properties": {"at": {"properties": {"0": {"type": "string"}}}}});
    let mut tools = ContractSet::default();
    tools.insert(contract("t", Effect::Read, Risk::Low, schema)).unwrap();
    assert_eq!(deny(leaf("args.at.0", "eq", 1)).check(&tools), Ok(()));
}

#[test]
fn rules_need_a_name_of_their_own() {
    let rule = |name: &str| json!({"name": name, "when": {"all": []}, "decision": {"kind": "permit"}});
    let faults = set(json!([rule("a"), rule(""), rule("a")])).check(&tools()).unwrap_err();
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "bundle `house`, rule `` at `/rules/1/name`: the rule has no name",
            "bundle `house`, rule `a` at `/rules/2/name`: another rule of the bundle has this name",
        ]
    );
}

fn condition() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        (-1i64..3).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = prop_oneof![3 => value.clone(), 1 => prop::collection::vec(value, 0..3).prop_map(Value::from)];
    let fields = [
        "args.n",
        "intent.args.n",
        "args.s",
        "args.b",
        "args.l",
        "args.o.k",
        "args.e",
        "args.free",
        "intent.target",
        "intent.kind",
        "tool.risk",
        "tool.effect",
        "world.kv.a",
    ];
    let ops = ["eq", "ne", "gt", "lt", "gte", "lte", "contains", "starts_with", "in"];
    let leaf = (prop::sample::select(fields.to_vec()), prop::sample::select(ops.to_vec()), value)
        .prop_map(|(field, op, value)| leaf(field, op, value))
        .boxed();
    let named = prop::sample::select(&[("intent.target", "t"), ("tool.risk", "low"), ("intent.kind", "act")][..]);
    let named = named.prop_map(|(field, word)| self::leaf(field, "eq", word));
    prop_oneof![6 => leaf, 1 => named].prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| json!({"all": all})),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|any| json!({"any": any})),
            inner.prop_map(|not| json!({"not": not})),
        ]
    })
}

fn arguments() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        (-1i64..3).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ];
    let list = prop::collection::vec(scalar.clone(), 0..3);
    (
        -1i64..3,
        "[ab]{0,2}",
        any::<bool>(),
        list,
        scalar.clone(),
        prop::sample::select(vec![json!("a"), json!(1)]),
        scalar,
    )
        .prop_map(
            |(n, s, b, l, k, e, free)| json!({"n": n, "s": s, "b": b, "l": l, "o": {"k": k}, "e": e, "free": free}),
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_rule_that_fires_is_never_refused(when in condition(), args in arguments()) {
        let schema = json!({"type": "object", "properties": {
            "n": {"type": "integer"}, "s": {"type": "string"}, "b": {"type": "boolean"}, "l": {"type": "array"},
            "o": {"$ref": "#/$defs/o"}, "e": {"enum": ["a", 1]}, "free": true,
        }, "$defs": {"o": {"type": "object", "properties": {"k": {}}}}});
        let tool = contract("t", Effect::Read, Risk::Low, schema);
        tool.check_arguments(&args).unwrap();
        let mut tools = ContractSet::default();
        tools.insert(tool.clone()).unwrap();
        let set = deny(when);
        let intent = Intent::act("t", args).seal(&SeededEntropy::new(1)).unwrap();
        let (chain, world) = (chain(), World::default());
        let input = PolicyInput { intent: &intent, chain: &chain, child: None, contract: &tool, world: &world };
        if !set.evaluate(&input).trace.fired.is_empty() {
            prop_assert_eq!(set.check(&tools), Ok(()));
        }
    }
}

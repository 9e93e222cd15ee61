use std::sync::OnceLock;

use futures::executor::block_on;
use openthymos::{
    canon::Commitment,
    contract::{Contract, ContractSet, Effect, Risk, SealedContract, ToolName, Touches},
    crypto::{NamedKey, SecretKey},
    host::SeededEntropy,
    intent::Intent,
    policy::{Bundle, Evaluation, PolicyInput, PolicySet, UnsignedBundle},
    world::{FoldOp, ResourceId, World},
    writ::{WritBuilder, WritChain},
};
use serde_json::{Value, json};

pub fn contract(name: &str, effect: Effect, risk: Risk, schema: Value) -> SealedContract {
    let contract = Contract {
        compensable: false,
        description: String::new(),
        effect,
        name: ToolName::new(name).unwrap(),
        risk,
        schema,
        touches: if effect == Effect::Read { Touches::World } else { Touches::Host },
        version: "2".into(),
    };
    SealedContract::new(contract).unwrap()
}

pub fn tools() -> ContractSet {
    let pay = json!({"type": "object", "additionalProperties": false, "required": ["amount"], "properties": {
        "amount": {"type": "integer"},
        "currency": {"enum": ["EUR", "USD"]},
        "memo": {"type": ["string", "null"]},
        "to": {"$ref": "#/$defs/account"},
        "urgent": {"type": "boolean"},
    }, "$defs": {"account": {"type": "object", "properties": {"iban": {"type": "string"}}}}});
    let read = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let refund = json!({"type": "object", "properties": {"invoice": {"type": "string"}}});
    // Its arguments stand behind a reference and an alternative.
    let split = json!({"type": "object", "oneOf": [{"$ref": "#/$defs/file"}, {"properties": {"dir": true}}],
        "$defs": {"file": {"properties": {"file": {"type": "string"}}}}});
    let mut tools = ContractSet::default();
    tools.insert(contract("pay", Effect::Irreversible, Risk::High, pay)).unwrap();
    tools.insert(contract("fs_read", Effect::Read, Risk::Low, read)).unwrap();
    tools.insert(contract("refund", Effect::External, Risk::Medium, refund)).unwrap();
    tools.insert(contract("split", Effect::Write, Risk::Low, split)).unwrap();
    tools
}

pub fn chain() -> WritChain {
    // Signed once: signing takes longer than a case of a property test.
    static CHAIN: OnceLock<WritChain> = OnceLock::new();
    CHAIN.get_or_init(sign_chain).clone()
}

fn sign_chain() -> WritChain {
    let (issuer, subject) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let writ =
        WritBuilder::root(NamedKey::new("ops", issuer.public_key()), NamedKey::new("agent-7", subject.public_key()));
    let writ = writ.tenant("acme").effects_up_to(Effect::Irreversible);
    block_on(writ.sign_with(&issuer, &SeededEntropy::new(1))).unwrap()
}

pub fn world() -> World {
    let mut world = World::default();
    let op = |id: &str, value: Option<Value>| FoldOp {
        resource: ResourceId::new("kv", id).unwrap(),
        expected: 0,
        becomes: Some((Commitment([7; 32]), value.map(Into::into))),
    };
    let limits = json!({"daily": 500, "by": ["ann", "bob"]});
    world.fold(1, vec![op("limits", Some(limits)), op("a.b/c", Some(json!("frozen"))), op("erased", None)]).unwrap();
    world
}

/// What the set says of a call of `tool`.
pub fn judge(set: &PolicySet, tool: &str, args: Value) -> Evaluation {
    let tools = tools();
    let intent = Intent::act(tool, args).by("planner").seal(&SeededEntropy::new(3)).unwrap();
    let (chain, world) = (chain(), world());
    set.evaluate(&PolicyInput {
        intent: &intent,
        chain: &chain,
        child: None,
        contract: tools.get(tool).unwrap(),
        world: &world,
    })
}

pub fn bundle(rules: Value) -> Bundle {
    let json = json!({"name": "house", "version": "1", "rules": rules});
    Bundle::from_json(json.to_string().as_bytes()).unwrap()
}

pub fn set(rules: Value) -> PolicySet {
    PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle(rules))).build().unwrap()
}

/// A set of one rule that denies.
pub fn deny(when: Value) -> PolicySet {
    set(json!([{"name": "r", "when": when, "decision": {"kind": "deny", "reason": "no"}}]))
}

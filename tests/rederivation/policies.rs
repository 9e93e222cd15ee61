//! Policies of the tests: rules in a bundle, and one that is written in Rust.

use std::sync::Arc;

use futures::executor::block_on;
use openthymos::{
    policy::{
        Bundle, PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput, PolicySet, PolicySetBuilder, SignedBundle,
        UnsignedBundle,
    },
    proposal::Verdict,
};
use serde_json::{Value, json};

use crate::common::key;

/// Whose bundles are trusted.
pub const POLICY_ISSUER: u8 = 6;

/// A policy in Rust that says another thing for each amount from 11 to 14, and permits the rest.
pub struct Guard;

impl PolicyEngine for Guard {
    fn descriptor(&self) -> PolicyDescriptor {
        PolicyDescriptor { config: "11 to 14".into(), name: "guard".into(), version: "1".into() }
    }

    fn evaluate(&self, input: &PolicyInput<'_>) -> Result<Verdict, PolicyError> {
        match input.args().get("amount").and_then(Value::as_i64) {
            Some(11) => Ok(Verdict::Deny { reason: "eleven".into() }),
            Some(12) => Ok(Verdict::RequireApproval { channel: "guards".into(), reason: "twelve".into() }),
            Some(13) => Err(PolicyError("thirteen".into())),
            Some(14) => panic!("fourteen"),
            _ => Ok(Verdict::Permit),
        }
    }
}

fn bundle(name: &str, rules: &Value) -> Bundle {
    let bundle = json!({"name": name, "version": "1", "rules": rules});
    Bundle::from_json(bundle.to_string().as_bytes()).unwrap()
}

/// Rules about arguments that nobody vouches for, and one about the world that is signed.
pub fn rules(much: i64) -> PolicySetBuilder {
    let house = json!([
        {"name": "much", "when": {"field": "args.amount", "op": "gte", "value": much},
         "decision": {"kind": "deny", "reason": "too much"}},
        {"name": "some", "when": {"field": "args.amount", "op": "in", "value": [50, 51]},
         "decision": {"kind": "require_approval", "channel": "finance", "reason": "some"}},
        {"name": "small", "when": {"field": "args.amount", "op": "lt", "value": 10}, "decision": {"kind": "permit"}},
    ]);
    let frozen = json!([
        {"name": "frozen", "when": {"all": [
            {"field": "world.kv.frozen", "op": "eq", "value": true}, {"field": "tool.effect", "op": "eq", "value": "external"},
        ]}, "decision": {"kind": "deny", "reason": "frozen"}},
    ]);
    let frozen = block_on(SignedBundle::sign(bundle("signed", &frozen), &key(POLICY_ISSUER))).unwrap();
    bundled(&house).bundle(frozen.verify(|_| true).unwrap())
}

/// A set of these rules, which nobody vouches for.
pub fn bundled(rules: &Value) -> PolicySetBuilder {
    PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle("house", rules)))
}

/// The rules and the policy in Rust.
pub fn guarded() -> PolicySet {
    rules(100).engine(Arc::new(Guard)).build().unwrap()
}

use std::sync::Arc;

use openthymos::{
    policy::{
        PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput, PolicySet, UnsignedBundle,
        stock::{SpendThreshold, TenantIsolation},
    },
    proposal::{AssertedVerdict, Verdict},
};
use serde_json::json;

use crate::fixture::{bundle, judge};

struct Fixed(fn() -> Result<Verdict, PolicyError>);

impl PolicyEngine for Fixed {
    fn descriptor(&self) -> PolicyDescriptor {
        PolicyDescriptor { config: String::new(), name: "fixed".into(), version: "3".into() }
    }

    fn evaluate(&self, _: &PolicyInput<'_>) -> Result<Verdict, PolicyError> {
        (self.0)()
    }
}

fn with(engine: impl PolicyEngine + 'static) -> PolicySet {
    PolicySet::builder().engine(Arc::new(engine)).build().unwrap()
}

#[test]
fn a_policy_that_fails_or_panics_denies() {
    for engine in [Fixed(|| Err(PolicyError("lost".into()))), Fixed(|| panic!("lost"))] {
        let evaluation = judge(&with(engine), "pay", json!({"amount": 1}));
        let reason = "policy `fixed` version `3` could not decide".into();
        assert_eq!((evaluation.verdict, evaluation.failed), (Verdict::Deny { reason }, true));
        assert!(evaluation.trace.asserted.is_empty());
    }
}

#[test]
fn rules_come_first_and_a_failure_that_a_denial_outruns_is_not_the_reason() {
    let rule = json!([{"name": "r", "when": {"all": []}, "decision": {"kind": "deny", "reason": "rule"}}]);
    let set = PolicySet::builder()
        .engine(Arc::new(Fixed(|| Err(PolicyError("lost".into())))))
        .engine(Arc::new(Fixed(|| Ok(Verdict::Permit))))
        .unsigned_bundle(UnsignedBundle::accept_unsigned(bundle(rule)))
        .build()
        .unwrap();
    let evaluation = judge(&set, "pay", json!({"amount": 1}));
    assert_eq!((evaluation.verdict, evaluation.failed), (Verdict::Deny { reason: "rule".into() }, false));
    assert_eq!(evaluation.trace.asserted, [AssertedVerdict { policy: 1, verdict: Verdict::Permit }]);
}

#[test]
fn tenants_that_are_not_named_are_denied() {
    assert_eq!(judge(&with(TenantIsolation::new(["acme", "b"])), "refund", json!({})).verdict, Verdict::Permit);
    let denied = judge(&with(TenantIsolation::new(["b"])), "refund", json!({}));
    assert_eq!(denied.verdict, Verdict::Deny { reason: "tenant `acme` is not served here".into() });
    assert!(!denied.failed);
}

#[test]
fn spending_above_the_limit_or_of_unknown_size_is_approved_first() {
    let set = with(SpendThreshold::new("amount", 100, "cfo"));
    let asks = |tool, args| matches!(judge(&set, tool, args).verdict, Verdict::RequireApproval { channel, .. } if channel == "cfo");
    assert!(!asks("pay", json!({"amount": 100})));
    assert!(asks("pay", json!({"amount": 101})));
    assert!(asks("pay", json!({})) && asks("pay", json!({"amount": "1"})) && asks("pay", json!({"amount": 1.5})));
    assert!(!asks("fs_read", json!({"path": "/x"})));
    assert!(asks("fs_read", json!({"path": "/x", "amount": 101})));
}

#[test]
fn configuration_shows_in_the_hash() {
    let one = with(SpendThreshold::new("amount", 100, "cfo"));
    let other = with(SpendThreshold::new("amount", 101, "cfo"));
    assert_ne!(one.hash(), other.hash());
    assert_ne!(with(TenantIsolation::new(["a", "b"])).hash(), with(TenantIsolation::new(["a"])).hash());
    assert_eq!(with(TenantIsolation::new(["a", "b"])).hash(), with(TenantIsolation::new(["b", "a"])).hash());
}

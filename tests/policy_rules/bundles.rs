use std::sync::Arc;

use futures::executor::block_on;
use openthymos::{
    crypto::SecretKey,
    policy::{
        Bundle, BundleError, DefinitionError, Gates, PolicySet, PolicySetDefinition, SignedBundle, UnsignedBundle,
        stock::TenantIsolation,
    },
};
use serde_json::{Value, json};

use crate::fixture::{bundle, judge, set};

fn rules() -> Value {
    json!([{"name": "stop", "when": {"all": []}, "decision": {"kind": "deny", "reason": "frozen"}}])
}

fn signed() -> SignedBundle {
    block_on(SignedBundle::sign(bundle(rules()), &SecretKey::from_seed(&[9; 32]))).unwrap()
}

#[test]
fn a_signed_bundle_loads_under_a_trusted_key_only() {
    let text = serde_json::to_vec(&signed()).unwrap();
    let read = || SignedBundle::from_json(&text).unwrap();
    assert!(matches!(read().verify(|_| false), Err(BundleError::Untrusted { .. })));
    let issuer = SecretKey::from_seed(&[9; 32]).public_key();
    let verified = read().verify(|key| *key == issuer).unwrap();
    assert_eq!(verified.issuer(), issuer);
    let set = PolicySet::builder().bundle(verified).build().unwrap();
    assert_eq!(judge(&set, "refund", json!({})).trace.fired, [0]);
}

#[test]
fn a_change_anywhere_in_a_bundle_breaks_its_signature() {
    let mut changed = [signed(), signed(), signed(), signed()];
    changed[0].policy.name.push('x');
    changed[1].policy.version.push('x');
    changed[2].policy.rules.clear();
    changed[3].issuer_pubkey = SecretKey::from_seed(&[8; 32]).public_key();
    for bundle in changed {
        assert!(matches!(bundle.verify(|_| true), Err(BundleError::Signature { .. })));
    }
}

#[test]
fn faults_in_a_bundle_are_told_with_the_rule() {
    let read = |json: &str| Bundle::from_json(json.as_bytes()).unwrap_err().to_string();
    let rule = |when: &str| {
        let decision = r#"{"kind":"permit"}"#;
        format!(r#"{{"name":"b","version":"1","rules":[{{"name":"big","when":{when},"decision":{decision}}}]}}"#)
    };
    for (text, expected) in [
        (
            rule(r#"{"field":"args.x","op":"matches","value":1}"#),
            "policy bundle, rule `big`: unknown operator `matches`: expected one of eq, ne, gt, lt, gte, lte, \
             contains, starts_with, in",
        ),
        (
            rule(r#"{"field":"args..x","op":"eq","value":1}"#),
            "policy bundle, rule `big`: field `args..x`: expected a name at byte 5",
        ),
        (
            rule(r#"{"any":[],"all":[]}"#),
            "policy bundle, rule `big`: a condition is one of `all`, `any`, `not`, or `field` with `op` and `value`; \
             found `all`, `any`",
        ),
        (r#"{"name":"b","name":"c"}"#.into(), "policy bundle: byte 12: key `name` appears twice in one object"),
        (r#"{"name":"b","version":"1"}"#.into(), "policy bundle: missing member `rules`"),
    ] {
        assert_eq!(read(&text), expected);
    }
    let unnamed = r#"{"name":"b","version":"1","rules":[{"when":{"all":[]},"decision":{"kind":"permit"}}]}"#;
    assert!(read(unnamed).starts_with("policy bundle, rule `#0`: missing member `name`"));
    for extra in
        [r#""rules":[],"x":1"#, r#""rules":[{"name":"r","when":{"all":[]},"decision":{"kind":"permit"},"x":1}]"#]
    {
        assert!(read(&format!(r#"{{"name":"b","version":"1",{extra}}}"#)).contains("`x`"));
    }
    let signed = format!(r#"{{"issuer_pubkey":"00","signature":"00","policy":{}}}"#, rule(r#"{"not":3}"#));
    assert!(
        SignedBundle::from_json(signed.as_bytes()).unwrap_err().to_string().starts_with("policy bundle, rule `big`")
    );
    assert!(matches!(Bundle::from_json(&vec![b' '; 2 << 20]), Err(BundleError::Json(_))));
}

#[test]
fn a_set_is_made_again_from_its_definition() {
    let issuer = SecretKey::from_seed(&[9; 32]).public_key();
    let set = PolicySet::builder()
        .bundle(signed().verify(|key| *key == issuer).unwrap())
        .unsigned_bundle(UnsignedBundle::accept_unsigned(bundle(rules())))
        .engine(Arc::new(TenantIsolation::new(["acme"])))
        .build()
        .unwrap();
    let recorded = serde_json::to_value(set.definition()).unwrap();
    let read = || serde_json::from_value::<PolicySetDefinition>(recorded.clone()).unwrap();
    let again = PolicySet::from_definition(read(), |_| Some(Arc::new(TenantIsolation::new(["acme"])))).unwrap();
    assert_eq!(again.hash(), set.hash());
    assert_eq!(judge(&again, "refund", json!({})), judge(&set, "refund", json!({})));

    assert!(matches!(PolicySet::from_definition(read(), |_| None), Err(DefinitionError::Engine(_))));
    let other = PolicySet::from_definition(read(), |_| Some(Arc::new(TenantIsolation::new(["b"]))));
    assert!(matches!(other, Err(DefinitionError::Engine(_))));
    let mut forged = recorded.clone();
    forged["bundles"][0]["signed"]["policy"]["rules"][0]["decision"] = json!({"kind": "permit"});
    let forged = PolicySet::from_definition(serde_json::from_value(forged).unwrap(), |_| None);
    assert!(matches!(forged, Err(DefinitionError::Bundle(_))));
}

#[test]
fn hashes_cover_rules_and_gates_and_stay_what_they_are() {
    let deny = set(rules());
    let mut permit = rules();
    permit[0]["decision"]["reason"] = json!("thawed");
    assert_ne!(deny.hash(), set(permit).hash());
    let gates = Gates { approve_risk_from: None, ..Gates::default() };
    assert_ne!(PolicySet::builder().gates(gates).build().unwrap().hash(), PolicySet::default().hash());
    // Part of the format: a change of these makes recorded hashes meaningless.
    assert_eq!(
        bundle(rules()).hash().unwrap().to_string(),
        "21455a75bcfe9cf6a3d4cdf57910f06360d5261a24212449efff51efbab591ce"
    );
    assert_eq!(deny.hash().to_string(), "713fa1307e12b423d63c0c6863d61f85407e7c4a6732bf3c14e325d682941004");
    assert_eq!(
        PolicySet::default().hash().to_string(),
        "bbabff4a46653e88041fcff53170292702d8076a444c7715b83ad05015ba717f"
    );
}

#[test]
fn gates_that_are_left_out_stay_shut() {
    assert_eq!(serde_json::from_value::<Gates>(json!({})).unwrap(), Gates::default());
    assert_eq!(serde_json::from_value::<Gates>(json!({"approve_risk_from": null})).unwrap().approve_risk_from, None);
    assert!(serde_json::from_value::<Gates>(json!({"approve_risk": "low"})).is_err());
}

#[test]
fn values_that_cannot_be_sealed_do_not_make_a_set() {
    let mut bundle = bundle(rules());
    bundle.rules[0].when = serde_json::from_value(json!({"field": "args.x", "op": "eq", "value": 1u64 << 60})).unwrap();
    assert!(bundle.hash().is_err());
    assert!(PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().is_err());
}

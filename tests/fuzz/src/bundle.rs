//! A bundle or roster that is read has one hash, however it was written.

use openthymos::{
    canon::to_canonical,
    contract::ContractSet,
    policy::{Bundle, PolicySet, PolicySetDefinition, Roster, SignedBundle, UnsignedBundle},
};
use serde_json::{Value, json};

use super::golden;

pub fn run(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::from_json(bytes) {
        bundle_holds(&bundle);
    }
    if let Ok(signed) = SignedBundle::from_json(bytes) {
        let written = to_canonical(&signed).unwrap();
        assert_eq!(SignedBundle::from_json(&written).expect("what is sealed is read"), signed);
        bundle_holds(&signed.policy);
        if let Ok(verified) = signed.clone().verify(|_| true) {
            let again = SignedBundle::from_json(&written).unwrap().verify(|_| true).expect("what verified verifies");
            assert_eq!(again, verified);
            assert!(signed.verify(|_| false).is_err());
        }
    }
    if let Ok(roster) = serde_json::from_slice::<Roster>(bytes) {
        let hash = roster.hash().expect("a roster can be sealed");
        let again: Roster = serde_json::from_slice(&to_canonical(&roster).unwrap()).unwrap();
        assert_eq!((again.hash().unwrap(), &again), (hash, &roster));
        for quorum in roster.channels.values().filter(|quorum| quorum.can_be_met()) {
            assert!(quorum.required > 0 && quorum.approvers.len() >= quorum.required as usize);
        }
    }
}

fn bundle_holds(bundle: &Bundle) {
    let written = to_canonical(bundle).expect("what is read can be sealed");
    let again = Bundle::from_json(&written).expect("what is sealed is read");
    assert_eq!(again.hash().unwrap(), bundle.hash().unwrap());
    let unsigned = UnsignedBundle::accept_unsigned(bundle.clone());
    let Ok(set) = PolicySet::builder().unsigned_bundle(unsigned).build() else { return };
    drop(set.check(&ContractSet::default()));
    let definition: PolicySetDefinition =
        serde_json::from_slice(&to_canonical(set.definition()).unwrap()).expect("a definition is read back");
    assert_eq!(PolicySet::from_definition(definition, |_| None).unwrap().hash(), set.hash());
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for entry in golden::entries() {
        let record: Value = serde_json::from_slice(&entry.record).unwrap();
        seeds.extend(record.get("roster").map(Value::to_string));
        let bundles = record.pointer("/definition/bundles").and_then(Value::as_array);
        for bundle in bundles.into_iter().flatten().filter_map(Value::as_object).flat_map(|form| form.values()) {
            seeds.push(bundle.to_string());
            seeds.extend(bundle.get("policy").map(Value::to_string));
        }
    }
    let rule = |when: Value| json!({"decision": {"kind": "deny", "reason": "no"}, "name": "a", "when": when});
    for when in [
        json!({"any": [{"field": "args.a[\"b.c\"]", "op": "in", "value": [1, "2", null]}, {"not": {"all": []}}]}),
        json!({"all": [{"field": "args.a", "op": "gt", "value": 5}, {"field": "args.a", "op": "lt", "value": 4}]}),
        json!({"field": "world.kv.a.version", "op": "starts_with", "value": "x"}),
    ] {
        seeds.push(json!({"name": "b", "rules": [rule(when)], "version": "1"}).to_string());
    }
    seeds.into_iter().map(String::into_bytes).collect()
}

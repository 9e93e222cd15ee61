use openthymos::{
    policy::{Bundle, PolicySet, UnsignedBundle},
    proposal::Verdict,
};
use serde_json::{Value, json};

use crate::fixture::{deny, judge, tools};

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policy-language.md")).unwrap()
}

fn worked_bundle() -> PolicySet {
    let text = document();
    let json = text.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let bundle = Bundle::from_json(json.as_bytes()).unwrap();
    PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap()
}

#[test]
fn the_worked_bundle_does_what_the_document_says() {
    let set = worked_bundle();
    assert_eq!(set.check(&tools()), Ok(()));
    let decides = |tool, args: Value| match judge(&set, tool, args).verdict {
        Verdict::Permit => "permit",
        Verdict::RequireApproval { channel, .. } if channel == "finance" => "approve",
        Verdict::Deny { reason } if reason.contains("currency") => "currency",
        Verdict::Deny { reason } if reason.contains("books") => "books",
        Verdict::Deny { reason } if reason.contains("/etc") => "etc",
        other => panic!("{other:?}"),
    };
    assert_eq!(decides("fs_read", json!({"path": "/etc/shadow"})), "etc");
    assert_eq!(decides("split", json!({"file": "/etc/shadow"})), "etc");
    assert_eq!(decides("fs_read", json!({"path": "/srv"})), "permit");
    assert_eq!(decides("pay", json!({"amount": 1, "currency": "GBP"})), "currency");
    assert_eq!(decides("pay", json!({"amount": 1})), "currency");
    // There is no `books` resource in this world.
    assert_eq!(decides("refund", json!({"invoice": "7"})), "books");
    let large = |amount| judge(&set, "pay", json!({"amount": amount, "currency": "EUR"})).trace.fired.contains(&0);
    assert!(large(10001) && !large(10000));
}

#[test]
fn the_faults_that_the_document_shows_are_those_that_are_told() {
    let leaf = |field: &str, op: &str, value: Value| json!({"field": field, "op": op, "value": value});
    let text = document();
    for when in [
        leaf("arg.amount", "gt", json!(1)),
        leaf("intent.target", "eq", json!("pya")),
        json!({"all": [leaf("intent.target", "eq", json!("pay")), leaf("args.amonut", "gt", json!(1))]}),
        leaf("args.amount", "gt", json!("abc")),
        leaf("args.amount", "in", json!([])),
        json!({"all": [leaf("args.amount", "gt", json!(5)), leaf("args.amount", "lt", json!(3))]}),
    ] {
        let fault = deny(when).check(&tools()).unwrap_err().remove(0).to_string();
        assert!(text.contains(&format!("\n{fault}\n")), "{fault}");
    }
    let rule = |when: Value, decision: Value| {
        let bundle = json!({"name": "b", "version": "1", "rules": [{"name": "r", "when": when, "decision": decision}]});
        Bundle::from_json(bundle.to_string().as_bytes()).unwrap_err().to_string()
    };
    for fault in [
        rule(leaf("args.x", "matches", json!(1)), json!({"kind": "permit"})),
        rule(leaf("args..x", "eq", json!(1)), json!({"kind": "permit"})),
        rule(json!({"all": []}), json!({"kind": "allow"})),
        Bundle::from_json(br#"{"name":"b","name":"c"}"#).unwrap_err().to_string(),
    ] {
        assert!(text.contains(&format!("\n{fault}\n")), "{fault}");
    }
}

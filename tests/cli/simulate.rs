//! `simulate`: what other rules or another authority would have decided, by exit code and in words.

use std::fs;

use serde_json::{Value, json};

use crate::host::{Host, Ran};

const CALLS: &str = r#"[[
    {"tool":"kv_set","args":{"key":"a","value":1}}, {"tool":"kv_set","args":{"key":"a","value":2}},
    {"tool":"kv_get","args":{"key":"a"}}, {"tool":"fs_write","args":{"path":"n","content":"x"}}, {"tool":"gone","args":{}}
],{"answer":"done"}]"#;

fn bundle(name: &str, rules: &Value) -> String {
    json!({"name": name, "version": "1", "rules": rules}).to_string()
}

/// A rule that denies calls of a tool.
fn denies(tool: &str) -> String {
    let when = json!({"field": "intent.target", "op": "eq", "value": tool});
    bundle("new", &json!([{"name": "not this", "when": when, "decision": {"kind": "deny", "reason": "closed"}}]))
}

/// Something changes: code 3, and no error.
#[track_caller]
fn changes(ran: &Ran) {
    assert_eq!((ran.code, ran.err.as_str()), (Some(3), ""), "{ran:#?}");
}

#[test]
fn what_changes_is_told_with_what_rests_on_it() {
    let host = Host::new();
    host.play(CALLS);
    let policy = host.file("new.json", denies("kv_set"));
    let ran = host.thymos(&["simulate", "--policy", &policy]);
    changes(&ran);
    let has = |text: &str| assert!(ran.out.contains(text), "`{text}` is missing: {ran:#?}");
    has("note: 1 bundle is not signed");
    has("kv_set: staged → refused at policy: policy_denied · asked closed · new/not this");
    has("blast radius\n");
    has("kv_set: refused itself, read kv/a from #");
    has("kv_get: read kv/a from #");
    has("5 decisions of 1 run, 3 as before");
    has("2 would be refused");
    has("3 commits, 0 runs started");
    assert!(ran.out.ends_with("2 decisions would be others\n"), "{ran:#?}");
    assert!(!ran.out.contains("fs_write"), "{ran:#?}");
    // Named, and as JSON.
    let of_run = host.thymos(&["simulate", "--policy", &policy, "last", "--json"]);
    changes(&of_run);
    let told: Value = serde_json::from_str(&of_run.out).unwrap();
    let expected = json!({"refused": 2, "refused_otherwise": 0, "suspended": 0, "staged": 0, "reaching": 0});
    assert_eq!(
        (&told["conclusion"], &told["changed"], &told["radius"]),
        (&json!("changes"), &expected, &json!({"commits": 3, "runs": 0}))
    );
    let found = told["found"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["found"], &found[0]["rules"]), (5, &json!("changed"), &json!(["new/not this"])));
    assert_eq!(found[4]["because"][0]["read"], "kv/a");
}

#[test]
fn nothing_changes_and_the_ledger_is_as_before() {
    let host = Host::new();
    host.play(CALLS);
    let policy = host.file("new.json", denies("fs_read"));
    let before = fs::read(host.ledger()).unwrap();
    let told = host.good(&["simulate", "--policy", &policy]);
    assert!(told.ends_with("nothing changes\n") && !told.contains("blast radius"), "{told}");
    assert_eq!(fs::read(host.ledger()).unwrap(), before);
    let json = host.json(&["simulate", "--policy", &policy, "--json"]);
    assert_eq!(
        (&json["conclusion"], &json["decisions"], &json["found"]),
        (&json!("nothing_changes"), &json!(5), &json!([]))
    );
}

#[test]
fn a_signed_bundle_goes_without_a_note_and_one_that_was_changed_does_not_go() {
    let host = Host::new();
    host.play(CALLS);
    let (bundle, signed) = (host.file("new.json", denies("fs_write")), host.path("signed.json"));
    host.good(&["policy", "sign", &bundle, "-o", &signed]);
    let ran = host.thymos(&["simulate", "--policy", &signed]);
    changes(&ran);
    assert!(!ran.out.contains("not signed"), "{ran:#?}");
    let forged = fs::read_to_string(&signed).unwrap().replace("closed", "opened");
    let forged = host.file("forged.json", forged);
    host.thymos(&["simulate", "--policy", &forged]).is_failure("signature");
}

#[test]
fn a_revoked_writ_is_named_by_the_start_of_its_id() {
    let host = Host::new();
    host.play(CALLS);
    let audit = host.json(&["audit", "last", "--json"]);
    let writ = audit["verdict"]["writ"].as_str().unwrap();
    for name in [writ, &writ[..8]] {
        let ran = host.thymos(&["simulate", "--revoke", name]);
        changes(&ran);
        assert!(ran.out.contains("4 would be refused") && ran.out.contains("revocation: revoked"), "{ran:#?}");
    }
    let other = if writ.starts_with('0') { "1" } else { "0" };
    for unknown in [other.repeat(64), other.repeat(12), "xyz".into(), String::new()] {
        host.thymos(&["simulate", "--revoke", &unknown]).is_usage("no run stands under a writ");
    }
}

#[test]
fn another_writ_stands_in_for_every_run() {
    let host = Host::new();
    host.play(CALLS);
    let issue = |name: &str, scopes: &str| {
        let path = host.path(name);
        host.good(&["writ", "issue", "--to", "agent", "--scopes", scopes, "--effects", "write", "-o", &path]);
        path
    };
    let ran = host.thymos(&["simulate", "--writ", &issue("narrow.json", "kv_*")]);
    changes(&ran);
    assert!(ran.out.contains("fs_write: staged → refused at scope: out_of_scope"), "{ran:#?}");
    let file = host.file("none.json", "{}");
    assert_eq!(host.thymos(&["simulate", "--writ", &file]).code, Some(1));
}

#[test]
fn a_file_is_simulated_without_a_ledger() {
    let host = Host::new();
    host.play(CALLS);
    let (file, policy) = (host.path("run.ndjson"), host.file("new.json", denies("kv_set")));
    host.good(&["export", "last", "-o", &file]);
    let writ = host.json(&["audit", "last", "--json"])["verdict"]["writ"].as_str().unwrap().to_owned();
    let of_ledger = host.thymos(&["simulate", "--policy", &policy]).out;
    fs::remove_dir_all(host.workspace().join(".thymos")).unwrap();
    let ran = host.thymos(&["simulate", "--policy", &policy, "--file", &file]);
    changes(&ran);
    assert_eq!(ran.out, of_ledger);
    changes(&host.thymos(&["simulate", "--revoke", &writ[..10], "--file", &file]));
    host.thymos(&["simulate", "--revoke", "0000000000", "--file", &file]).is_usage("no run stands under");
    let cut = fs::read_to_string(&file).unwrap();
    let cut = host.file("cut.ndjson", &cut[..cut.len() - 40]);
    host.thymos(&["simulate", "--policy", &policy, "--file", &cut]).is_failure("cut short");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let host = Host::new();
    let policy = host.file("new.json", denies("kv_set"));
    host.thymos(&["simulate", "--policy", &policy]).is_usage(".thymos/ledger.redb");
    host.play(CALLS);
    for (arguments, about) in [
        (&["simulate"][..], "--policy"),
        (&["simulate", "last"], "--policy"),
        (&["simulate", "--policy", "none.json"], "none.json"),
        (&["simulate", "--writ", "none.json"], "none.json"),
        (&["simulate", "0000", "--policy", &policy], "no run `0000`"),
        (&["simulate", "--file", "none", "--policy", &policy], "none"),
        (&["simulate", "last", "--file", "x", "--policy", &policy], "cannot be used with"),
    ] {
        host.thymos(arguments).is_usage(about);
    }
    // Rules are held to the contracts of the ledger, not to the tools at hand.
    let unknown = host.file("unknown.json", denies("pya"));
    host.thymos(&["simulate", "--policy", &unknown]).is_failure("fits no registered tool");
    let broken = host.file("broken.json", "{");
    host.thymos(&["simulate", "--policy", &broken]).is_failure("broken.json");
}

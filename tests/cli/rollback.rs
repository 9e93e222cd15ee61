//! What a run did to files is taken back from the command line.

use std::fs;

use serde_json::{Value, json};

use crate::host::Host;

/// A host with `kept.md`, and a script that replaces it, makes `new.md`, sets a key, and removes `kept.md`.
fn host() -> (Host, String) {
    let host = Host::new();
    fs::write(host.workspace().join("kept.md"), "one\n").unwrap();
    let write = |path: &str, content: Value| json!({"tool": "fs_write", "args": {"path": path, "content": content}});
    let set = json!({"tool": "kv_set", "args": {"key": "a", "value": 1}});
    let calls = [write("kept.md", json!("two\n")), write("new.md", json!("x")), set, write("kept.md", Value::Null)];
    let script = host.file("s.json", json!([calls, {"answer": "done"}]).to_string());
    (host, script)
}

fn run(host: &Host, script: &str, more: &[&str]) {
    let arguments = ["run", "x", "--script", script, "--scopes", "*", "--effects", "write"];
    host.good(&[&arguments[..], more].concat());
}

fn read(host: &Host, name: &str) -> Option<String> {
    fs::read_to_string(host.workspace().join(name)).ok()
}

#[test]
fn files_are_put_back_as_they_were_and_the_audit_says_what_undid_what() {
    let (host, script) = host();
    run(&host, &script, &[]);
    let plan = host.json(&["rollback", "last", "--to", "start", "--dry-run", "--json"]);
    let tools: Vec<_> = plan["plan"].as_array().unwrap().iter().map(|step| step["tool"].as_str().unwrap()).collect();
    assert_eq!(tools, ["fs_write", "kv_set", "fs_write", "fs_write"]);
    assert_eq!((read(&host, "kept.md"), read(&host, "new.md").as_deref()), (None, Some("x")));
    let stays = plan["plan"][3]["seq"].to_string();
    let told = host.good(&["rollback", "last", "--to", &stays]);
    assert!(told.contains("3 effects are undone, nothing is left"), "{told}");
    assert_eq!((read(&host, "kept.md").as_deref(), read(&host, "new.md")), (Some("two\n"), None));
    let undone = host.json(&["rollback", "last", "--to", "start", "--json"]);
    assert_eq!((undone["undone"].as_array().unwrap().len(), &undone["halted"]), (1, &Value::Null));
    assert_eq!(read(&host, "kept.md").as_deref(), Some("one\n"));
    let audit = host.good(&["audit", "last"]);
    let entry = &undone["undone"][0]["entry"].as_str().unwrap()[..12];
    assert!(audit.contains(&format!("undoes    entry {entry}")), "{audit}");
    assert!(audit.contains("3 effects to be undone") && audit.contains("1 effect to be undone"), "{audit}");
    assert!(host.good(&["rollback", "last", "--to", "start"]).contains("0 effects are undone, nothing is left"));
    for verify in [&["replay", "last", "--verify", "--rederive"][..], &["replay", "--all", "--rederive"][..]] {
        host.good(verify);
    }
    let export = host.path("run.ndjson");
    host.good(&["export", "last", "-o", &export]);
    host.good(&["replay", "--file", &export, "--verify", "--rederive"]);
}

#[test]
fn a_file_that_somebody_changed_since_is_left_alone() {
    let (host, script) = host();
    run(&host, &script, &[]);
    fs::write(host.workspace().join("kept.md"), "mine\n").unwrap();
    let stopped = host.thymos(&["rollback", "last", "--to", "start"]);
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    assert!(stopped.out.contains("0 effects are undone, stopped at #"), "{stopped:?}");
    assert!(stopped.out.contains("quote_unavailable"), "{stopped:?}");
    assert_eq!(read(&host, "kept.md").as_deref(), Some("mine\n"));
    // Once that is put right, it goes on.
    fs::remove_file(host.workspace().join("kept.md")).unwrap();
    host.good(&["rollback", "last", "--to", "start"]);
    assert_eq!((read(&host, "kept.md").as_deref(), read(&host, "new.md")), (Some("one\n"), None));
    host.good(&["replay", "--all"]);
}

#[test]
fn a_writ_that_is_presented_has_to_cover_what_undoes() {
    let (host, script) = host();
    run(&host, &script, &[]);
    host.good(&["keys", "new", "operator"]);
    let (narrow, wide) = (host.path("narrow.json"), host.path("wide.json"));
    let issue = ["writ", "issue", "--to", "operator", "--effects", "write"];
    host.good(&[&issue[..], &["--scopes", "kv_*", "-o", &narrow]].concat());
    host.good(&[&issue[..], &["--scopes", "kv_*,fs_write", "-o", &wide]].concat());
    let rollback = ["rollback", "last", "--to", "start", "--key", "operator", "--writ"];
    let stopped = host.thymos(&[&rollback[..], &[&narrow]].concat());
    assert_eq!(stopped.code, Some(1));
    assert!(stopped.out.contains("out_of_scope"), "{stopped:?}");
    assert_eq!((read(&host, "kept.md"), read(&host, "new.md").as_deref()), (None, Some("x")));
    host.good(&[&rollback[..], &[&wide]].concat());
    assert_eq!(read(&host, "kept.md").as_deref(), Some("one\n"));
    for to in ["999", "abcdefabcdef"] {
        host.thymos(&["rollback", "last", "--to", to]).is_usage("names no one entry");
    }
    host.thymos(&["rollback", "last", "--to", "start", "--keep", "999"]).is_usage("names no one entry");
}

#[test]
fn a_step_that_rules_want_approved_waits_with_exit_code_4() {
    let (host, script) = host();
    let rule = json!({
        "name": "house", "version": "1",
        "rules": [{
            "name": "undoing is approved",
            "when": {"all": [{"field": "intent.author", "op": "eq", "value": "rollback"},
                             {"field": "intent.target", "op": "eq", "value": "fs_write"}]},
            "decision": {"kind": "require_approval", "channel": "ops", "reason": "somebody has to look"}
        }]
    });
    let (rules, signed) = (host.file("house.json", rule.to_string()), host.path("house.signed.json"));
    run(&host, &script, &[]);
    host.good(&["policy", "sign", &rules, "-o", &signed]);
    run(&host, &host.file("none.json", r#"[{"answer":"done"}]"#), &["--policy", &signed]);
    let id = host.json(&["runs", "--json"])[1]["run"].as_str().unwrap().to_owned();
    host.thymos(&["rollback", &id, "--to", "start"]).is_usage("policy set");
    let rollback = ["rollback", &id, "--to", "start", "--policy", &signed, "--json"];
    for _ in 0..3 {
        let waits = host.thymos(&rollback);
        assert_eq!(waits.code, Some(4), "{waits:?}");
        let waiting = host.json(&["approvals", "--json"]);
        let seq = waiting[0]["seq"].to_string();
        host.good(&["approve", &id, &seq]);
    }
    host.good(&rollback);
    assert_eq!((read(&host, "kept.md").as_deref(), read(&host, "new.md")), (Some("one\n"), None));
    host.good(&["replay", "--all", "--rederive"]);
}

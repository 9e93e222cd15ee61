//! Skills on disk: versions that are never changed, and runs that are bound to them.

use std::fs;

use serde_json::{Value, json};

use crate::host::Host;

const SCRIPT: &str = r#"[[{"tool":"kv_set","args":{"key":"a","value":1}}],[{"tool":"kv_set","args":{"key":"b","value":2}}],{"answer":"done"}]"#;

fn host() -> Host {
    let host = Host::new();
    let instructions = host.file("told.md", "Set {key} to {value}.\n");
    host.good(&["skill", "new", "setter", "--instructions", &instructions, "--tools", "kv_*", "--effects", "write"]);
    host
}

fn run<'a>(script: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "x", "--script", script, "--scopes", "*", "--effects", "write"], more].concat()
}

#[test]
fn versions_are_numbers_and_stay_what_they_are() {
    let host = host();
    let file = |version: u32| host.home().join(format!("skills/setter/{version}.json"));
    let first = fs::read(file(1)).unwrap();
    for calls in 2..=11 {
        let out = host.good(&["skill", "tune", "setter", "--budget", &format!("tool_calls={calls}")]);
        assert!(out.contains(&format!("+budget     at most {calls} calls")), "{out}");
    }
    // The eleventh comes after the second.
    assert!(host.good(&["skill", "show", "setter"]).starts_with("skill      setter@11\n"));
    let listed = host.json(&["skill", "list", "--json"]);
    assert_eq!((&listed[0]["version"], &listed[0]["versions"]), (&json!(11), &json!((1..=11).collect::<Vec<_>>())));
    assert_eq!(fs::read(file(1)).unwrap(), first);
    assert!(host.good(&["skill", "list"]).contains("kv_*; up to write; at most 11 calls"));
    host.thymos(&["skill", "tune", "setter", "--budget", "tool_calls=11"])
        .is_usage("nothing of skill `setter@11` changes");
    host.thymos(&["skill", "new", "setter", "--tools", "*"]).is_usage("there is a skill `setter@11` already");
    host.thymos(&["skill", "tune", "other", "--no-budget"]).is_usage("no skill `other`");
    let out = host.good(&["skill", "tune", "setter", "--no-budget"]);
    assert!(out.contains("-budget     at most 11 calls\n+budget     no cap"), "{out}");
}

#[test]
fn a_skill_that_was_changed_or_moved_is_not_used() {
    let host = host();
    let path = host.home().join("skills/setter/1.json");
    let text = fs::read_to_string(&path).unwrap();
    let script = host.file("s.json", SCRIPT);
    let refuse = |text: &str, why: &str| {
        fs::write(&path, text).unwrap();
        for arguments in [&["skill", "show", "setter"][..], &["skill", "list"], &run(&script, &["--skill", "setter"])] {
            host.thymos(arguments).is_failure(why);
        }
    };
    refuse(&text.replace("kv_*", "*"), "it was changed");
    refuse(&text.replace("\"version\": 1", "\"version\": 2"), "it was changed");
    refuse(&text.replace("{\n  \"definition\"", "{\n  \"hash\": 1,\n  \"definition\""), "hash");
    refuse(&text.replace("\"setter\"", "\"../setter\""), "skill name");
    refuse("{}", "missing field");
    fs::write(&path, &text).unwrap();
    host.good(&["skill", "show", "setter@1"]);
    // A good file in the place of another.
    fs::copy(&path, path.with_file_name("2.json")).unwrap();
    host.thymos(&["skill", "show", "setter"]).is_failure("it holds setter@1");
    fs::create_dir(host.home().join("skills/other")).unwrap();
    fs::rename(path.with_file_name("2.json"), host.home().join("skills/other/1.json")).unwrap();
    host.thymos(&["skill", "show", "other"]).is_failure("it holds setter@1");
    assert!(!host.ledger().exists());
}

#[test]
fn names_lead_nowhere_else() {
    let host = host();
    fs::create_dir_all(host.home().join("skills/setter/sub")).unwrap();
    fs::copy(host.home().join("skills/setter/1.json"), host.folder.path().join("1.json")).unwrap();
    for name in [
        "..",
        "../..",
        "/etc",
        "setter/../setter",
        "setter@01",
        "setter@0",
        "setter@-1",
        "setter@1@1",
        "setter@",
        "SETTER",
        "",
    ] {
        host.thymos(&["skill", "show", name]).is_usage("no skill");
    }
    for name in ["..", "a/b", "-a", ".a", "A", "a.b", "é"] {
        let ran = host.thymos(&["skill", "new", "--tools", "*", "--", name]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
    }
    assert_eq!(host.json(&["skill", "list", "--json"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_run_that_is_resumed_goes_on_under_the_version_that_it_was_bound_to() {
    let host = host();
    host.good(&["skill", "tune", "setter", "--budget", "tool_calls=1"]);
    let ask = json!({"name": "b", "version": "1", "rules": [{
        "name": "ask", "when": {"field": "intent.args.key", "op": "eq", "value": "first"},
        "decision": {"kind": "require_approval", "channel": "ops", "reason": "look first"},
    }]});
    let (ask, first) =
        (host.file("b.json", ask.to_string()), r#"[[{"tool":"kv_set","args":{"key":"first","value":1}}]]"#);
    let policy = ["--policy", ask.as_str(), "--allow-unsigned-policy"];
    let script = host.file("d.json", first);
    let waits = host.thymos(&run(&script, &[&["--skill", "setter"], &policy[..]].concat()));
    assert_eq!(waits.code, Some(4), "{waits:#?}");
    host.good(&["skill", "tune", "setter", "--no-budget"]);
    let request = host.json(&["approvals", "--json"])[0]["entry"].clone();
    host.good(&["approve", "last", request.as_str().unwrap()]);
    let rest = host.file("s.json", SCRIPT);
    let out = host.good(&[&["resume", "last", "--script", &rest], &policy[..]].concat());
    assert!(out.contains("bound to setter@2, up to write, at most 1 call"), "{out}");
    assert_eq!(out.matches("skill setter@2/tool_calls").count(), 2, "{out}");
}

#[test]
fn a_bound_run_is_narrowed_and_told_so_and_its_export_proves_it() {
    let host = host();
    host.good(&["skill", "tune", "setter", "--budget", "tool_calls=1"]);
    let script = host.file("s.json", SCRIPT);
    let ran = host.thymos(&run(&script, &["--skill", "setter"]));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.out.contains("bound to setter@2, up to write, at most 1 call"), "{ran:#?}");
    assert!(ran.out.contains("skill setter@2/tool_calls"), "{ran:#?}");
    // A larger budget of the writ would not help.
    assert!(ran.err.contains("skill setter@2 does not allow") && !ran.err.contains("--budget"), "{ran:#?}");
    let entries = host.json(&["audit", "last", "--json"])["entries"].clone();
    let bound = entries.as_array().unwrap().iter().find(|entry| entry["kind"] == "skill").unwrap();
    assert_eq!((&bound["seq"], &bound["definition"]["budget"]), (&json!(1), &json!({"tool_calls": 1})));
    assert_eq!(bound["hash"], host.json(&["skill", "show", "setter", "--json"])["hash"]);
    assert!(host.good(&["runs"]).contains("x (setter@2)"));
    host.good(&["export", "last", "-o", "run.ndjson"]);
    host.good(&["replay", "--file", "run.ndjson", "--rederive"]);
}

#[test]
fn parameters_are_checked_before_anything_is_made_and_recorded() {
    let host = host();
    let schema = host.file(
        "schema.json",
        r#"{"type":"object","properties":{"key":{"type":"string"},"value":{"type":"integer"}},"required":["key"]}"#,
    );
    host.good(&["skill", "tune", "setter", "--parameters", &schema]);
    let script = host.file("s.json", SCRIPT);
    let try_with = |more: &[&str]| host.thymos(&run(&script, &[&["--skill", "setter"], more].concat()));
    try_with(&[]).is_usage("skill `setter@2`: parameters: `/` breaks `required`");
    try_with(&["--param", "key=a"]).is_usage("needs the parameter `value`".replace("needs", "need").as_str());
    try_with(&["--param", "key=a", "--param", "value=many"]).is_usage("`/value` breaks `type`");
    try_with(&["--param", "key=a", "--param", "key=b"]).is_usage("`key` is given twice");
    try_with(&["--param", "key"]).is_usage("expected NAME=VALUE");
    try_with(&["--param", "other=1"]).is_usage("parameter");
    assert!(!host.ledger().exists());
    let ran = try_with(&["--param", "key=7=8", "--param", "value=7"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let audit = host.json(&["audit", "last", "--json"]);
    let bound: Vec<&Value> =
        audit["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "skill").collect();
    assert_eq!(bound[0]["parameters"], json!({"key": "7=8", "value": 7}));
}

#[test]
fn a_definition_begins_with_one_from_elsewhere() {
    let (host, other) = (host(), Host::new());
    let shown = host.good(&["skill", "show", "setter", "--json"]);
    let file = other.file("setter.json", &shown);
    other.good(&["skill", "new", "mine", "--from", &file, "--budget", "tool_calls=5"]);
    let mine = other.json(&["skill", "show", "mine@1", "--json"]);
    assert_eq!(mine["definition"]["instructions"], "Set {key} to {value}.\n");
    assert_eq!(mine["definition"]["budget"], json!({"tool_calls": 5}));
    let forged = other.file("forged.json", shown.replace("kv_*", "*"));
    other.thymos(&["skill", "new", "forged", "--from", &forged]).is_failure("it was changed");
    let ran = other.thymos(&["skill", "new", "nothing"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
}

#[test]
fn of_several_that_make_the_next_version_at_once_each_makes_its_own_or_is_told() {
    let host = host();
    let mut made = Vec::new();
    let tune = |calls: u32| {
        let budget = format!("tool_calls={calls}");
        host.command(&["skill", "tune", "setter", "--budget", &budget])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let running: Vec<_> = (1..=6).map(tune).collect();
    for mut child in running {
        made.push(child.wait().unwrap().code());
    }
    let good = made.iter().filter(|code| **code == Some(0)).count();
    let listed = host.json(&["skill", "list", "--json"]);
    assert_eq!(listed[0]["versions"].as_array().map(Vec::len), Some(1 + good), "{made:?}");
    assert!(good > 0 && made.iter().all(|code| matches!(code, Some(0 | 2))), "{made:?}");
    let left: Vec<_> =
        crate::host::tree(&host.home().join("skills")).into_iter().filter(|path| path.is_file()).collect();
    assert_eq!(left.len(), 1 + good, "{left:?}");
}

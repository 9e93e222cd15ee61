//! Runs that hand work down, from the command line.

use serde_json::json;

use crate::host::Host;

/// A plan with a child that keeps a value, and a grandchild below it.
fn plan(host: &Host) -> String {
    let keeps = json!([[{"tool": "kv_set", "args": {"key": "n", "value": 1}}], {"answer": "kept"}]);
    let below = json!({"task": "keep it", "tools": ["kv_set"], "effects": "write"});
    let middle = json!([[{"tool": "delegate", "args": below, "script": keeps}], {"answer": "handed on"}]);
    let part = json!({"task": "a part", "tools": ["kv_set", "delegate"], "effects": "write", "depth": 1});
    let plan = json!([[{"tool": "delegate", "args": part, "script": middle}], {"answer": "done"}]);
    host.file("plan.json", plan.to_string())
}

fn granted<'a>(plan: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let grant = ["run", "the whole", "--script", plan, "--scopes", "kv_set", "--effects", "write"];
    grant.iter().chain(more).copied().collect()
}

#[test]
fn a_run_and_all_below_it_are_shown_verified_and_told_apart_from_the_last() {
    let host = Host::new();
    let plan = plan(&host);
    let out = host.good(&granted(&plan, &["--depth", "2"]));
    for line in ["→ delegation #3", "  intent    delegate", "    intent    kv_set", "returned  #4", "1 delegated"] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let drawn = host.good(&["lineage", "last"]);
    let lines: Vec<_> = drawn.lines().collect();
    assert!(lines[0].contains("the whole") && lines[1].starts_with("└─ ") && lines[2].starts_with("   └─ "), "{drawn}");
    assert!(lines[3].contains("consistent") && lines[3].contains("3 runs"), "{drawn}");
    let told = host.json(&["lineage", "last", "--rederive", "--json"]);
    assert_eq!(told["verified"], true);
    let runs = told["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["generation"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(runs[2]["parent"], runs[1]["run"]);
    assert_eq!(runs[2]["rederived"]["derived"], 1);
    let listed = host.json(&["runs", "--json"]);
    assert_eq!(listed[0]["parent"], runs[1]["run"]);
    let audit = host.good(&["audit", "last"]);
    assert!(audit.contains("started   child run") && audit.contains("answer    handed on"), "{audit}");
    host.good(&["replay", "--all", "--rederive"]);
}

#[test]
fn without_a_depth_nothing_is_handed_down_and_the_hint_says_how() {
    let host = Host::new();
    let plan = plan(&host);
    let out = host.thymos(&granted(&plan, &["--scopes", "delegate"]));
    assert!(out.out.contains("not_delegable") && out.err.contains("--depth 1"), "{out:#?}");
    assert_eq!(host.json(&["runs", "--json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_child_that_waits_is_answered_and_its_parent_resumed() {
    let host = Host::new();
    let plan = plan(&host);
    let when = json!({"field": "intent.target", "op": "eq", "value": "kv_set"});
    let decision = json!({"kind": "require_approval", "channel": "operator", "reason": "look first"});
    let rules = json!({"name": "r", "version": "1", "rules": [{"name": "ask", "when": when, "decision": decision}]});
    let rules = host.file("rules.json", rules.to_string());
    let policy = ["--policy", rules.as_str(), "--allow-unsigned-policy"];
    let out = host.thymos(&granted(&plan, &[&["--depth", "2"][..], &policy].concat()));
    assert_eq!(out.code, Some(4), "{out:#?}");
    let waiting = out.err.lines().find(|line| line.trim().starts_with("thymos approve ")).unwrap();
    let approve: Vec<_> = waiting.split_whitespace().skip(1).collect();
    let approved = host.good(&approve);
    let runs = host.json(&["lineage", "last", "--json"]);
    let top: String = runs["runs"][0]["run"].as_str().unwrap().chars().take(12).collect();
    assert!(approved.contains(&format!("thymos resume {top}")), "{approved}");
    // Whoever goes on finds the children open: the explorer works as each of them.
    let resumed = host.thymos(&[&["resume", top.as_str()][..], &policy].concat());
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    let runs = host.json(&["lineage", "last", "--json"]);
    let ended: Vec<_> = runs["runs"].as_array().unwrap().iter().map(|run| run["ended"].as_str().unwrap()).collect();
    assert_eq!(ended, ["completed"; 3]);
    host.good(&["replay", "--all", "--rederive"]);
}

#[test]
fn what_is_no_run_has_no_lineage() {
    let host = Host::new();
    host.good(&["run", "look"]);
    assert_eq!(host.thymos(&["lineage", "0000"]).code, Some(2));
    assert!(host.good(&["lineage", "last"]).contains("1 run,"));
}

#[test]
fn a_rule_about_children_alone_is_taken_and_holds() {
    let host = Host::new();
    let plan = plan(&host);
    let page = include_str!("../../docs/delegation.md");
    let (_, rule) = page.split_once("they concern delegations only.").unwrap();
    let (_, rule) = rule.split_once("```json\n").unwrap();
    let rule: serde_json::Value = serde_json::from_str(rule.split_once("```").unwrap().0).unwrap();
    let depth = json!({"field": "child.depth", "op": "gt", "value": 0});
    let flat = json!({"name": "flat", "when": depth, "decision": {"kind": "deny", "reason": "no grandchildren"}});
    let rules = host.file("r.json", json!({"name": "r", "version": "1", "rules": [rule, flat]}).to_string());
    let checked = host.thymos(&["policy", "check", &rules]).out;
    assert!(checked.contains("ok every rule can apply"), "{checked}");
    let policy = ["--depth", "2", "--policy", rules.as_str(), "--allow-unsigned-policy"];
    let out = host.good(&granted(&plan, &policy));
    assert!(out.contains("policy_denied") && out.contains("no grandchildren"), "{out}");
    assert_eq!(host.json(&["runs", "--json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_branch_explores_and_its_parent_stays() {
    let host = Host::new();
    let set = |value: u32| json!([[{"tool": "kv_set", "args": {"key": "n", "value": value}}], {"answer": "done"}]);
    let write = json!({"tool": "fs_write", "args": {"path": "a.md", "content": "x"}});
    let first = host.file("first.json", set(1).to_string());
    host.good(&["run", "one", "--script", &first, "--scopes", "kv_set,fs_write", "--effects", "write"]);
    let parent = host.json(&["runs", "--json"])[0]["run"].as_str().unwrap().to_owned();
    let script = json!([[{"tool": "kv_set", "args": {"key": "n", "value": 2}}, write], {"answer": "tried"}]);
    let second = host.file("second.json", script.to_string());
    let out = host.good(&["run", "what if", "--branch", &parent, "--script", &second]);
    assert!(out.contains("not_in_branch") && !host.workspace().join("a.md").exists(), "{out}");
    let world = |run: &str| host.json(&["world", run, "--from-start", "--json"])["world"][0]["value"].clone();
    assert_eq!((world(&parent), world("last")), (json!(1), json!(2)));
    assert!(host.good(&["runs"]).contains("what if") && host.good(&["audit", "last"]).contains("what if"));
    host.good(&["replay", "--all", "--rederive"]);
    let beyond = host.thymos(&["run", "x", "--branch", &parent, "--at", "99", "--script", &second]);
    beyond.is_failure("no entry 99");
}

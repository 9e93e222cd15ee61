//! The main job: look at a project, be refused the write, and have all of it on record.

use openthymos::ledger::redb::RedbLedger;
use serde_json::Value;

use crate::host::Host;

#[test]
fn a_repository_is_mapped_the_write_is_refused_and_the_record_verifies() {
    let host = Host::new();
    let ran = host.thymos(&["run", "Map this repository"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.err.contains("no model is configured") && ran.err.contains("made keys in"), "{ran:#?}");
    for said in
        ["intent    list_files", "→ commit #", "rejected", "at scope: out_of_scope", "asked fs_write", "demo 1.2.3"]
    {
        assert!(ran.out.contains(said), "`{said}` is missing in {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "no colours where nobody looks");
    for said in ["completed · ", "1 rejected", "of 200 calls", "head       #", "ledger.redb", "thymos audit last"] {
        assert!(ran.out.contains(said), "`{said}` is missing in {}", ran.out);
    }
    assert!(!host.workspace().join("thymos-map.md").exists());

    assert!(RedbLedger::open_read_only(host.ledger()).is_ok(), "the ledger was not closed properly");
    let audit = host.good(&["audit", "last"]);
    for said in [
        "Map this repository",
        "under     root → agent",
        "asked     {\"",
        "rejection fs_write",
        "consistent · signer runtime",
    ] {
        assert!(audit.contains(said), "`{said}` is missing in {audit}");
    }
    let verdict = host.good(&["replay", "last", "--verify"]);
    assert!(verdict.starts_with("consistent · ") && verdict.lines().count() == 1, "{verdict}");
    assert!(verdict.contains("not pinned") && verdict.contains("complete to #"), "{verdict}");
    let words = host.good(&["replay", "last"]);
    assert!(words.contains("checked") && words.trim_end().ends_with(verdict.trim_end()), "{words}");
}

#[test]
fn what_was_done_changes_the_world_and_stands_in_the_audit() {
    let host = Host::new();
    let out = host.play(
        r#"[[{"tool":"fs_write","args":{"path":"note.txt","content":"hello"}},{"tool":"kv_set","args":{"key":"a","value":1}}],
            [{"tool":"kv_set","args":{"key":"a","value":2}},{"tool":"kv_set","args":{"key":"b","value":"ß"}}],{"answer":"done"}]"#,
    );
    assert!(out.contains("→ dispatch #3 → commit #4") && out.contains("\ndone\n"), "{out}");
    assert_eq!(std::fs::read_to_string(host.workspace().join("note.txt")).unwrap(), "hello");
    let audit = host.good(&["audit", "last"]);
    for said in ["dispatch fs_write", "changed   create kv/a 1", "changed   replace kv/a 2", "after     dispatch "] {
        assert!(audit.contains(said), "`{said}` is missing in {audit}");
    }
    let world = host.good(&["world", "last"]);
    assert!(world.contains("kv/a v2 2") && world.contains("kv/b v1 \"ß\""), "{world}");
    let before = host.good(&["world", "last", "--at", "5"]);
    assert!(before.contains("kv/a v1 1") && !before.contains("kv/b"), "{before}");
    let folded = host.good(&["replay", "last", "--fold-world"]);
    assert!(folded.contains("kv/a v2 2") && folded.contains("consistent · "), "{folded}");
    host.thymos(&["world", "last", "--at", "99"]).is_usage("no entry 99");
}

#[test]
fn a_run_that_does_not_complete_is_a_failure() {
    let host = Host::new();
    let script = host.file("s.json", r#"[[{"tool":"list_files","args":{}}],[{"tool":"list_files","args":{}}]]"#);
    let ran = host.thymos(&["run", "a task", "--script", &script, "--budget", "tool_calls=0"]);
    assert!(ran.out.contains("at budget: budget_exceeded"), "{ran:#?}");
    assert!(ran.err.contains("--budget"), "{ran:#?}");
    let bad = host.file("t.json", r#"[[{"tool":"kv_set","args":{"key":"a","value":1}}]]"#);
    let bundle = r#"{"name":"b","version":"1","rules":[{"name":"ask","when":{"field":"intent.target","op":"eq","value":"kv_set"},
        "decision":{"kind":"require_approval","channel":"ops","reason":"look \u001b[2J first"}}]}"#;
    let bundle = host.file("b.json", bundle);
    let arguments = ["run", "x", "--script", &bad, "--scopes", "kv_*", "--effects", "write", "--policy", &bundle];
    let ran = host.thymos(&[&arguments[..], &["--allow-unsigned-policy"]].concat());
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.out.contains("suspended") && ran.out.contains("waits for approval"), "{ran:#?}");
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("look \\u{1b}[2J first"), "{ran:#?}");
    assert!(host.good(&["runs"]).contains("suspended"));
}

#[test]
fn json_lines_parse_and_end_in_the_summary() {
    let host = Host::new();
    let out = host.good(&["run", "Map this repository", "--json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"turn_started"), Some(&"summary")));
    for event in ["proposed", "committed", "rejected", "ended"] {
        assert!(events.contains(&event), "{event}");
    }
    let summary = lines.last().unwrap();
    assert_eq!((summary["ended"].as_str(), summary["rejected"].as_u64()), (Some("completed"), Some(1)));

    let audit = host.json(&["audit", "last", "--json"]);
    assert_eq!(audit["verdict"]["verified"], true);
    assert_eq!(audit["entries"].as_array().unwrap().len() as u64, audit["verdict"]["entries"].as_u64().unwrap());
    assert_eq!(host.json(&["runs", "--json"])[0]["run"], summary["run"]);
    assert_eq!(host.json(&["replay", "last", "--json"])["verdict"]["head"], summary["head"]);
    assert_eq!(host.json(&["world", "last", "--json"])["world"].as_array().map(Vec::len), Some(0));
    assert!(
        host.json(&["tools", "--json"]).as_array().unwrap().iter().any(|tool| tool["contract"]["name"] == "fs_read")
    );
    assert_eq!(host.json(&["keys", "list", "--json"]).as_array().map(Vec::len), Some(3));
}

#[test]
fn requests_that_were_not_looked_at_are_told() {
    let host = Host::new();
    let asks = vec![r#"{"tool":"kv_get","args":{"key":"a"}}"#; 40].join(",");
    let out = host.play(&format!(r#"[[{asks}],{{"answer":"done"}}]"#));
    assert_eq!(out.matches("not looked at").count(), 1, "{out}");
    assert!(out.contains("skipped") && out.contains("8 of 40 requests of the turn were not looked at"), "{out}");
    let few = host.play(r#"[[{"tool":"kv_get","args":{"key":"a"}}],{"answer":"done"}]"#);
    assert!(!few.contains("not looked at"), "{few}");
}

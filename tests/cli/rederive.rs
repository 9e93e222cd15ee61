//! `replay --rederive`: every decision made again, from the ledger and from a file.

use crate::host::Host;

const CALLS: &str = r#"[[
    {"tool":"fs_write","args":{"path":"n","content":"x"}}, {"tool":"kv_set","args":{"key":"a","value":1}},
    {"tool":"kv_set","args":{"key":7}}, {"tool":"gone","args":{}}
],{"answer":"done"}]"#;

#[test]
fn a_run_a_file_and_a_whole_ledger_are_derived_again() {
    let host = Host::new();
    host.play(CALLS);
    host.good(&["export", "last", "-o", &host.path("run.ndjson")]);
    let again = " · 4 of 4 decisions derived again · complete to ";
    let (last, file) = (["replay", "last"], ["replay", "--file", &host.path("run.ndjson")]);
    for source in [&last[..], &file, &["replay", "--all"]] {
        let verdict = host.good(&[source, &["--rederive", "--verify"]].concat());
        assert!(verdict.starts_with("consistent · ") && verdict.contains(again), "{verdict}");
        let plain = host.good(&[source, &["--verify"]].concat());
        assert!(!plain.contains("derived again"), "{plain}");
        let report = host.json(&[source, &["--rederive", "--json"]].concat());
        let rederived = &report["verdict"]["rederived"];
        let expected = serde_json::json!({"decisions": 4, "derived": 4, "asserted": 0, "not_derived": []});
        assert_eq!((rederived, &report["verdict"]["verified"]), (&expected, &true.into()));
        let told = host.good(&[source, &["--rederive"]].concat());
        // In the account of what was checked, and in the verdict.
        assert!(told.matches("4 of 4 decisions derived again").count() >= 2, "{told}");
    }
    let plain = host.json(&["replay", "last", "--json"]);
    assert!(plain["verdict"]["rederived"].is_null(), "{plain}");
}

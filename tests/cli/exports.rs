//! An export proves itself: whatever is changed in it is found, and said where.

use std::fs;

use crate::host::{Host, Ran};

fn exported() -> (Host, Vec<u8>) {
    let host = Host::new();
    host.play(r#"[[{"tool":"fs_write","args":{"path":"n","content":"x"}},{"tool":"kv_set","args":{"key":"a","value":1}}],{"answer":"done"}]"#);
    host.good(&["export", "last", "-o", &host.path("run.ndjson")]);
    let bytes = fs::read(host.path("run.ndjson")).unwrap();
    (host, bytes)
}

fn verify(host: &Host, bytes: &[u8]) -> Ran {
    let file = host.file("changed.ndjson", bytes);
    host.thymos(&["replay", "--file", &file, "--verify"])
}

/// It fails, and says at which line, entry or pin; or that the file is cut short.
fn is_found(ran: &Ran, what: &str) {
    assert_eq!(ran.code, Some(1), "{what}: {ran:#?}");
    let says_where = ["line ", "entry ", "cut short", "empty"].iter().any(|word| ran.out.contains(word));
    assert!(ran.out.starts_with("NOT VERIFIED · ") && says_where, "{what}: {ran:#?}");
    assert!(ran.err.starts_with("error: "), "{what}: {ran:#?}");
}

#[test]
fn a_file_verifies_elsewhere_without_ledger_or_keys() {
    let (host, bytes) = exported();
    assert_eq!(host.thymos(&["export", "last"]).out.lines().count(), bytes.split(|byte| *byte == b'\n').count() - 1);
    let elsewhere = Host::new();
    let ran = verify(&elsewhere, &bytes);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.out.starts_with("consistent · ") && !elsewhere.home().exists(), "{ran:#?}");
    let file = elsewhere.path("changed.ndjson");
    assert!(elsewhere.good(&["replay", "--file", &file, "--fold-world"]).contains("kv/a v1 1"));
    let traces = elsewhere.good(&["replay", "--file", &file, "--policy-trace"]);
    assert!(traces.contains("fs_write staged") && traces.matches("fs_write").count() == 1, "{traces}");
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let (host, bytes) = exported();
    for at in (0..bytes.len()).step_by(bytes.len() / 150) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        is_found(&verify(&host, &changed), &format!("byte {at}"));
    }
}

#[test]
fn lines_that_are_dropped_swapped_doubled_or_cut_are_found() {
    let (host, bytes) = exported();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(at);
        is_found(&verify(&host, &dropped.concat()), &format!("line {at} dropped"));
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        is_found(&verify(&host, &doubled.concat()), &format!("line {at} doubled"));
        if at > 0 {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            is_found(&verify(&host, &swapped.concat()), &format!("lines {at} swapped"));
        }
        is_found(&verify(&host, &lines[..at].concat()), &format!("cut before line {at}"));
    }
    is_found(&verify(&host, &bytes[..bytes.len() - 1]), "the last byte cut");
    is_found(&verify(&host, b"\xff\xfe\n"), "no text");
}

#[test]
fn pins_are_required_and_the_other_key_is_not_taken() {
    let (host, _) = exported();
    let file = host.path("run.ndjson");
    let keys = host.json(&["keys", "list", "--json"]);
    let key =
        |name: &str| keys.as_array().unwrap().iter().find(|key| key["name"] == name).unwrap()["key"].as_str().unwrap();
    let pinned = host.good(&["replay", "--file", &file, "--verify", "--require-signer", key("runtime")]);
    assert!(pinned.contains(" pinned") && !pinned.contains("not pinned"), "{pinned}");
    host.thymos(&["replay", "--file", &file, "--require-signer", key("agent")]).is_failure("entry 0");
    host.good(&["replay", "--file", &file, "--require-compiler", "1"]);
    host.thymos(&["replay", "--file", &file, "--require-compiler", "2"]).is_failure("required 2");
    let set = host.json(&["replay", "last", "--json"])["verdict"]["policy_sets"][0].as_str().unwrap().to_owned();
    host.good(&["replay", "last", "--require-policy-set", &set]);
    host.thymos(&["replay", "last", "--require-policy-set", &"0".repeat(64)]).is_failure("required 0000");
}

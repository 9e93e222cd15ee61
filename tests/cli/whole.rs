//! `replay --all`: the whole ledger, and what is missing from it.

use std::fs;

use futures::executor::block_on;
use openthymos::ledger::{
    Batch, LedgerStore, RegisterKey, RegisterOp,
    redb::RedbLedger,
    register::{Account, Register},
};

use crate::host::Host;

const WRITES: &str = r#"[[{"tool":"fs_write","args":{"path":"n","content":"x"}},{"tool":"kv_set","args":{"key":"a","value":1}}],{"answer":"done"}]"#;

/// A ledger with two runs.
fn host() -> Host {
    let host = Host::new();
    host.play(WRITES);
    host.play(r#"[{"answer":"done"}]"#);
    host
}

/// The head that a ledger tells, as it is pinned.
fn head(host: &Host) -> String {
    let told = host.json(&["replay", "--all", "--json"]);
    let of = |pointer: &str| told.pointer(pointer).unwrap().clone();
    format!("{}:{}", of("/verdict/head/position"), of("/verdict/head/entry").as_str().unwrap())
}

#[test]
fn every_run_every_account_and_the_whole_are_told() {
    let host = host();
    let out = host.good(&["replay", "--all"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.contains(" consistent · signer ")).count(), 2, "{out}");
    for said in ["2 runs", "2 of 200 calls", "held: nothing", "nothing missing", &head(&host)] {
        assert!(out.contains(said), "`{said}` is missing in {out}");
    }
    let verdict = lines.last().unwrap();
    assert!(verdict.starts_with("consistent · 2 runs · signer runtime"), "{verdict}");
    assert!(verdict.contains("complete to position") && verdict.contains(", not pinned, as of"), "{verdict}");
    assert_eq!(host.good(&["replay", "--all", "--verify"]), format!("{verdict}\n"));

    let told = host.json(&["replay", "--all", "--json"]);
    assert_eq!((told["runs"].as_array().unwrap().len(), &told["verdict"]["verified"]), (2, &true.into()));
    assert_eq!(told["verdict"]["accounts"][0]["spent"]["tool_calls"], 2);
    assert_eq!(told["runs"][0]["verified"], true);
}

#[test]
fn a_ledger_that_was_put_back_is_found_by_who_kept_its_head() {
    let host = host();
    let before = fs::read(host.ledger()).unwrap();
    let earlier = head(&host);
    host.play(r#"[{"answer":"again"}]"#);
    let later = head(&host);
    let pinned = host.good(&["replay", "--all", "--verify", "--require-head", &earlier, "--require-head", &later]);
    assert!(pinned.contains(", pinned at "), "{pinned}");
    fs::write(host.ledger(), before).unwrap();
    host.good(&["replay", "--all", "--verify", "--require-head", &earlier]);
    host.thymos(&["replay", "--all", "--require-head", &later]).is_failure("cut, rolled back or written anew");
}

#[test]
fn an_account_that_was_lowered_is_named() {
    let host = host();
    {
        let ledger = RedbLedger::open(host.ledger()).unwrap();
        let accounts = block_on(ledger.registers(RegisterKey::all(Register::Account).as_bytes(), None, 9)).unwrap();
        let (key, _) = accounts.into_iter().find(|(_, value)| value != &Account::default().to_bytes()).unwrap();
        let registers = vec![RegisterOp::Set { key, value: None }];
        block_on(ledger.append(Batch { entries: vec![], registers })).unwrap();
    }
    // Each run by itself is as it was.
    host.good(&["replay", "last", "--verify"]);
    for arguments in [&["replay", "--all"][..], &["replay", "--all", "--verify"], &["replay", "--all", "--json"]] {
        let ran = host.thymos(arguments);
        ran.is_failure("account register of run ");
        assert!(ran.out.contains("stored as absent"), "{ran:#?}");
    }
}

#[test]
fn the_whole_is_not_one_run_or_a_file_and_a_head_has_a_form() {
    let host = host();
    host.thymos(&["replay"]).is_usage("");
    host.thymos(&["replay", "last", "--all"]).is_usage("--all");
    host.thymos(&["replay", "--all", "--fold-world"]).is_usage("--fold-world");
    host.thymos(&["replay", "last", "--require-head", &head(&host)]).is_usage("a whole ledger");
    for wrong in ["", "7", "x:00", "7:zz"] {
        host.thymos(&["replay", "--all", "--require-head", wrong]).is_usage("");
    }
    fs::write(host.ledger(), b"").unwrap();
    host.thymos(&["replay", "--all"]).is_failure("is empty");
}

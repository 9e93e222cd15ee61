//! Wrong usage is code 2, says what is wrong and what to do, and leaves nothing behind.

use std::fs;

use crate::host::{Host, tree};

#[test]
fn what_does_not_exist_is_named() {
    let host = Host::new();
    host.good(&["run", "a"]);
    for (arguments, about) in [
        (&["frob"][..], "frob"),
        (&["run"], "<TASK>"),
        (&["run", "a", "--frob"], "--frob"),
        (&["run", "a", "--effects", "all"], "expected one of read, write"),
        (&["run", "a", "--budget", "calls=1"], "expected tool_calls"),
        (&["run", "a", "--scopes", "fs_**"], "`**` is not supported"),
        (&["run", "a", "--script", "none.json"], "none.json"),
        (&["run", "a", "--script", "README.md"], "README.md"),
        (&["run", "a", "--workspace", "none"], "workspace `none`"),
        (&["run", "a", "--workspace", "README.md"], "not a directory"),
        (&["run", "a", "--allow-unsigned-policy"], "--policy"),
        (&["audit", "0000"], "no run `0000`"),
        (&["audit", "xyz"], "no run `xyz`"),
        (&["audit", ""], "no run ``"),
        (&["export", "\u{1b}[2J"], "no run `\\u{1b}[2J`"),
        (&["replay"], "<RUN>"),
        (&["replay", "last", "--file", "x"], "cannot be used with"),
        (&["replay", "last", "--verify", "--fold-world"], "cannot be used with"),
        (&["replay", "--file", "none"], "none"),
        (&["replay", "last", "--require-signer", "nobody"], "no key `nobody`"),
        (&["world", "last", "--at", "x"], "invalid value"),
    ] {
        host.thymos(arguments).is_usage(about);
    }
}

#[test]
fn reading_a_ledger_that_is_not_there_says_where_and_makes_none() {
    let host = Host::new();
    let before = tree(host.folder.path());
    for command in [&["runs"][..], &["audit", "last"], &["replay", "last"], &["world", "last"], &["export", "last"]] {
        let ran = host.thymos(command);
        ran.is_usage(".thymos/ledger.redb");
        assert!(ran.err.contains("hint: `thymos run"), "{ran:#?}");
    }
    host.good(&[]);
    host.good(&["tools"]);
    assert_eq!(tree(host.folder.path()), before);
}

#[test]
fn an_erased_or_foreign_ledger_never_verifies() {
    let host = Host::new();
    host.good(&["run", "a"]);
    for bytes in [&b""[..], b"not a ledger", &[0; 8192]] {
        fs::write(host.ledger(), bytes).unwrap();
        for command in [&["runs"][..], &["audit", "last"], &["replay", "last", "--verify"]] {
            let ran = host.thymos(command);
            assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
        }
        assert_eq!(fs::read(host.ledger()).unwrap(), bytes, "what is there is left as it is");
    }
    fs::remove_dir_all(host.home()).unwrap();
    fs::remove_file(host.ledger()).unwrap();
    host.good(&["run", "a"]);
    fs::remove_dir_all(host.home()).unwrap();
    let ran = host.thymos(&["run", "a"]);
    ran.is_failure("signed by");
    assert!(ran.err.contains("hint: set THYMOS_HOME"), "{ran:#?}");
}

#[test]
fn runs_are_found_by_any_start_of_their_id_that_is_theirs_alone() {
    let host = Host::new();
    (0..20).for_each(|n| drop(host.good(&["run", &format!("task {n}"), "--script", &host.file("s.json", "[]")])));
    let runs = host.json(&["runs", "--json", "-n", "50"]);
    let runs = runs.as_array().unwrap();
    assert_eq!((runs.len(), runs[0]["task"].as_str()), (20, Some("task 19")));
    let ids: Vec<&str> = runs.iter().map(|run| run["run"].as_str().unwrap()).collect();
    for id in &ids {
        assert_eq!(host.json(&["replay", &id[..12], "--json"])["verdict"]["run"], **id);
    }
    assert_eq!(host.json(&["replay", ids[7], "--json"])["verdict"]["run"], ids[7]);
    let first = |id: &str| id[..1].to_owned();
    let shared = ids.iter().find(|id| ids.iter().filter(|other| first(other) == first(id)).count() > 1).unwrap();
    host.thymos(&["audit", &first(shared)]).is_usage("more than one run");
}

#[test]
fn version_and_help_are_no_errors() {
    let host = Host::new();
    let version = host.good(&["--version"]);
    assert!(version.starts_with(concat!("thymos ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    assert!(host.good(&["--help"]).contains("Exit codes"));
    for command in ["run", "audit", "replay", "world", "export", "runs", "tools", "bench", "writ", "keys", "policy"] {
        assert!(host.good(&[command, "--help"]).contains("Usage: thymos"), "{command}");
    }
    assert!(host.good(&[]).contains("(none yet)"));
}

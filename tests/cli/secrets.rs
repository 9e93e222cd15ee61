//! `--secret-env`: a tool gets the variable that was named, and neither ledger nor output do.

use std::fs;

use crate::host::{Host, Ran};

const SECRET: &str = "öffne dich, Sesam";

fn script(name: &str) -> String {
    format!(
        r#"[[{{"tool":"fs_write","args":{{"path":"{name}.txt","content":{{"$secret":"{name}"}}}}}}],{{"answer":"done"}}]"#
    )
}

fn play(host: &Host, name: &str, more: &[&str]) -> Ran {
    let script = host.file("script.json", script(name));
    let arguments = ["run", "a task", "--json", "--script", &script, "--scopes", "*", "--effects", "write"];
    let mut command = host.command(&[&arguments, more].concat());
    Ran::new(command.env("DOOR", SECRET).env("WINDOW", "another secret").output().unwrap())
}

#[test]
fn a_named_variable_reaches_the_tool_and_nothing_else() {
    let host = Host::new();
    let ran = play(&host, "DOOR", &["--secret-env", "DOOR"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(fs::read_to_string(host.workspace().join("DOOR.txt")).unwrap(), SECRET);
    let audit = host.thymos(&["audit", "last"]);
    assert!(audit.out.contains(r#"{"$secret":"DOOR"}"#), "{audit:#?}");
    let ledger = String::from_utf8_lossy(&fs::read(host.ledger()).unwrap()).into_owned();
    for left in [ran.out, ran.err, audit.out, ledger] {
        assert!(!left.contains(SECRET) && !left.contains("another secret"), "{left}");
    }
    assert!(host.good(&["replay", "last", "--verify"]).starts_with("consistent"));
}

#[test]
fn a_file_with_a_secret_is_a_commit() {
    let host = Host::new();
    let ran = play(&host, "DOOR", &["--secret-env", "DOOR"]);
    assert!(ran.out.contains(r#""event":"committed""#) && !ran.out.contains(r#""event":"failed""#), "{ran:#?}");
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let steps = [
        format!(r#"[{{"tool":"fs_write","args":{{"path":"t.txt","content":"token {token}"}}}}]"#),
        r#"{"answer":"done"}"#.into(),
    ];
    let out = host.play(&format!("[{}]", steps.join(",")));
    assert!(out.contains("→ commit #") && out.contains("[redacted:") && !out.contains("failure"), "{out}");
    assert_eq!(fs::read_to_string(host.workspace().join("t.txt")).unwrap(), format!("token {token}"));
    host.good(&["replay", "--all"]);
}

#[test]
fn a_variable_that_was_not_named_is_not_handed_out() {
    let host = Host::new();
    let ran = play(&host, "WINDOW", &["--secret-env", "DOOR"]);
    assert!(ran.out.contains("secret_unavailable") && ran.out.contains("/content"), "{ran:#?}");
    assert!(!host.workspace().join("WINDOW.txt").exists());
}

#[test]
fn a_variable_that_is_not_set_is_found_before_anything_is_made() {
    let host = Host::new();
    let ran = play(&host, "NOWHERE_SET", &["--secret-env", "NOWHERE_SET"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("`NOWHERE_SET`"), "{ran:#?}");
    assert!(!host.home().exists() && !host.ledger().exists());
}

//! Other processes: one that has the ledger, one that interrupts, one that stops to read.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use openthymos::ledger::redb::RedbLedger;

use crate::host::Host;

#[test]
fn a_ledger_that_another_process_has_is_waited_for_and_then_its_holder_is_named() {
    let host = Host::new();
    host.good(&["run", "a"]);
    let held = RedbLedger::open(host.ledger()).unwrap();
    for command in [&["run", "a"][..], &["audit", "last"]] {
        let ran = host.thymos(command);
        ran.is_failure(&format!("is held by process {} (", std::process::id()));
        assert!(ran.err.contains("hint: "), "{ran:#?}");
    }
    drop(held);
    host.good(&["audit", "last"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_cancels_the_run_and_that_is_on_record() {
    let host = Host::new();
    let step = vec![r#"{"tool":"kv_get","args":{"key":"a"}}"#; 32].join(",");
    let script = host.file("long.json", format!("[{}]", vec![format!("[{step}]"); 49].join(",")));
    let budget = ["--budget", "tool_calls=100000,seconds=3600"];
    let mut command = host.command(&[&["run", "a long task", "--script", &script][..], &budget].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("commit #") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended before it was interrupted");
    }
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.contains("cancelled · "), "{rest}");
    assert!(host.good(&["runs"]).contains("cancelled"));
    assert!(host.good(&["audit", "last"]).contains("terminated cancelled"));
}

#[cfg(unix)]
#[test]
fn a_killed_run_leaves_a_ledger_that_is_read_and_written_on() {
    let host = Host::new();
    let step = vec![r#"{"tool":"kv_set","args":{"key":"a","value":1}}"#; 32].join(",");
    let script = host.file("long.json", format!("[{}]", vec![format!("[{step}]"); 49].join(",")));
    let arguments = ["run", "a long task", "--script", &script, "--scopes", "*", "--effects", "write"];
    let mut child = host.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("commit #") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(host.good(&["runs"]).contains("open"));
    host.good(&["replay", "last", "--verify"]);
    host.good(&["run", "a"]);
}

#[test]
fn a_reader_that_stops_to_read_is_no_error() {
    let host = Host::new();
    host.good(&["run", "a"]);
    for command in [&["audit", "last"][..], &["export", "last"], &["tools"], &["runs", "--json"]] {
        let mut child = host.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.is_empty(), "{command:?}: {:?} {err}", output.status);
    }
}

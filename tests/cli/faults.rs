//! A full disk, killed processes, and runs that cannot be taken up: what the command says, and that it goes on.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use openthymos::ledger::redb::RedbLedger;
use serde_json::Value;

use crate::host::{Host, Ran};

/// A script of `steps` steps that each set a key of the world and write a file.
fn script(host: &Host, steps: usize) -> String {
    let step = |number| {
        let set = format!(r#"{{"tool":"kv_set","args":{{"key":"k{number}","value":"{}"}}}}"#, "x".repeat(2_000));
        let write = format!(r#"{{"tool":"fs_write","args":{{"path":"f{number}.txt","content":"{number}"}}}}"#);
        format!("[{set},{write}]")
    };
    let steps: Vec<_> = (0..steps).map(step).collect();
    host.file("long.json", format!("[{}]", steps.join(",")))
}

const GRANT: [&str; 6] = ["--scopes", "*", "--effects", "write", "--budget", "tool_calls=100000,seconds=36000"];

fn run<'a>(script: &'a str, task: &'a str) -> Vec<&'a str> {
    [&["run", task, "--script", script][..], &GRANT].concat()
}

/// Starts a command, and waits until it says `word` for the `times`-th time.
fn until(host: &Host, arguments: &[&str], word: &str, times: usize) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = host.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut seen) = (String::new(), 0);
    while seen < times {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "{arguments:?} ended before it said `{word}`");
        seen += usize::from(line.contains(word));
    }
    (child, out)
}

fn summary(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Nothing is in doubt but what the ledger says so of, and every file was written by a call that has a dispatch.
fn accounts_for_every_file(host: &Host) {
    host.good(&["replay", "last", "--verify"]);
    let audit = host.good(&["audit", "last"]);
    for path in std::fs::read_dir(host.workspace()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('f') && name.ends_with(".txt") {
            assert!(audit.contains(&format!("\"{name}\"")), "{name} was written without a trace");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_resume_goes_on_once_there_is_room() {
    let host = Host::new();
    host.good(&["run", "a"]);
    let script = script(&host, 49);
    let size = std::fs::metadata(host.ledger()).unwrap().len();
    // A file may grow no further than a little above what the ledger has: writes fail as on a device without room.
    let shell = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", size / 512 + 64);
    let mut limited = Command::new("sh");
    let arguments = run(&script, "fill the disk");
    let command = host.command(&arguments);
    limited.arg("-c").arg(shell).arg(command.get_program()).args(command.get_args());
    limited.current_dir(host.workspace()).env("THYMOS_HOME", host.home()).stdin(Stdio::null());
    let ran = Ran::new(limited.output().unwrap());
    ran.is_failure("the ledger's storage failed: ");
    assert!(ran.err.contains("too large") || ran.err.contains("No space"), "{ran:#?}");
    assert!(ran.err.contains("hint: `thymos resume "), "{ran:#?}");

    accounts_for_every_file(&host);
    let resumed = host.good(&["resume", "last", "--script", &script, "--json"]);
    assert_eq!(summary(&resumed)["ended"], "completed", "{resumed}");
    accounts_for_every_file(&host);
    assert!(host.good(&["audit", "last"]).contains("resumed"));
    host.good(&["replay", "--all"]);
}

#[test]
fn a_run_and_a_resume_that_are_killed_are_resumed() {
    let host = Host::new();
    let script = script(&host, 40);
    let (run, resume) = (run(&script, "long"), vec!["resume", "last", "--script", &script]);
    let killed = [(&run, "→ dispatch"), (&resume, "→ commit"), (&resume, "→ dispatch")];
    for (times, (arguments, word)) in killed.into_iter().enumerate() {
        let (mut child, _out) = until(&host, arguments, word, times + 1);
        child.kill().unwrap();
        child.wait().unwrap();
        accounts_for_every_file(&host);
    }
    let resumed = host.good(&["resume", "last", "--script", &script, "--json"]);
    assert_eq!(summary(&resumed)["ended"], "completed", "{resumed}");
    accounts_for_every_file(&host);
    host.good(&["replay", "--all"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_during_resume_cancels_and_is_on_record() {
    let host = Host::new();
    let script = script(&host, 49);
    let (mut child, _out) = until(&host, &run(&script, "long"), "→ commit", 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, mut out) = until(&host, &["resume", "last", "--script", &script], "→ commit", 2);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.contains("cancelled · "), "{rest}");
    assert!(host.good(&["audit", "last"]).contains("terminated cancelled"));
    host.thymos(&["resume", "last"]).is_failure("has ended");
}

#[test]
fn a_run_that_has_ended_or_is_unknown_is_not_resumed() {
    let host = Host::new();
    host.thymos(&["resume", "last"]).is_usage("");
    assert!(!host.ledger().exists(), "no ledger is made for it");
    host.good(&["run", "a"]);
    let before = host.good(&["audit", "last"]);
    let ended = host.thymos(&["resume", "last"]);
    ended.is_failure("has ended");
    assert!(ended.err.contains("hint: `thymos audit "), "{ended:#?}");
    host.thymos(&["resume", "ffffffff"]).is_usage("ffffffff");
    assert_eq!(host.good(&["audit", "last"]), before, "nothing was recorded");
}

#[test]
fn a_run_whose_ledger_another_process_has_is_not_resumed() {
    let host = Host::new();
    host.good(&["run", "a"]);
    let held = RedbLedger::open(host.ledger()).unwrap();
    let ran = host.thymos(&["resume", "last"]);
    ran.is_failure(&format!("is held by process {} (", std::process::id()));
    assert!(ran.err.contains("hint: "), "{ran:#?}");
    drop(held);
}

#[test]
fn two_processes_on_one_ledger_take_turns_or_are_told() {
    let host = Host::new();
    host.good(&["run", "a"]);
    let script = script(&host, 40);
    let arguments = run(&script, "long");
    let spawn = || host.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [spawn(), spawn()].map(|child| Ran::new(child.wait_with_output().unwrap()));
    assert!(both.iter().any(|ran| ran.out.contains("→ commit")), "{both:#?}");
    for ran in both.iter().filter(|ran| !ran.out.contains("→ commit")) {
        ran.is_failure("is held by process ");
    }
    host.good(&["replay", "--all"]);
}

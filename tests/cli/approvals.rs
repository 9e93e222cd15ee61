use std::fs;

use serde_json::{Value, json};

use crate::host::Host;

const SCRIPT: &str = r#"[[{"tool":"fs_write","args":{"path":"notes.md","content":"one\n2\nthree\n"},"rationale":"two is a number"}],
    {"answer":"as you like"}]"#;
const AFTER: &str = r#"[{"answer":"so be it"}]"#;
const GATE: &str = r#"{"name":"house","version":"1","rules":[{"name":"writes are approved",
    "when":{"field":"intent.target","op":"eq","value":"fs_write"},
    "decision":{"kind":"require_approval","channel":"ops","reason":"somebody has to look"}}]}"#;

/// A workspace in which a file is to be changed, once somebody has looked.
struct Office {
    host: Host,
    script: String,
    after: String,
    policy: String,
}

impl Office {
    fn new() -> Self {
        let host = Host::new();
        fs::write(host.workspace().join("notes.md"), "one\ntwo\nthree\n").unwrap();
        let (script, after) = (host.file("script.json", SCRIPT), host.file("after.json", AFTER));
        let (bundle, policy) = (host.file("bundle.json", GATE), host.path("policy.json"));
        host.good(&["policy", "sign", &bundle, "-o", &policy]);
        Self { host, script, after, policy }
    }

    fn run(&self) -> [&str; 11] {
        let (script, policy) = (self.script.as_str(), self.policy.as_str());
        [
            "run",
            "Number them",
            "--script",
            script,
            "--scopes",
            "fs_*",
            "--effects",
            "write",
            "--policy",
            policy,
            "--json",
        ]
    }

    /// Runs until it waits, and returns the number of the request.
    fn waits(&self) -> String {
        let ran = self.host.thymos(&self.run());
        assert_eq!(ran.code, Some(4), "{ran:#?}");
        let summary: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
        let said = |at: &str| summary.pointer(at).unwrap().clone();
        assert_eq!((said("/ended"), said("/suspended")), (json!("suspended"), json!(1)));
        said("/waiting/0/seq").to_string()
    }

    fn resume(&self) -> crate::host::Ran {
        self.host.thymos(&["resume", "last", "--script", &self.after, "--policy", &self.policy])
    }

    /// The id of the last run.
    fn last(&self) -> String {
        self.host.json(&["runs", "--json"]).pointer("/0/run").unwrap().as_str().unwrap().to_owned()
    }

    fn notes(&self) -> String {
        fs::read_to_string(self.host.workspace().join("notes.md")).unwrap()
    }

    fn verified(&self) {
        self.host.good(&["replay", "--all", "--verify", "--rederive"]);
    }
}

#[test]
fn what_waits_is_shown_approved_and_done() {
    let office = Office::new();
    let host = &office.host;
    assert!(host.thymos(&["approvals"]).err.contains("no ledger"));
    let ran = host.thymos(&office.run()[..10]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    for told in ["waits: request #3 for `ops`: somebody has to look", " 3 --deny", "thymos resume "] {
        assert!(ran.err.contains(told), "{told}: {ran:#?}");
    }
    assert!(host.good(&["runs"]).contains("suspended"));
    // Without an answer it stays as it is.
    assert_eq!(office.resume().code, Some(4));
    assert_eq!(office.notes(), "one\ntwo\nthree\n");

    let shown = host.good(&["approvals"]);
    for told in [
        "fs_write",
        "\"path\": \"notes.md\"",
        "two is a number",
        "house/writes are approved",
        "somebody has to look",
        "at most 1 call",
        "0 of 1",
        "may approve: root",
        "-two",
        "+2",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let listed = host.json(&["approvals", "--json"]);
    let request = &listed[0];
    assert_eq!((&request["seq"], &request["channel"], &request["required"]), (&json!(3), &json!("ops"), &json!(1)));
    assert_eq!(request["args"]["content"], "one\n2\nthree\n");
    assert!(request["change"].as_str().unwrap().contains("-two\n+2\n"));

    // By the id of its proposal.
    let proposal = &request["proposal"].as_str().unwrap()[..12];
    let voted = host.good(&["approve", "last", proposal, "--note", "looks right"]);
    assert!(
        voted.contains("+2") && voted.contains("request #3 is approved") && voted.contains("thymos resume"),
        "{voted}"
    );
    assert_eq!(office.notes(), "one\ntwo\nthree\n");
    assert!(host.good(&["approvals", "last"]).contains("thymos resume"));
    host.thymos(&["approve", &office.last(), "3"]).is_failure("has its approvals already");
    let ran = office.resume();
    assert!(ran.code == Some(0) && ran.out.contains("→ commit") && ran.out.contains("so be it"), "{ran:#?}");
    assert_eq!(office.notes(), "one\n2\nthree\n");
    assert_eq!(host.good(&["approvals"]), "nothing waits for approval\n");
    let audit = host.good(&["audit", "last"]);
    assert!(audit.contains("fs_write approves") && audit.contains("looks right") && audit.contains("is approved"));
    office.verified();
}

#[test]
fn a_roster_says_who_and_how_many() {
    let office = Office::new();
    let host = &office.host;
    let key = |name: &str| {
        host.good(&["keys", "new", name]);
        let listed = host.json(&["keys", "list", "--json"]);
        let found = listed.as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
        json!({"key": found["key"], "name": name})
    };
    let approvers = [key("alice"), key("bob"), key("carol")];
    let channels = json!({"ops": {"approvers": approvers, "required": 2}});
    let roster = host.file("roster.json", json!({"channels": channels, "version": "7"}).to_string());
    let signed = host.path("signed.json");
    host.good(&["roster", "sign", &roster, "-o", &signed]);
    let request = office.waits();
    assert!(host.good(&["roster", "show"]).contains("no roster is in force"));
    host.thymos(&["roster", "set", &roster]).is_failure("thymos roster sign");
    assert!(host.good(&["roster", "set", &signed]).contains("in force: roster version 7, 1 channel"));
    let shown = host.good(&["roster", "show"]);
    assert!(shown.contains("2 of 3") && shown.contains("carol"), "{shown}");

    // The root is on no roster.
    let ran = host.thymos(&["approve", &office.last(), &request]);
    ran.is_failure("may not approve on channel `ops`");
    assert!(ran.err.contains("thymos approvals") && ran.out.contains("0 of 2"), "{ran:#?}");
    let voted = host.good(&["approve", &office.last(), &request, "--key", "alice"]);
    assert!(voted.contains("has 1 of 2 approvals"), "{voted}");
    host.thymos(&["approve", &office.last(), &request, "--key", "alice"]).is_failure("has approved already");
    assert_eq!(office.resume().code, Some(4));
    assert!(host.good(&["approvals"]).contains("1 of 2 (alice)"));
    assert!(host.good(&["approve", &office.last(), &request, "--key", "carol"]).contains("is approved"));
    assert_eq!(office.resume().code, Some(0));
    assert_eq!(office.notes(), "one\n2\nthree\n");
    office.verified();
}

#[test]
fn a_denial_is_remembered() {
    let office = Office::new();
    let request = office.waits();
    let voted = office.host.good(&["approve", &office.last(), &request, "--deny", "--note", "not today"]);
    assert!(voted.contains("is denied"), "{voted}");
    office.host.thymos(&["approve", &office.last(), &request]).is_usage("names no one request");
    // The same call once more, in another process.
    let ran = office.host.thymos(&["resume", "last", "--script", &office.script, "--policy", &office.policy]);
    assert!(ran.out.contains("at approvals: denied_before") && ran.code == Some(0), "{ran:#?}");
    assert_eq!(office.notes(), "one\ntwo\nthree\n");
    office.verified();
}

#[test]
fn a_file_that_has_changed_since_is_left_alone() {
    let office = Office::new();
    let request = office.waits();
    fs::write(office.host.workspace().join("notes.md"), "somebody else's\n").unwrap();
    let shown = office.host.good(&["approvals"]);
    assert!(shown.contains("has changed since it was asked for"), "{shown}");
    office.host.good(&["approve", &office.last(), &request]);
    let ran = office.resume();
    assert!(ran.out.contains("at reads: probe_changed"), "{ran:#?}");
    assert_eq!(office.notes(), "somebody else's\n");
    office.verified();
}

#[test]
fn wrong_names_are_told() {
    let office = Office::new();
    office.waits();
    let host = &office.host;
    let ran = host.thymos(&["approve", &office.last(), "99"]);
    ran.is_usage("`99` names no one request of this run that waits for approval");
    assert!(ran.err.contains("waiting: #3 fs_write"), "{ran:#?}");
    host.thymos(&["approve", "4f4f4f4f", "3"]).is_usage("no run `4f4f4f4f`");
    host.thymos(&["approve", &office.last(), "3", "--key", "nobody"]).is_usage("no key `nobody`");
    host.thymos(&["approve", &office.last(), "3", "--valid-for", "soon"]).is_usage("not a span of time");
    host.thymos(&["approvals", "4f4f4f4f"]).is_usage("no run `4f4f4f4f`");
    host.thymos(&["roster", "set", "none.json"]).is_usage("roster `none.json`");
    host.thymos(&["approve", "last", "3"]).is_usage("`last` may be another run");
    // The agent's key approves nothing.
    host.thymos(&["approve", &office.last(), "3", "--key", "agent"]).is_failure("may not approve on channel `ops`");
}

/// Runs the command at a terminal, where somebody types this.
#[cfg(target_os = "linux")]
fn at_a_terminal(office: &Office, arguments: &[&str], typed: &str) -> String {
    use std::{io::Write, process::Stdio};
    let quoted = |word: &&str| format!("'{word}'");
    let words: Vec<_> = [env!("CARGO_BIN_EXE_thymos")].iter().chain(arguments).map(quoted).collect();
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(office.host.workspace());
    command.env("THYMOS_HOME", office.host.home()).env("NO_COLOR", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_sits_at_the_terminal_is_asked() {
    for (typed, end, content) in [
        ("y\n3\n", "request #3 is approved", "one\n2\nthree\n"),
        ("n\n", "request #3 is denied", "one\ntwo\nthree\n"),
        ("\n", "waits for approval", "one\ntwo\nthree\n"),
    ] {
        let office = Office::new();
        let said = at_a_terminal(&office, &office.run()[..10], typed);
        assert!(said.contains("+2") && said.contains("to approve it") && said.contains(end), "{said}");
        assert_eq!(office.notes(), content);
        let audit = office.host.good(&["audit", "last"]);
        assert_eq!(audit.contains("the operator who was present"), typed != "\n", "{audit}");
        office.verified();
    }
    // With the key of an approver.
    let office = Office::new();
    let said = at_a_terminal(&office, &[&office.run()[..10], &["--approver", "root"]].concat(), "3\n");
    assert!(said.contains("is approved"), "{said}");
    assert!(!office.host.good(&["audit", "last"]).contains("the operator who was present"));
}

//! Writs and policies, as files.

use crate::host::Host;

const READ: &str = r#"[[{"tool":"fs_read","args":{"path":"README.md"}},{"tool":"list_files","args":{}}]]"#;

#[test]
fn a_run_under_a_presented_writ_has_that_authority_and_no_more() {
    let host = Host::new();
    host.good(&["keys", "new", "helper"]);
    let (writ, child, script) = (host.path("writ.json"), host.path("child.json"), host.file("s.json", READ));
    let issue = ["writ", "issue", "--to", "agent", "--scopes", "fs_read,list_files", "--depth", "1", "--store", "any"];
    host.good(&[&issue[..], &["-o", &writ]].concat());
    let mint = ["writ", "mint", &writ, "--key", "agent", "--to", "helper", "--scopes", "fs_read"];
    host.good(&[&mint[..], &["--budget", "tool_calls=3", "-o", &child]].concat());
    let shown = host.good(&["writ", "show", &child]);
    for said in ["root → agent", "agent → helper", "3 calls", "generation 1", "any store"] {
        assert!(shown.contains(said), "`{said}` is missing in {shown}");
    }
    assert!(host.good(&["writ", "verify", &child]).contains("is trusted"));

    let out = host.good(&["run", "read", "--script", &script, "--writ", &child, "--key", "helper"]);
    assert!(out.contains("1 committed, 1 rejected") && out.contains("of 3 calls"), "{out}");
    assert!(host.good(&["audit", "last"]).contains("under     root → agent → helper"));

    let wider = ["writ", "mint", &child, "--key", "helper", "--to", "agent", "--scopes", "grep"];
    host.thymos(&wider).is_failure("may not be delegated");
    let wider = ["writ", "mint", &writ, "--key", "agent", "--to", "helper", "--scopes", "grep"];
    host.thymos(&wider).is_failure("`grep` is not covered");
    host.thymos(&["writ", "mint", &writ, "--key", "helper", "--to", "agent"])
        .is_usage("not that of the writ's subject");
    host.thymos(&["run", "x", "--writ", &child, "--key", "agent"]).is_failure("start refused");
    host.thymos(&["run", "x", "--writ", &child]).is_usage("--key");
    host.thymos(&["run", "x", "--writ", &child, "--key", "helper", "--scopes", "*"]).is_usage("cannot be used with");
}

#[test]
fn a_writ_that_is_changed_or_a_strangers_is_not_taken() {
    let (host, stranger) = (Host::new(), Host::new());
    let issue = |host: &Host, store: &str| host.good(&["writ", "issue", "--to", "agent", "--store", store]);
    host.good(&["run", "a"]);
    let text = issue(&host, "any");
    let changed = host.file("changed.json", text.replace("\"tool_calls\": 200", "\"tool_calls\": 201"));
    for command in [
        &["writ", "verify", &changed][..],
        &["writ", "show", &changed],
        &["run", "x", "--writ", &changed, "--key", "agent"],
    ] {
        host.thymos(command).is_failure("signature does not verify");
    }
    let foreign = host.file("foreign.json", issue(&stranger, "any"));
    let ran = host.thymos(&["writ", "verify", &foreign]);
    assert!(ran.code == Some(1) && ran.out.contains("NO the root's issuer root"), "{ran:#?}");
    let other = host.file("other.json", issue(&host, &"ab".repeat(32)));
    host.thymos(&["run", "x", "--writ", &other, "--key", "agent"]).is_failure("wrong_audience");
    host.thymos(&["writ", "issue", "--to", "nobody"]).is_usage("no key `nobody`");
    stranger.thymos(&["writ", "issue", "--to", "agent"]).is_usage("no ledger");
}

const BUNDLE: &str = r#"{"name":"house","version":"1","rules":[{"name":"no readme",
    "when":{"field":"intent.args.path","op":"eq","value":"README.md"},"decision":{"kind":"deny","reason":"not for you"}}]}"#;

#[test]
fn signed_rules_decide_and_the_audit_names_them() {
    let host = Host::new();
    let (plain, signed, script) =
        (host.file("house.json", BUNDLE), host.path("signed.json"), host.file("s.json", READ));
    host.good(&["policy", "sign", &plain, "-o", &signed]);
    let checked = host.good(&["policy", "check", &signed]);
    assert!(checked.contains("which is trusted") && checked.contains("every rule can apply"), "{checked}");
    let out = host.good(&["run", "read", "--script", &script, "--policy", &signed]);
    assert!(out.contains("at policy: policy_denied"), "{out}");
    let audit = host.good(&["audit", "last"]);
    assert!(audit.contains("rule      house/no readme denies: not for you"), "{audit}");
    assert!(host.good(&["replay", "last", "--policy-trace"]).contains("house/no readme"));

    let ran = host.thymos(&["run", "read", "--policy", &plain]);
    ran.is_failure("is not signed");
    assert!(ran.err.contains("--allow-unsigned-policy"), "{ran:#?}");
    host.good(&["run", "read", "--script", &script, "--policy", &plain, "--allow-unsigned-policy"]);
    assert_eq!(host.thymos(&["policy", "check", &plain]).code, Some(1));
    host.good(&["policy", "check", &plain, "--allow-unsigned-policy"]);
}

#[test]
fn rules_that_nobody_signed_or_that_cannot_apply_are_refused() {
    let host = Host::new();
    let signed = host.good(&["policy", "sign", &host.file("house.json", BUNDLE)]);
    let changed = host.file("changed.json", signed.replace("not for you", "as you like"));
    let ran = host.thymos(&["policy", "check", &changed]);
    assert!(ran.code == Some(1) && ran.out.contains("NO policy bundle `house`: signature does not verify"), "{ran:#?}");
    host.thymos(&["run", "x", "--policy", &changed]).is_failure("signature does not verify");
    host.good(&["keys", "new", "mallory"]);
    let foreign = host.path("foreign.json");
    host.good(&["policy", "sign", &host.path("house.json"), "--key", "mallory", "-o", &foreign]);
    host.thymos(&["run", "x", "--policy", &foreign]).is_failure("is not trusted to issue policies");
    let never = host.file("never.json", BUNDLE.replace("args.path", "args.pth"));
    let ran = host.thymos(&["policy", "check", &never, "--allow-unsigned-policy"]);
    assert!(ran.code == Some(1) && ran.out.contains("rule `no readme`"), "{ran:#?}");
    host.thymos(&["run", "x", "--policy", &never, "--allow-unsigned-policy"]).is_failure("rule `no readme`");
    assert!(!host.ledger().exists(), "nothing is made for a run that cannot start");
}

#[test]
fn a_run_is_taken_up_under_the_policies_that_it_was_under() {
    let host = Host::new();
    let script = host.file("s.json", READ);
    let gate = |name: &str, reason: &str| {
        let gate = format!(r#"{{"kind":"require_approval","channel":"ops","reason":"{reason}"}}"#);
        host.file(name, BUNDLE.replace(r#"{"kind":"deny","reason":"not for you"}"#, &gate))
    };
    let (first, second) = (gate("first.json", "ask first"), gate("second.json", "ask again"));
    let under = |command: &[&str], policy: &[&str]| {
        let unsigned: &[&str] = if policy.contains(&"--policy") { &["--allow-unsigned-policy"] } else { &[] };
        host.thymos(&[command, &["--script", &script], policy, unsigned].concat())
    };
    let (resume, waits) = (["resume", "last"], "waits for approval");
    let ran = under(&["run", "read"], &["--policy", &first]);
    assert!(ran.out.contains(waits) && ran.code == Some(4), "{ran:#?}");

    let before = host.good(&["audit", "last"]);
    for other in [&[][..], &["--policy", &second], &["--policy", &first, "--policy", &second]] {
        let ran = under(&resume, other);
        ran.is_usage("is under policy set ");
        assert!(ran.err.contains("the same --policy") && ran.err.contains("--change-policy"), "{ran:#?}");
    }
    assert_eq!(host.good(&["audit", "last"]), before, "nothing was recorded");
    assert!(under(&resume, &["--policy", &first]).out.contains(waits));

    // From a change on, the run is under the new one: what was approved under the old one is sent back.
    let run = host.json(&["runs", "--json"])[0]["run"].as_str().unwrap().to_owned();
    host.good(&["approve", &run, "3"]);
    let ran = under(&resume, &["--policy", &second, "--change-policy"]);
    assert!(ran.out.contains("at policy: policy_changed") && ran.out.contains("ask again"), "{ran:#?}");
    under(&resume, &["--policy", &first]).is_usage("is under policy set ");
    assert!(under(&resume, &["--policy", &second]).err.contains("ask again"));
    let waiting = host.json(&["approvals", "last", "--json"]);
    host.good(&["approve", &run, &waiting[0]["seq"].to_string()]);
    let ran = under(&resume, &["--change-policy"]);
    assert!(ran.code == Some(0) && ran.out.contains("→ commit") && ran.out.contains("completed · 2"), "{ran:#?}");
    under(&resume, &["--policy", &first]).is_failure("has ended");
}

//! Keys that are replaced, writs that are revoked, a clock that is reset.

use std::{fs, sync::Arc};

use futures::executor::block_on;
use openthymos::{
    Runtime,
    crypto::{NamedKey, Role, SecretKey},
    host::{Clock as _, FixedClock, Host as Machine, SystemClock},
    ledger::redb::RedbLedger,
};
use serde_json::Value;

use crate::host::Host;

const WRITE: &str = r#"[[{"tool":"kv_set","args":{"key":"a","value":1}},{"tool":"kv_get","args":{"key":"a"}}]]"#;

fn secret(host: &Host, name: &str) -> SecretKey {
    SecretKey::from_hex(&fs::read_to_string(host.home().join(format!("keys/{name}.key"))).unwrap()).unwrap()
}

fn keys(host: &Host) -> Vec<Value> {
    host.json(&["keys", "list", "--json"]).as_array().unwrap().clone()
}

#[test]
fn the_runtimes_key_is_replaced_in_this_ledger_at_once_and_in_others_when_they_are_opened() {
    let host = Host::new();
    host.play(WRITE);
    let other = host.path("other.redb");
    host.good(&["run", "a", "--ledger", &other]);
    let old = secret(&host, "runtime").public_key();
    let told = host.good(&["keys", "rotate", "runtime"]);
    let new = secret(&host, "runtime").public_key();
    assert!(old != new && told.contains(&old.to_string()) && told.contains(&new.to_string()), "{told}");
    assert!(told.contains("on record") && told.contains("other ledgers"), "{told}");
    host.good(&["replay", "last", "--verify"]);
    host.play(WRITE);
    assert!(host.good(&["replay", "last", "--verify"]).contains(&new.to_string()[..12]));
    host.good(&["replay", "last", "--verify", "--require-signer", "runtime"]);

    for command in [&["run", "a", "--ledger", &other][..], &["export", "last", "--ledger", &other]] {
        let ran = host.thymos(command);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        let says = ran.err.contains("signed by an earlier key");
        assert_eq!(says, command[0] == "run", "once: {ran:#?}");
    }
    let exported = host.path("run.ndjson");
    host.good(&["export", "last", "--ledger", &other, "-o", &exported]);
    assert!(host.good(&["replay", "--file", &exported, "--verify"]).starts_with("consistent"));
    // No secret key is readable by others, the earlier one neither.
    assert!(keys(&host).iter().all(|key| key["secret"] == true), "{:?}", keys(&host));
}

#[test]
fn after_a_rotation_of_the_root_its_writs_are_not_taken_any_more() {
    let host = Host::new();
    host.play(WRITE);
    let writ = host.path("writ.json");
    host.good(&["writ", "issue", "--to", "agent", "-o", &writ]);
    host.good(&["run", "x", "--writ", &writ, "--key", "agent"]);
    let told = host.good(&["keys", "rotate", "root"]);
    assert!(told.contains("not trusted any more") && told.contains("sign them anew"), "{told}");
    host.thymos(&["run", "x", "--writ", &writ, "--key", "agent"]).is_failure("untrusted_root");
    host.good(&["writ", "issue", "--to", "agent", "-o", &writ, "--force"]);
    host.good(&["run", "x", "--writ", &writ, "--key", "agent"]);
    host.good(&["replay", "last", "--verify"]);
    let agent = host.good(&["keys", "rotate", "agent"]);
    assert!(agent.contains("old secret"), "{agent}");
    host.thymos(&["keys", "rotate", "nobody"]).is_usage("no key `nobody`");
    host.thymos(&["run", "x", "--writ", &writ, "--key", "agent"]).is_failure("wrong_subject");
}

#[test]
fn a_runtimes_key_that_is_lost_is_replaced_by_the_root() {
    let host = Host::new();
    host.play(WRITE);
    fs::remove_file(host.home().join("keys/runtime.key")).unwrap();
    let ran = host.thymos(&["run", "a"]);
    ran.is_usage("no key `runtime`");
    assert!(ran.err.contains("keys rotate runtime"), "{ran:#?}");
    host.good(&["keys", "rotate", "runtime"]);
    host.play(WRITE);
    host.good(&["replay", "last", "--verify"]);
}

#[test]
fn what_a_compromised_key_signed_is_not_verified_here_or_in_an_export() {
    let host = Host::new();
    host.play(WRITE);
    let runs = host.json(&["runs", "--json"]);
    let first = runs[0]["run"].as_str().unwrap().to_owned();
    let from = (runs[0]["position"].as_u64().unwrap() + 1).to_string();
    host.play(WRITE);
    let other = host.path("other.redb");
    host.good(&["run", "a", "--ledger", &other]);
    host.thymos(&["keys", "rotate", "runtime", "--compromised-from", "99999"]).is_usage("beyond the end");
    let told = host.good(&["keys", "rotate", "runtime", "--compromised-from", &from]);
    assert!(told.contains(&format!("invalid from position {from} on: 1 run has entries there")), "{told}");
    host.good(&["replay", &first, "--verify"]);
    let ran = host.thymos(&["replay", "last", "--verify"]);
    ran.is_failure("nothing vouches for them");
    assert!(ran.out.contains("INCOMPLETE (entries 0–"), "{ran:#?}");
    let exported = host.path("run.ndjson");
    host.good(&["export", "last", "-o", &exported]);
    host.thymos(&["replay", "--file", &exported, "--verify"]).is_failure("nothing vouches for them");
    host.play(WRITE);
    host.good(&["replay", "last", "--verify"]);

    // In another ledger of the home it has to be said from where on.
    let ran = host.thymos(&["run", "a", "--ledger", &other]);
    ran.is_failure("which is compromised");
    assert!(ran.err.contains("--compromised-from"), "{ran:#?}");
    let key = secret(&host, "runtime").public_key();
    let rotate = ["keys", "rotate", "runtime", "--compromised-from", "0", "--ledger", &other];
    assert!(host.good(&rotate).contains("present key"));
    assert_eq!(secret(&host, "runtime").public_key(), key, "no other key is made for it");
    host.good(&["run", "a", "--ledger", &other]);
    host.good(&["replay", "last", "--verify", "--ledger", &other]);
}

#[cfg(unix)]
#[test]
fn a_rotation_that_is_killed_has_replaced_key_and_trust_or_neither() {
    let host = Host::new();
    host.play(WRITE);
    for round in 0..24u64 {
        let name = ["root", "runtime"][round as usize % 2];
        let mut child = host.command(&["keys", "rotate", name]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(1_500 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for key in keys(&host) {
            let has_a_role = key["name"] == "agent" || !key["roles"].as_array().unwrap().is_empty();
            assert!(key["secret"] == true && has_a_role, "round {round}: {key}");
        }
    }
    host.play(WRITE);
    host.good(&["replay", "last", "--verify"]);
}

#[test]
fn a_rotation_that_was_written_down_is_done_by_whoever_finds_it() {
    let host = Host::new();
    host.play(WRITE);
    let (old, new) = (secret(&host, "runtime"), SecretKey::from_seed(&[9; 32]));
    let trust = fs::read_to_string(host.home().join("keys/trust.json")).unwrap();
    let trust = trust.replace(&old.public_key().to_string(), &new.public_key().to_string());
    let pending = format!(
        r#"{{"compromised":false,"name":"runtime","old":"{}","secret":"{}","trust":{trust}}}"#,
        old.public_key(),
        *new.to_hex()
    );
    let path = host.home().join("keys/rotation.json");
    fs::write(&path, pending).unwrap();
    host.play(WRITE);
    assert!(!path.exists());
    assert_eq!(secret(&host, "runtime").public_key(), new.public_key());
    host.good(&["replay", "last", "--verify", "--require-signer", "runtime"]);
}

#[test]
fn a_writ_is_revoked_by_id_file_or_run_and_all_below_it_with_it() {
    let host = Host::new();
    host.good(&["keys", "new", "helper"]);
    host.play(WRITE);
    let (writ, child, sibling) = (host.path("writ.json"), host.path("child.json"), host.path("sibling.json"));
    host.good(&["writ", "issue", "--to", "agent", "--depth", "1", "-o", &writ]);
    for path in [&child, &sibling] {
        host.good(&["writ", "mint", &writ, "--key", "agent", "--to", "helper", "-o", path]);
    }
    let under = |path: &str| host.thymos(&["run", "x", "--writ", path, "--key", "helper"]);
    assert_eq!((under(&child).code, under(&sibling).code), (Some(0), Some(0)));
    let told = host.good(&["writ", "revoke", &child, "--reason", "left the company"]);
    for said in ["revoked writ ", "(agent → helper)", "1 run of this ledger stands under it, 0 of them not ended"] {
        assert!(told.contains(said), "`{said}` is missing in {told}");
    }
    under(&child).is_failure("revoked");
    assert_eq!(under(&sibling).code, Some(0));
    let again = host.good(&["writ", "revoke", &child]);
    assert!(again.contains("was revoked before"), "{again}");

    // By the start of an id, and with it all that stand below.
    let shown = host.good(&["writ", "show", &writ]);
    let id = shown.split_whitespace().find(|word| word.len() == 64).unwrap().to_owned();
    let told = host.good(&["writ", "revoke", &id[..12]]);
    assert!(told.contains(&id) && told.contains("3 runs of this ledger stand under it"), "{told}");
    under(&sibling).is_failure("revoked");
    host.good(&["run", "a"]);
    assert!(host.good(&["writ", "revoke", "last"]).contains("(root → agent)"));

    let unknown = "ab".repeat(32);
    assert!(host.good(&["writ", "revoke", &unknown]).contains("no run of this ledger uses it"));
    host.thymos(&["writ", "revoke", "abcdef"]).is_usage("no writ, file or run `abcdef`");
    host.thymos(&["writ", "revoke", "", "--key", "helper"]).is_usage("no writ");
    host.thymos(&["writ", "revoke", &"cd".repeat(32), "--key", "helper"]).is_failure("not trusted as writ issuer");
    host.good(&["replay", "last", "--verify"]);
}

/// Opens the workspace's ledger with a clock that is wrong, as a machine with a bad battery would.
fn opened_a_year_ahead(host: &Host) {
    let year = 365 * 24 * 3_600_000;
    let clock = Arc::new(FixedClock::at(SystemClock::default().now_ms() + year));
    let trust = NamedKey::new("another", SecretKey::from_seed(&[8; 32]).public_key());
    let builder = Runtime::builder()
        .ledger(RedbLedger::open(host.ledger()).unwrap())
        .signer("runtime", secret(host, "runtime"))
        .trust(trust, [Role::Approver])
        .host(Machine { clock, ..Machine::default() });
    block_on(builder.open()).unwrap();
}

#[test]
fn a_clock_that_is_behind_is_shown_stops_effects_and_is_reset() {
    let host = Host::new();
    host.play(WRITE);
    assert!(host.good(&["clock"]).contains("not behind"));
    host.thymos(&["clock", "reset"]).is_failure("nothing to reset");
    opened_a_year_ahead(&host);
    let told = host.good(&["clock"]);
    assert!(told.contains("364 days behind") && told.contains("thymos clock reset"), "{told}");
    assert!(host.json(&["clock", "--json"])["behind_ms"].as_u64().unwrap() > 31_000_000_000);
    // A writ for an hour has expired by the time on record; one that holds for long is stopped at effects.
    let writ = host.path("writ.json");
    let issue = ["writ", "issue", "--to", "agent", "--scopes", "kv_*", "--effects", "write", "--expires", "900d"];
    host.good(&[&issue[..], &["-o", &writ]].concat());
    let script = host.file("s.json", WRITE);
    let ran = host.thymos(&["run", "x", "--script", &script, "--writ", &writ, "--key", "agent"]);
    assert!(ran.out.contains("at effect: clock_behind") && ran.out.contains("1 committed, 1 rejected"), "{ran:#?}");
    assert!(ran.err.contains("`thymos clock` tells"), "{ran:#?}");
    assert!(host.good(&["audit", "last"]).contains("clock     364 days behind the latest time on record"));

    host.thymos(&["clock", "reset", "--key", "agent"]).is_failure("not trusted as writ issuer");
    assert!(host.good(&["clock", "reset"]).contains("364 days back"));
    assert!(host.good(&["clock"]).contains("not behind"));
    let out = host.good(&["run", "x", "--script", &script, "--writ", &writ, "--key", "agent"]);
    assert!(out.contains("2 committed"), "{out}");
    host.play(WRITE);
    host.good(&["replay", "last", "--verify"]);
}

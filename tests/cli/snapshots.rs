use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    crypto::{Purpose, SecretKey},
    ledger::{LedgerStore, redb::RedbLedger},
    replay::{Contracts, Pins, Replayer, Snapshot, authority_of},
};

use super::host::Host;

/// Keeps a snapshot of the run's first entries up to `seq`, as the runtime does in a run that is long enough.
fn keep(host: &Host, run: &TrajectoryId, seq: u64) {
    let ledger = RedbLedger::open(host.ledger()).unwrap();
    let log = block_on(authority_of(&ledger, Some(run), Contracts::All)).unwrap();
    let mut replayer = Replayer::new(&log, *run, Pins::default());
    for entry in block_on(ledger.read(run, 0, seq as usize + 1)).unwrap() {
        replayer.push(&entry).unwrap();
    }
    let (_, folded) = replayer.finish().unwrap();
    let sealed = Snapshot::of(log.store(), *run, &folded).seal().unwrap();
    let key = std::fs::read_to_string(host.home().join("keys/runtime.key")).unwrap();
    let signature = SecretKey::from_hex(key.trim()).unwrap().sign(Purpose::Snapshot, sealed.hash.as_bytes());
    block_on(ledger.keep_snapshot(run, seq, sealed.signed(Some(signature)))).unwrap();
}

#[test]
fn a_world_from_a_snapshot_says_so_and_what_verifies_takes_none() {
    let host = Host::new();
    let set = |key: &str| format!(r#"[{{"tool":"kv_set","args":{{"key":"{key}","value":1}}}}]"#);
    host.play(&format!("[{},{},{}]", set("a"), set("b"), set("c")));
    let run: TrajectoryId = host.json(&["runs", "--json"])[0]["run"].as_str().unwrap().parse().unwrap();
    let whole = host.good(&["world", "last"]);
    assert!(whole.contains("kv/c v1 1") && !whole.contains("snapshot"), "{whole}");
    keep(&host, &run, 4);
    for at in [&[][..], &["--at", "4"], &["--at", "6"]] {
        let seen = |more: &[&str]| host.good(&[&["world", "last"], at, more].concat());
        let (since, from_start) = (seen(&[]), seen(&["--from-start"]));
        assert!(since.contains("consistent since the snapshot at #4 · "), "{since}");
        assert!(!from_start.contains("snapshot"), "{from_start}");
        let world =
            |text: &str| text.lines().filter(|line| line.starts_with("kv/")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(world(&since), world(&from_start));
    }
    let verdict = &host.json(&["world", "last", "--json"])["verdict"];
    assert_eq!((verdict["verified"].as_bool(), verdict["since"].as_u64()), (Some(false), Some(4)));
    assert!(!host.good(&["world", "last", "--at", "3"]).contains("snapshot"));
    host.thymos(&["world", "last", "--at", "99"]).is_usage("no entry 99");
    for verifying in
        [&["audit", "last"][..], &["replay", "last"], &["replay", "last", "--fold-world"], &["replay", "--all"]]
    {
        assert!(!host.good(verifying).contains("snapshot"), "{verifying:?}");
    }
}

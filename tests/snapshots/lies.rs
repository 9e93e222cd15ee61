//! A snapshot that lies is as good as none: the fold from the start is what counts.

use openthymos::{crypto::Purpose, ledger::Batch, replay::since_snapshot, runtime::Rotation};
use proptest::prelude::*;
use serde_json::json;

use super::{one::One, *};

struct Scene {
    fixture: Fixture,
    runtime: Runtime,
    run: TrajectoryId,
    /// What the run came to at its entry 6.
    snapshot: Snapshot,
}

/// A run of two keys, two payments, one of them in doubt, and two more keys after entry 6.
fn scene() -> Scene {
    let fixture = fixture();
    let runtime = open(&fixture, 0);
    let run = start(&runtime, &signed(writ()));
    let set = |key: &str| drop(submit(&run, "set", json!({"key": key, "value": "private"})));
    set("a");
    set("b");
    submit(&run, "pay", json!({}));
    submit(&run, "lose", json!({}));
    set("c");
    set("d");
    let id = run.id();
    drop(run);
    let (_, folded) = fold(&*fixture.ledger, &id, &fixture.entries(&id)[..7]);
    assert_eq!((folded.head_seq, folded.unknown_effects.len(), folded.world.len()), (6, 1, 2));
    let snapshot = Snapshot::of(store_id(&runtime), id, &folded);
    Scene { fixture, runtime, run: id, snapshot }
}

impl Scene {
    /// Whether the fold goes on from what the store kept at `seq`.
    fn uses(&self, seq: u64, kept: openthymos::canon::Bytes) -> bool {
        let one = One::of(&self.fixture.ledger, Some((seq, kept)));
        match block_on(since_snapshot(&one, &self.run, None)) {
            Some((report, folded)) => {
                let (_, whole) = fold(&one, &self.run, &self.fixture.entries(&self.run));
                assert_eq!(all(&folded), all(&whole));
                assert_eq!(report.since, Some(seq));
                true
            }
            None => false,
        }
    }

    /// The snapshot with something in it changed, signed by the runtime's key all the same.
    fn bent(&self, bend: impl FnOnce(&mut Value)) -> openthymos::canon::Bytes {
        let mut value = serde_json::to_value(&self.snapshot).unwrap();
        bend(&mut value);
        sealed(&serde_json::from_value(value).unwrap(), Some(RUNTIME))
    }
}

#[test]
fn the_snapshot_that_is_bent_here_is_used_as_it_is() {
    let scene = scene();
    assert!(scene.uses(6, sealed(&scene.snapshot, Some(RUNTIME))));
    assert!(scene.uses(6, scene.bent(|_| {})));
}

#[test]
fn a_snapshot_that_the_runtimes_key_did_not_sign() {
    let scene = scene();
    assert!(!scene.uses(6, sealed(&scene.snapshot, Some(STRANGER))));
    assert!(!scene.uses(6, sealed(&scene.snapshot, None)));
    let of_another = scene.snapshot.seal().unwrap();
    let signature = key(RUNTIME).sign(Purpose::Entry, of_another.hash.as_bytes());
    assert!(!scene.uses(6, of_another.signed(Some(signature))));
}

#[test]
fn a_snapshot_of_another_place() {
    let scene = scene();
    let good = || sealed(&scene.snapshot, Some(RUNTIME));
    assert!(!scene.uses(5, good()) && !scene.uses(7, good()) && !scene.uses(600, good()));
    let zeros = json!("0".repeat(64));
    for member in ["store", "trajectory", "entry"] {
        assert!(!scene.uses(6, scene.bent(|value| value[member] = zeros.clone())), "{member}");
    }
    assert!(!scene.uses(5, scene.bent(|value| value["seq"] = json!(5))));
    assert!(!scene.uses(600, scene.bent(|value| value["seq"] = json!(600))));
    assert!(!scene.uses(6, scene.bent(|value| value["format"] = json!(2))));
}

#[test]
fn even_with_the_runtimes_key_a_world_that_the_last_commit_did_not_leave() {
    let scene = scene();
    let bends: [fn(&mut Value); 7] = [
        |resources| resources[0]["version"] = json!(2),
        |resources| resources[0]["resource"]["id"] = json!("z"),
        |resources| resources[0]["value"] = resources[1]["value"].clone(),
        |resources| resources[0]["seq"] = json!(2),
        |resources| resources[0]["seq"] = json!(9_007_199_254_740_991u64),
        |resources| drop(resources.as_array_mut().unwrap().pop()),
        |resources| *resources = json!([]),
    ];
    for (number, bend) in bends.into_iter().enumerate() {
        assert!(!scene.uses(6, scene.bent(|value| bend(&mut value["resources"]))), "{number}");
    }
}

#[test]
fn even_with_the_runtimes_key_an_account_or_a_doubt_that_the_registers_do_not_know() {
    let scene = scene();
    let bends: [fn(&mut Value); 5] = [
        |value| value["spent"] = json!({}),
        |value| value["spent"]["usd_millicents"] = json!(15),
        |value| value["unknown_effects"][0]["held"] = json!({"tool_calls": 1}),
        |value| value["ended"] = json!("closed"),
        |value| value["open_turn"] = json!([value["entry"], {"tokens": 1}]),
    ];
    for (number, bend) in bends.into_iter().enumerate() {
        assert!(!scene.uses(6, scene.bent(bend)), "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte(at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<prop::sample::Index>()) {
        thread_local!(static SCENE: Scene = scene());
        SCENE.with(|scene| {
            let mut bytes = sealed(&scene.snapshot, Some(RUNTIME)).to_vec();
            let cut = cut.index(bytes.len());
            assert!(!scene.uses(6, bytes[..cut].into()));
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            assert!(!scene.uses(6, bytes.into()));
        });
    }
}

#[test]
fn in_a_store_that_is_run_unsigned_a_signed_one() {
    let fixture = fixture();
    let builder = Runtime::builder().shared_ledger(fixture.ledger.clone()).unsigned().host(fixture.host.clone());
    let builder = builder.trust(named(ISSUER), [Role::WritIssuer]).tools(tools()).snapshot_every(2);
    let runtime = block_on(builder.open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    for _ in 0..3 {
        submit(&run, "fail", json!({}));
        submit(&run, "nothing", json!({}));
    }
    let id = run.id();
    assert_eq!(block_on(since_snapshot(&*fixture.ledger, &id, None)).unwrap().0.since, Some(6));
    let (_, folded) = fold(&*fixture.ledger, &id, &fixture.entries(&id)[..3]);
    let snapshot = Snapshot::of(store_id(&runtime), id, &folded);
    let one = One::of(&fixture.ledger, Some((2, sealed(&snapshot, Some(RUNTIME)))));
    assert!(block_on(since_snapshot(&one, &id, None)).is_none());
}

#[test]
fn a_snapshot_of_a_key_that_was_replaced_or_called_compromised() {
    let Scene { fixture, runtime, run, snapshot } = scene();
    let kept = |seed| Some((6, sealed(&snapshot, Some(seed))));
    let uses = |seed| block_on(since_snapshot(&One::of(&fixture.ledger, kept(seed)), &run, None)).is_some();
    assert!(uses(RUNTIME));
    let next = Rotation::runtime(named(RUNTIME).key, "kernel", key(20));
    block_on(runtime.rotate(next, &key(RUNTIME))).unwrap();
    assert!(!uses(RUNTIME) && uses(20));
    let from = block_on(fixture.ledger.append(Batch::default())).unwrap();
    let next = Rotation::runtime(named(20).key, "kernel", key(21)).compromised_from(from);
    block_on(runtime.rotate(next, &key(ISSUER))).unwrap();
    assert!(!uses(20) && !uses(21));
}

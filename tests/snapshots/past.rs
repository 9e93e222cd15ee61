//! What is before a snapshot is not looked at when a run is taken up from there. Whoever can write the ledger's file may have
//! changed it since, so nothing is taken from there that the run's head does not vouch for.

use openthymos::{
    Intent,
    canon::{Blob, Salt, to_canonical},
    cognition::Mock,
    commit::Commit,
    host::SeededEntropy,
    intent::SealedIntent,
    ledger::{Kind, StoredBlob, record::Dispatch},
    runtime::{Limits, Run, RunError, StartError, Submitted},
};
use serde_json::json;

use super::{one::One, *};

struct Scene {
    fixture: Fixture,
    run: TrajectoryId,
    /// What was carried out first, and what came of it.
    first: SealedIntent,
    came_of_it: Submitted,
}

/// A run of two payments, an effect in doubt and refusals, with snapshots of which the last comes after all of those.
fn scene() -> Scene {
    let fixture = fixture();
    let runtime = open(&fixture, 4);
    let run = start(&runtime, &signed(writ()));
    let first = Intent::act("pay", json!({})).seal(&SeededEntropy::new(5)).unwrap();
    let came_of_it = block_on(run.submit_sealed(first.clone())).unwrap();
    submit(&run, "pay", json!({"n": 2}));
    submit(&run, "lose", json!({"invoice": "mine"}));
    for key in 0..8 {
        submit(&run, "fail", json!({}));
        submit(&run, "nothing", json!({ "key": key }));
    }
    let id = run.id();
    drop((run, runtime));
    block_on(open(&fixture, 4).resume(&id)).unwrap();
    Scene { fixture, run: id, first, came_of_it }
}

fn entries_of(scene: &Scene, kind: Kind) -> impl DoubleEndedIterator<Item = Entry> {
    scene.fixture.entries(&scene.run).into_iter().filter(move |entry| entry.header.known_kind() == Some(kind))
}

/// The entry with another value and a record that names it, under the header of before.
fn forged(entry: &Entry, value: &Value, record: impl FnOnce(openthymos::canon::Commitment) -> Vec<u8>) -> Entry {
    let blob = Blob::seal(value, Salt([1; 16])).unwrap();
    let record = record(blob.commitment()).into();
    Entry { record, blobs: vec![StoredBlob::Present(blob)], ..entry.clone() }
}

fn forged_dispatch(scene: &Scene) -> Entry {
    let entry = entries_of(scene, Kind::Dispatch).next_back().unwrap();
    let mut dispatch: Dispatch = entry.body().unwrap();
    forged(&entry, &json!({"invoice": "another"}), |commitment| {
        Arc::make_mut(&mut dispatch.proposal).intent.args = commitment;
        to_canonical(&dispatch).unwrap()
    })
}

fn forged_commit(scene: &Scene) -> Entry {
    let entry = entries_of(scene, Kind::Commit).next().unwrap();
    let mut commit: Commit = entry.body().unwrap();
    forged(&entry, &json!("false"), |commitment| {
        commit.observation.output = commitment;
        to_canonical(&commit).unwrap()
    })
}

impl Scene {
    /// Takes the run up on a ledger in which one entry was changed.
    fn taken_up(&self, forged: Option<Entry>) -> Result<Run, StartError> {
        let snapshot = block_on(self.fixture.ledger.snapshot(&self.run, u64::MAX)).unwrap();
        assert!(snapshot.as_ref().is_some_and(|(seq, _)| *seq > 10));
        let one = Arc::new(One { forged, ..One::of(&self.fixture.ledger, snapshot) });
        let builder = self.fixture.builder().shared_ledger(one).trust(named(AGENT), [Role::Approver]).tools(tools());
        block_on(block_on(builder.open()).unwrap().resume(&self.run))
    }
}

#[test]
fn an_effect_in_doubt_is_settled_for_what_was_dispatched_and_nothing_else() {
    let scene = scene();
    assert_eq!(block_on(scene.taken_up(None).unwrap().in_doubt()).len(), 1);
    let entries = scene.fixture.entries(&scene.run);
    let Err(refused) = scene.taken_up(Some(forged_dispatch(&scene))) else { panic!("taken up") };
    assert!(refused.to_string().contains("is not what it was"), "{refused}");
    assert_eq!(scene.fixture.entries(&scene.run), entries);
}

#[test]
fn cognition_is_told_what_happened_or_nothing() {
    let scene = scene();
    let run = scene.taken_up(Some(forged_commit(&scene))).unwrap();
    let entries = scene.fixture.entries(&scene.run);
    let mut model = Mock::turns(vec![]).answering("done");
    let refused = block_on(run.drive(&mut model, Limits::default())).unwrap_err();
    assert!(refused.to_string().contains("is not what it was"), "{refused}");
    assert_eq!(scene.fixture.entries(&scene.run), entries);
    drop(run);
    let run = scene.taken_up(None).unwrap();
    block_on(run.drive(&mut model, Limits::default())).unwrap();
}

#[test]
fn an_intent_that_comes_again_is_answered_with_what_happened() {
    let scene = scene();
    let again = |forged| block_on(scene.taken_up(forged).unwrap().submit_sealed(scene.first.clone()));
    let refused: RunError = again(Some(forged_commit(&scene))).unwrap_err();
    assert!(refused.to_string().contains("is not what it was"), "{refused}");
    assert_eq!(again(None).unwrap(), scene.came_of_it);
}

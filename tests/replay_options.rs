//! What a replay finds does not depend on how many threads check, nor on whether signatures are verified together; and what a
//! quicker way does not show is said.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{num::NonZeroUsize, sync::LazyLock};

use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{Bytes, EntryId, TrajectoryId, WorldRoot},
    commit::{Commit, Delta},
    crypto::Purpose,
    ledger::{Draft, Entry, StoredBlob},
    replay::{self, AuthorityLog, FaultKind, Options, Pins, ReplayError, Replayer, Report},
    tool::{Call, ToolOutput},
};
use proptest::prelude::*;
use serde_json::json;

/// A run that is long enough for several threads.
struct Long {
    log: AuthorityLog,
    run: TrajectoryId,
    entries: Vec<Entry>,
}

/// Commits, dispatches and refusals in turn.
static LONG: LazyLock<Long> = LazyLock::new(|| Long::of(&["note", "send", "gone"]));

impl Long {
    fn of(tools: &[&str]) -> Self {
        let fixture = Fixture::default();
        let write = |id: &'static str| {
            move |call: Call| {
                let key = kv(&format!("{id}{}", call.args["n"]));
                Ok(ToolOutput::new("written").with_delta(Delta::none().create(key, json!(1))))
            }
        };
        let runtime =
            fixture.open([TestTool::host("send").calling(write("a")), TestTool::world("note").calling(write("b"))]);
        let run = start(&runtime, &signed(writ()));
        for n in 0..150 / tools.len() {
            tools.iter().for_each(|tool| drop(submit(&run, tool, json!({"n": n}))));
        }
        let log = block_on(replay::closure(&*fixture.ledger, &run.id())).unwrap();
        Self { log, run: run.id(), entries: fixture.entries(&run.id()) }
    }

    fn replay(&self, entries: &[Entry], pins: Pins) -> Result<Report, ReplayError> {
        let mut replayer = Replayer::new(&self.log, self.run, pins);
        let mut seen = Vec::new();
        let pushed = replayer.push_all(entries.to_vec(), |entry, _| seen.push(entry.header.seq));
        assert!(seen.is_sorted() && seen.len() <= entries.len());
        pushed?;
        assert_eq!(seen.len(), entries.len());
        replayer.finish().map(|(report, _)| report)
    }

    /// The report, or what is wrong, with so many threads.
    fn found(&self, entries: &[Entry], workers: usize, batch: bool) -> Result<Report, String> {
        let options = Options { batch, workers: NonZeroUsize::new(workers), ..Options::default() };
        let pins = Pins { signer: Some(key(RUNTIME).public_key()), options, ..Pins::default() };
        let report = self.replay(entries, pins).map_err(|error| error.to_string())?;
        assert_eq!(report.batched, batch);
        Ok(Report { batched: false, ..report })
    }
}

/// What somebody does to a run.
#[derive(Debug, Clone)]
enum Tampering {
    Flip { part: usize, byte: usize },
    Unsign,
    SignAsStranger,
    Drop,
    Double,
    Swap,
    Erase,
}

fn tampering() -> impl Strategy<Value = Tampering> {
    use Tampering::*;
    let flip = (0usize..4, any::<usize>()).prop_map(|(part, byte)| Flip { part, byte });
    prop_oneof![4 => flip, 1 => Just(Unsign), 1 => Just(SignAsStranger), 1 => Just(Drop), 1 => Just(Double), 1 => Just(Swap), 1 => Just(Erase)]
}

fn flipped(bytes: &[u8], byte: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = byte % bytes.len();
    bytes[at] ^= 1 << (byte % 8);
    bytes
}

fn tamper(entries: &mut Vec<Entry>, at: usize, tampering: &Tampering) {
    let entry = &mut entries[at];
    match *tampering {
        Tampering::Flip { part: 0, byte } => {
            entry.signature.as_mut().unwrap().0[byte % 64] ^= 1 << (byte % 8);
        }
        Tampering::Flip { part: 1, byte } => entry.record = Bytes::from(flipped(&entry.record, byte)),
        Tampering::Flip { part: 2, byte } => match entry.blobs.first_mut() {
            Some(StoredBlob::Present(blob)) => blob.bytes = flipped(&blob.bytes, byte).into(),
            _ => entry.header.time_ms += 1,
        },
        Tampering::Flip { byte, .. } => entry.header.base_seq ^= 1 << (byte % 8),
        Tampering::Unsign => entry.signature = None,
        Tampering::SignAsStranger => {
            entry.signature = Some(key(STRANGER).sign(Purpose::Entry, entry.id().as_bytes()));
        }
        Tampering::Drop => drop(entries.remove(at)),
        Tampering::Double => entries.insert(at, entries[at].clone()),
        Tampering::Swap => {
            let other = (at + 1) % entries.len();
            entries.swap(at, other);
        }
        Tampering::Erase => {
            if let Some(blob) = entry.blobs.first_mut() {
                *blob = StoredBlob::Erased(blob.commitment());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_verdict_and_the_first_fault_are_the_same_whoever_checks(
        changes in prop::collection::vec((any::<prop::sample::Index>(), tampering()), 0..3),
    ) {
        let mut entries = LONG.entries.clone();
        for (at, tampering) in &changes {
            let at = at.index(entries.len());
            tamper(&mut entries, at, tampering);
        }
        let alone = LONG.found(&entries, 1, false);
        // A run that only ends sooner is a run: a head that somebody kept says how long it should be.
        prop_assert_eq!(alone.is_ok(), LONG.entries.starts_with(&entries));
        for (workers, batch) in [(1, true), (2, false), (2, true), (5, false), (5, true)] {
            prop_assert_eq!(&LONG.found(&entries, workers, batch), &alone, "{} threads, batch: {}", workers, batch);
        }
    }
}

/// The run with another root in the commit at `at`, signed anew by the runtime itself.
fn with_root(run: &Long, at: usize) -> Vec<Entry> {
    let mut entries = run.entries.clone();
    let entry = &mut entries[at];
    let blobs = entry.blobs.iter().filter_map(|blob| match blob {
        StoredBlob::Present(blob) => Some(blob.clone()),
        StoredBlob::Erased(_) => None,
    });
    let commit = Commit { world_root: WorldRoot([1; 32]), ..entry.body().unwrap() };
    let draft = Draft::seal(entry.header.known_kind().unwrap(), &commit, blobs.collect()).unwrap();
    entry.header.record = draft.hash();
    entry.record = draft.record;
    let mut parent = EntryId::ZERO;
    for entry in &mut entries {
        entry.header.parent = parent;
        parent = entry.id();
        entry.signature = Some(key(RUNTIME).sign(Purpose::Entry, parent.as_bytes()));
    }
    entries
}

#[test]
fn a_root_in_the_middle_is_compared_when_every_root_is() {
    let run = Long::of(&["note"]);
    let every_root = Pins { options: Options { every_root: true, ..Options::default() }, ..Pins::default() };
    let (middle, last) = (70, run.entries.len() - 1);
    run.replay(&run.entries, every_root.clone()).unwrap();
    run.replay(&with_root(&run, middle), Pins::default()).unwrap();
    for (at, pins) in [(middle, every_root), (last, Pins::default())] {
        match run.replay(&with_root(&run, at), pins) {
            Err(ReplayError::Fault(fault)) => {
                assert!(matches!(fault.reason, FaultKind::Root { .. }), "{fault}");
                assert_eq!(fault.seq, at as u64);
            }
            other => unreachable!("{other:?}"),
        }
    }
}

#[test]
fn signatures_are_verified_in_batches_only_for_a_pinned_signer_and_the_report_says_so() {
    let options = Options { batch: true, ..Options::default() };
    let report = LONG.replay(&LONG.entries, Pins { options, ..Pins::default() }).unwrap();
    assert!(!report.batched && !report.to_string().contains("in batches"), "{report}");
    let signer = Some(key(RUNTIME).public_key());
    let report = LONG.replay(&LONG.entries, Pins { signer, options, ..Pins::default() }).unwrap();
    assert!(report.batched && report.to_string().contains(", verified in batches"), "{report}");
    let signer = Some(key(STRANGER).public_key());
    let error = LONG.replay(&LONG.entries, Pins { signer, options, ..Pins::default() }).unwrap_err();
    assert!(matches!(&error, ReplayError::Fault(fault) if fault.seq == 0), "{error}");
}

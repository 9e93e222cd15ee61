//! Even with the runtime's key: a run and those that it started say the same of each other, or a replay names what does not hold.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

#[path = "../store_verification/altered.rs"]
#[expect(dead_code, reason = "each test uses a part of it")]
#[expect(clippy::expect_used, reason = "a helper that goes wrong should stop the test")]
mod altered;
mod between;
#[path = "../common/mod.rs"]
mod common;
mod within;

use altered::Altered;
use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{TrajectoryId, canonical_value},
    cognition::Mock,
    intent::Intent,
    ledger::{Entry, LedgerStore},
    replay::{self, Pins, ReplayError, Verdict},
    runtime::{Limits, Run, Subjects, Submitted},
};
use serde_json::{Value, json};

/// A store in which a run started two others, of which the first ended and the second started one, and a copy of it to change.
struct Forged {
    copy: Altered,
    run: TrajectoryId,
    first: TrajectoryId,
    second: TrajectoryId,
    below: TrajectoryId,
}

/// The seqs of the entries of the run, of which those of the second have the first two.
const DELEGATION: u64 = 1;
const RESULT: u64 = 2;
const SECOND_DELEGATION: u64 = 3;

impl Forged {
    fn new() -> Self {
        Self::after(|run| {
            submit(run, "act", json!({}));
        })
    }

    /// The same after something more.
    fn after(more: impl FnOnce(&Run)) -> Self {
        let fixture = Fixture::default();
        let subjects = Subjects::default().key(key(AGENT)).secret([5; 32]);
        let runtime = block_on(fixture.builder().tool(TestTool::host("act")).delegation(subjects).open()).unwrap();
        let run = start(&runtime, &signed(writ()));
        let first = delegated(&run, 1);
        block_on(first.drive(&mut Mock::default().answering("done"), Limits::default())).unwrap();
        block_on(run.conclude(&first.id())).unwrap();
        let second = delegated(&run, 1);
        let below = delegated(&second, 0);
        more(&run);
        let store: std::sync::Arc<dyn LedgerStore> = fixture.ledger.clone();
        let [run, first, second, below] = [run, first, second, below].map(|run| run.id());
        Self { copy: Altered::of(&store), run, first, second, below }
    }

    fn at(&self, run: TrajectoryId, seq: u64) -> usize {
        let of = |(_, entry): &(u64, Entry)| entry.header.trajectory == run && entry.header.seq == seq;
        self.copy.log.iter().position(of).unwrap()
    }

    fn entry(&mut self, run: TrajectoryId, seq: u64) -> &mut Entry {
        let at = self.at(run, seq);
        &mut self.copy.log[at].1
    }

    fn remove(&mut self, run: TrajectoryId, seq: u64) {
        let at = self.at(run, seq);
        self.copy.log.remove(at);
    }

    /// Changes the record of an entry.
    fn record(&mut self, run: TrajectoryId, seq: u64, change: impl FnOnce(&mut Value)) {
        let entry = self.entry(run, seq);
        let mut record = serde_json::from_slice(&entry.record).unwrap();
        change(&mut record);
        entry.record = canonical_value(&record).unwrap().into();
    }

    /// A replay of one run.
    fn replayed(&self, run: TrajectoryId) -> Result<Verdict, ReplayError> {
        block_on(replay::run(&self.copy, &run, Pins::default(), |_, _| {})).map(|(report, _)| report.verdict())
    }

    /// A replay of the run and of all below it.
    fn lineage(&self) -> Result<Verdict, ReplayError> {
        block_on(replay::lineage(&self.copy, &self.run, |_| Pins::default())).map(|lineage| lineage.verdict())
    }
}

/// Starts a child that may have so many generations below it.
fn delegated(run: &Run, depth: u32) -> Run {
    let args = json!({"depth": depth, "effects": "write", "task": "a part", "tools": ["act", "delegate"]});
    match block_on(run.submit(Intent::delegate(args))).unwrap() {
        Submitted::Delegated { child, .. } => block_on(run.child(&child)).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_nobody_changed_holds() {
    let mut forged = Forged::new();
    let before: Vec<_> = forged.copy.log.iter().map(|(_, entry)| entry.id()).collect();
    forged.copy.seal();
    assert!(before.iter().eq(forged.copy.log.iter().map(|(_, entry)| entry.id()).collect::<Vec<_>>().iter()));
    assert_eq!(forged.lineage().unwrap(), Verdict::Verified);
    assert_eq!(whole(&forged.copy).runs, 4);
}

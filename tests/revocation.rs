//! A revoked writ takes all below it with it, at once, in every run and for good; its siblings stay.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use common::*;
use futures::executor::block_on;
use openthymos::{
    Runtime,
    canon::WritId,
    host::SeededEntropy,
    ledger::record::StartRefused,
    proposal::{Code, Stage},
    runtime::{Run, Submitted},
    writ::{WritBuilder, WritChain},
};
use serde_json::json;

const GRANDCHILD: u8 = 60;
const SIBLING: u8 = 61;

/// A root, its child, its grandchild, and a sibling of the child, with the keys of their subjects.
fn family() -> [(WritChain, u8); 4] {
    let root = signed(writ());
    let below = child(&root, |writ| writ.delegable(1));
    let grand = WritBuilder::child(&below, named(GRANDCHILD));
    let grand = block_on(grand.sign_with(&key(CHILD), &SeededEntropy::new(13))).unwrap();
    let sibling = WritBuilder::child(&root, named(SIBLING));
    let sibling = block_on(sibling.sign_with(&key(AGENT), &SeededEntropy::new(14))).unwrap();
    [(root, AGENT), (below, CHILD), (grand, GRANDCHILD), (sibling, SIBLING)]
}

struct Case {
    fixture: Fixture,
    runtime: Runtime,
    runs: Vec<Run>,
    calls: Counter,
}

fn opened(fixture: &Fixture) -> (Runtime, Counter) {
    let tool = TestTool::host("act");
    let calls = tool.counter();
    (fixture.open([tool]), calls)
}

impl Case {
    /// Live runs under every writ of the family.
    fn new() -> Self {
        let fixture = Fixture::default();
        let (runtime, calls) = opened(&fixture);
        let start =
            |(chain, subject): &(WritChain, u8)| block_on(runtime.start("a task", chain, &key(*subject))).unwrap();
        let runs = family().iter().map(start).collect();
        Self { fixture, runtime, runs, calls }
    }

    fn revoke(&self, writ: WritId) {
        block_on(self.runtime.revoke(writ, "left the company", "issuer", &key(ISSUER))).unwrap();
    }

    /// Which of the family's runs are still allowed to act; no tool is called for the others.
    fn allowed(&self) -> Vec<bool> {
        let act = |run: &Run| {
            let before = self.calls.get();
            let allowed = match submit(run, "act", json!({})) {
                Submitted::Committed { .. } => true,
                Submitted::Rejected { refusal, .. } => {
                    assert_eq!((refusal.stage, refusal.code), (Stage::Revocation, Code::Revoked));
                    false
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(self.calls.get(), before + usize::from(allowed));
            allowed
        };
        self.runs.iter().map(act).collect()
    }

    fn restarted(mut self) -> Self {
        let ids: Vec<_> = self.runs.iter().map(Run::id).collect();
        drop((self.runs, self.runtime));
        (self.runtime, self.calls) = opened(&self.fixture);
        self.runs = ids.iter().map(|id| block_on(self.runtime.resume(id)).unwrap()).collect();
        self
    }
}

#[test]
fn a_revoked_writ_takes_its_descendants_and_leaves_its_siblings_in_live_runs_and_after_a_restart() {
    for (revoked, stay) in [
        (0, [false, false, false, false]),
        (1, [true, false, false, true]),
        (2, [true, true, false, true]),
        (3, [true, true, true, false]),
    ] {
        let case = Case::new();
        assert_eq!(case.allowed(), [true; 4]);
        case.revoke(family()[revoked].0.id());
        assert_eq!(case.allowed(), stay, "writ {revoked}");
        let case = case.restarted();
        assert_eq!(case.allowed(), stay, "writ {revoked} after a restart");
        for ((chain, subject), stays) in family().iter().zip(stay) {
            let started = block_on(case.runtime.start("again", chain, &key(*subject)));
            assert_eq!(started.is_ok(), stays);
            if !stays {
                let recorded: StartRefused = case.fixture.authority().last().unwrap().body().unwrap();
                assert_eq!((recorded.refusal.code, recorded.writ), (Code::Revoked, Some(chain.id())));
            }
        }
        case.runs.iter().for_each(|run| drop(verified(&case.runtime, &run.id())));
    }
}

#[test]
fn a_writ_that_no_run_knows_yet_is_void_when_it_is_presented() {
    let fixture = Fixture::default();
    let (runtime, calls) = opened(&fixture);
    let [_, (below, subject), ..] = family();
    block_on(runtime.revoke(below.id(), "never", "issuer", &key(ISSUER))).unwrap();
    // Once more is no error.
    block_on(runtime.revoke(below.id(), "never", "issuer", &key(ISSUER))).unwrap();
    let refused = block_on(runtime.start("x", &below, &key(subject))).err().unwrap();
    assert!(refused.to_string().contains("revoked"), "{refused}");
    assert_eq!(calls.get(), 0);
}

//! Where no random bytes can be had nothing is sealed: no effect, or one that is in doubt.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use common::*;
use futures::executor::block_on;
use openthymos::{
    commit::{Change, Delta},
    host::{Entropy, EntropyError, SeededEntropy},
    intent::Intent,
    ledger::Kind,
    runtime::{RunError, Submitted},
    tool::ToolOutput,
    writ::Amounts,
};
use serde_json::json;

/// Fails from the draw on that it is told.
struct RunsDry {
    left: Arc<AtomicU64>,
    source: SeededEntropy,
}

impl Entropy for RunsDry {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| EntropyError("dry".into()))?;
        self.source.fill(bytes)
    }
}

fn creates(tool: TestTool) -> TestTool {
    tool.calling(|_| {
        let made = ["a", "b"].map(|id| Change::Create { resource: kv(id), value: json!(1) });
        Ok(ToolOutput::new("made").with_delta(Delta(made.into())))
    })
}

/// Plays one call with so many draws and no more, until they are enough. `failed` gets how often the tool was called and the
/// error. Returns how many are needed.
fn draws_of_a_call(tool: fn(&str) -> TestTool, failed: impl Fn(usize, RunError)) -> u64 {
    for draws in 0..20 {
        let mut fixture = Fixture::default();
        let left = Arc::new(AtomicU64::new(u64::MAX));
        fixture.host.entropy = Arc::new(RunsDry { left: Arc::clone(&left), source: SeededEntropy::new(7) });
        let tool = creates(tool("act"));
        let calls = tool.counter();
        let runtime = fixture.open([tool]);
        let run = start(&runtime, &signed(writ()));
        let id = run.id();
        left.store(draws, Ordering::SeqCst);
        let answer = block_on(run.submit(Intent::act("act", json!({})).because("it is due")));
        left.store(u64::MAX, Ordering::SeqCst);
        let error = match answer {
            Ok(Submitted::Committed { .. }) => return draws,
            Ok(other) => panic!("{other:?}"),
            Err(error) => error,
        };
        let dispatched = fixture.kinds(&id).contains(&Kind::Dispatch);
        let (spent, held) = block_on(run.spent());
        assert_eq!((spent, held != Amounts::ZERO, block_on(run.world()).len()), (Amounts::ZERO, dispatched, 0));
        failed(calls.get(), error);
        drop(run);
        let again = block_on(runtime.resume(&id)).unwrap();
        assert_eq!(block_on(again.in_doubt()).len(), usize::from(dispatched));
        assert_eq!(verified(&runtime, &id).commits, 0);
    }
    panic!("never enough")
}

#[test]
fn a_call_that_touches_the_world_alone_changes_nothing() {
    let draws = draws_of_a_call(TestTool::world, |_, error| {
        assert!(matches!(error, RunError::Intent(_) | RunError::Entropy(_)), "{error:?}");
    });
    // Arguments, reason and nonce; output and two values.
    assert_eq!(draws, 6);
}

#[test]
fn an_effect_whose_outcome_cannot_be_sealed_is_in_doubt() {
    let draws = draws_of_a_call(TestTool::host, |calls, error| match error {
        RunError::OutcomeNotRecorded { .. } => assert_eq!(calls, 1),
        error => assert!(matches!(error, RunError::Intent(_)) && calls == 0, "{error:?}"),
    });
    assert_eq!(draws, 6);
}

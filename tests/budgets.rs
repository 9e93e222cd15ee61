//! Budgets are accounts of the writ tree: whoever spends under a writ spends of every writ above it, in every run, and
//! after a restart.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::Barrier;

use async_trait::async_trait;
use common::*;
use futures::{FutureExt, executor::block_on};
use openthymos::{
    canon::TrajectoryId,
    cognition::{Cognition, CognitionError, Context, Request, Turn, TurnEvents},
    intent::{Intent, IntentKind},
    ledger::record::{EndReason, Rejection, Terminated},
    proposal::Code,
    runtime::{Limits, Run, Runtime, Submitted, WhyStopped},
    tool::{ToolError, ToolOutput},
    writ::{Amounts, Dimension, WritChain},
};
use serde_json::json;

fn calls(tool_calls: u64) -> Amounts {
    Amounts { tool_calls, ..PLENTY }
}

/// A tool whose result says how the call ends.
fn tool() -> TestTool {
    TestTool::host("act").calling(|call| match call.args.get("fail") {
        Some(_) => Err(ToolError::NotDone("told to".into())),
        None => Ok(ToolOutput::new("done")),
    })
}

/// Whether a call was carried out; the alternative is a refusal for its budget.
fn done(run: &Run) -> bool {
    match submit(run, "act", json!({})) {
        Submitted::Committed { .. } => true,
        Submitted::Rejected { refusal, .. } if refusal.code == Code::BudgetExceeded => false,
        other => panic!("{other:?}"),
    }
}

/// What every writ of the run's chain has left, as a decision records it.
fn balances(fixture: &Fixture, run: &Run) -> Vec<Amounts> {
    let intent = Intent { kind: IntentKind::Delegate, ..Intent::act("act", json!({})) };
    match block_on(run.submit(intent)).unwrap() {
        Submitted::Rejected { seq, .. } => match fixture.entry(&run.id(), seq).body().unwrap() {
            Rejection::Refused(proposal) => proposal.decision.balances.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_runs_and_a_child_share_what_is_above_them() {
    let fixture = Fixture::default();
    let runtime = fixture.open([tool()]);
    let root = signed(writ().budget(calls(5)));
    let below = child(&root, |writ| writ.budget(calls(4)));
    let (one, other, third) = (start(&runtime, &root), start(&runtime, &root), start(&runtime, &below));
    assert!(done(&one) && done(&other) && done(&third) && done(&third));
    assert_eq!(balances(&fixture, &third).iter().map(|left| left.tool_calls).collect::<Vec<_>>(), [1, 2]);
    assert!(done(&other));
    // The child has two left of its own, and its parent none.
    assert!(!done(&third) && !done(&one) && !done(&other));
    for run in [one, other, third] {
        verified(&runtime, &run.id());
    }
}

#[test]
fn a_child_cannot_spend_more_than_its_own() {
    let fixture = Fixture::default();
    let runtime = fixture.open([tool()]);
    let root = signed(writ().budget(calls(5)));
    let below = child(&root, |writ| writ.budget(calls(2)));
    let (parent, first, second) = (start(&runtime, &root), start(&runtime, &below), start(&runtime, &below));
    assert!(done(&first) && done(&second) && !done(&first) && !done(&second));
    assert!(done(&parent) && done(&parent) && done(&parent) && !done(&parent));
}

#[test]
fn accounts_are_as_they_were_after_a_restart() {
    let fixture = Fixture::default();
    let root = signed(writ().budget(calls(6)));
    let below = child(&root, |writ| writ.budget(calls(5)));
    let runtime = fixture.open([tool()]);
    let (one, other) = (start(&runtime, &root), start(&runtime, &below));
    assert!(done(&one) && done(&other));
    assert!(matches!(submit(&other, "act", json!({"fail": 1})), Submitted::Failed { .. }));
    let before = balances(&fixture, &other);
    let ids: [TrajectoryId; 2] = [one.id(), other.id()];
    drop((one, other, runtime));

    let runtime = fixture.open([tool()]);
    // A new run of the child's writ alone loads the accounts of both.
    let fresh = start(&runtime, &below);
    assert_eq!(balances(&fixture, &fresh), before);
    let [one, other] = ids.map(|id| block_on(runtime.resume(&id)).unwrap());
    assert_eq!(balances(&fixture, &other), before);
    assert!(done(&fresh) && done(&other) && done(&one));
    assert!(!done(&fresh) && !done(&other) && !done(&one));
}

#[test]
fn a_refused_call_costs_nothing_and_a_failed_one_costs() {
    let fixture = Fixture::default();
    let runtime = fixture.open([tool()]);
    let run = start(&runtime, &signed(writ().budget(calls(2))));
    assert!(matches!(submit(&run, "gone", json!({})), Submitted::Rejected { .. }));
    assert!(matches!(submit(&run, "act", json!({"fail": 1})), Submitted::Failed { .. }));
    assert!(done(&run) && !done(&run));
}

#[test]
fn exactly_as_many_calls_as_were_granted_succeed_at_once() {
    let fixture = Fixture::default();
    let runtime = fixture.open([tool()]);
    let root = signed(writ().budget(calls(13)));
    let below = child(&root, |writ| writ);
    let runs: Vec<Run> = (0..8).map(|at| start(&runtime, if at % 2 == 0 { &root } else { &below })).collect();
    let barrier = Barrier::new(runs.len());
    let succeeded: usize = std::thread::scope(|scope| {
        let work = |run| {
            let barrier = &barrier;
            move || {
                barrier.wait();
                (0..5).filter(|_| done(run)).count()
            }
        };
        let threads: Vec<_> = runs.iter().map(|run| scope.spawn(work(run))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(succeeded, 13);
    let spent = runs.iter().map(|run| verified(&runtime, &run.id()).spent.tool_calls).sum::<u64>();
    assert_eq!((spent, balances(&fixture, &runs[0])[0].tool_calls), (13, 0));
}

/// A cognition that estimates, reports usage and asks for a call in every step.
struct Spender {
    estimate: Amounts,
    usage: Amounts,
    steps: usize,
}

#[async_trait]
impl Cognition for Spender {
    fn name(&self) -> String {
        "spender".into()
    }

    fn estimate(&self) -> Amounts {
        self.estimate
    }

    async fn step(&mut self, _: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        if self.steps == 0 {
            return Ok(Turn { usage: self.usage, ..Turn::answer("enough") });
        }
        self.steps -= 1;
        Ok(Turn { usage: self.usage, ..Turn::calls([Request::call("act", json!({}))]) })
    }
}

fn drive(runtime: &Runtime, chain: &WritChain, mut spender: Spender) -> (Run, openthymos::runtime::Summary) {
    let run = start(runtime, chain);
    let summary = block_on(run.drive(&mut spender, Limits::default())).unwrap();
    verified(runtime, &run.id());
    (run, summary)
}

#[test]
fn turns_are_debited_what_they_cost_and_not_what_they_were_estimated_at() {
    let fixture = Fixture::default();
    let runtime = fixture.open([tool()]);
    let root = signed(writ());
    let (estimate, usage) =
        (Amounts { tokens: 500, ..Amounts::ZERO }, Amounts { tokens: 70, usd_millicents: 3, ..Amounts::ZERO });
    let (run, summary) = drive(&runtime, &root, Spender { estimate, usage, steps: 2 });
    assert_eq!(summary.why, WhyStopped::Ended(EndReason::Completed));
    let spent = Amounts { tokens: 210, tool_calls: 2, usd_millicents: 9, wall_clock_ms: 0 };
    assert_eq!((summary.spent, block_on(run.spent())), (spent, (spent, Amounts::ZERO)));
    let last: Terminated = fixture.entry(&run.id(), summary.head_seq).body().unwrap();
    assert_eq!((last.spent, verified(&runtime, &run.id()).spent), (spent, spent));
    let other = start(&runtime, &root);
    assert_eq!(balances(&fixture, &other), [PLENTY.minus(&spent)]);
}

#[test]
fn a_turn_that_overdraws_ends_the_run_and_names_the_dimension() {
    for (dimension, budget, usage) in [
        (Dimension::Tokens, Amounts { tokens: 100, ..PLENTY }, Amounts { tokens: 101, ..Amounts::ZERO }),
        (
            Dimension::UsdMillicents,
            Amounts { usd_millicents: 9, ..PLENTY },
            Amounts { usd_millicents: u64::MAX, ..Amounts::ZERO },
        ),
    ] {
        let fixture = Fixture::default();
        let tool = tool();
        let counter = tool.counter();
        let runtime = fixture.open([tool]);
        let root = signed(writ().budget(budget));
        let (run, summary) = drive(&runtime, &root, Spender { estimate: Amounts::ZERO, usage, steps: 9 });
        assert_eq!(summary.why, WhyStopped::Ended(EndReason::BudgetExhausted));
        assert_eq!(summary.detail.as_deref(), Some(dimension.as_str()));
        let last: Terminated = fixture.entry(&run.id(), summary.head_seq).body().unwrap();
        assert_eq!((last.reason, last.detail.as_deref()), (EndReason::BudgetExhausted, Some(dimension.as_str())));
        assert_eq!((summary.steps, counter.get()), (0, 0));
        let other = start(&runtime, &root);
        assert_eq!(balances(&fixture, &other)[0].get(dimension), 0);
    }
}

#[test]
fn a_turn_whose_estimate_does_not_fit_is_not_begun() {
    let fixture = Fixture::default();
    let runtime = fixture.open([tool()]);
    let root = signed(writ().budget(Amounts { tokens: 1_000, ..PLENTY }));
    let below = child(&root, |writ| writ.budget(Amounts { tokens: 100, ..PLENTY }));
    let spender = |tokens| Spender {
        estimate: Amounts { tokens, ..Amounts::ZERO },
        usage: Amounts { tokens: 40, ..Amounts::ZERO },
        steps: 9,
    };
    let (_, summary) = drive(&runtime, &below, spender(60));
    // 100, 60, then 20 are left for the 60 of the next turn.
    assert_eq!(
        (summary.why, summary.detail.as_deref()),
        (WhyStopped::Ended(EndReason::BudgetExhausted), Some("tokens"))
    );
    assert_eq!((summary.steps, summary.spent.tokens), (2, 80));
}

#[test]
fn what_a_call_that_was_given_up_had_reserved_is_free_again() {
    for resumes in [true, false] {
        let fixture = Fixture::default();
        let slow = TestTool::world("slow").with(|tool| tool.call = Box::new(|_| Box::pin(std::future::pending())));
        let runtime = fixture.open([slow, TestTool::world("act")]);
        let chain = signed(writ().budget(Amounts { tool_calls: 1, ..PLENTY }));
        let (run, other) = (start(&runtime, &chain), start(&runtime, &chain));
        let mut call = Box::pin(run.submit(Intent::act("slow", json!({}))));
        assert!((&mut call).now_or_never().is_none());
        assert!(matches!(submit(&other, "act", json!({})), Submitted::Rejected { .. }), "it is reserved");
        let id = run.id();
        drop(call);
        let run = if resumes {
            block_on(runtime.resume(&id)).unwrap()
        } else {
            drop(run);
            other
        };
        assert_eq!(block_on(run.spent()), (Amounts::ZERO, Amounts::ZERO));
        let next = submit(&run, "act", json!({}));
        assert!(matches!(next, Submitted::Committed { .. }), "{next:?}");
    }
}

#[test]
fn a_handle_that_another_one_has_overtaken_reserves_nothing() {
    let fixture = Fixture::default();
    let tool = TestTool::host("act");
    let calls = tool.counter();
    let runtime = fixture.open([tool]);
    let chain = signed(writ().budget(Amounts { tool_calls: 2, ..PLENTY }));
    let old = start(&runtime, &chain);
    let new = block_on(runtime.resume(&old.id())).unwrap();
    assert!(block_on(old.submit(Intent::act("act", json!({})))).is_err());
    drop(old);
    for _ in 0..2 {
        assert!(matches!(submit(&new, "act", json!({})), Submitted::Committed { .. }));
    }
    assert!(matches!(submit(&new, "act", json!({})), Submitted::Rejected { .. }));
    assert_eq!(calls.get(), 2);
    verified(&runtime, &new.id());
}

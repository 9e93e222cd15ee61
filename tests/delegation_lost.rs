//! Whatever fails while a run hands work down, its child acts and gives back: a child is started once and never without its entry,
//! its effect happens at most once, and what came of it is on record before its parent ends.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    task::Poll,
};

use async_trait::async_trait;
use common::{
    faulty::{Fault, FaultyLedger, faults},
    *,
};
use futures::{FutureExt, executor::block_on};
use openthymos::{
    canon::TrajectoryId,
    cognition::{Cognition, CognitionError, Context, Outcome, Request, Turn, TurnEvents},
    ledger::{
        Kind, LedgerStore,
        record::{RunOpened, RunStart},
    },
    runtime::{Limits, Runtime, Subjects, WhyStopped},
    tool::ToolContract,
    writ::WritChain,
};
use serde_json::json;

/// Asks for what it has not been told of yet, and works as its own child.
struct Planner {
    child: bool,
}

#[async_trait]
impl Cognition for Planner {
    fn name(&self) -> String {
        "planner".into()
    }

    fn delegate(&mut self, _: &str) -> Option<Box<dyn Cognition>> {
        Some(Box::new(Self { child: true }))
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        let settled = |past: &&openthymos::cognition::PastOutcome| {
            // What a crash kept from being tried at all is asked for again.
            !matches!(&past.outcome, Outcome::Failed { cause, effect, .. } if cause == "interrupted" && effect == "none")
        };
        let next = match (context.history.iter().filter(settled).count(), self.child) {
            (0, true) => Request::call("act", json!({"n": 1})),
            (0, false) => Request::delegate(json!({"task": "a part", "tools": ["act"], "effects": "write"})),
            _ => return Ok(Turn::answer("done")),
        };
        Ok(Turn::calls([next]))
    }
}

struct Machine {
    fixture: Fixture,
    calls: Arc<AtomicUsize>,
    chain: WritChain,
    run: Option<TrajectoryId>,
}

impl Machine {
    fn new() -> Self {
        Self { fixture: Fixture::default(), calls: Arc::default(), chain: signed(writ()), run: None }
    }

    async fn open(&self, ledger: Arc<dyn LedgerStore>) -> Result<Runtime, String> {
        let tool = TestTool::host("act").with(|tool| tool.calls = self.calls.clone());
        let builder = self.fixture.builder().delegation(Subjects::default().key(key(AGENT)).secret([5; 32]));
        builder.shared_ledger(ledger).tools([Arc::new(tool) as Arc<dyn ToolContract>]).open().await.map_err(told)
    }

    async fn work(&mut self, runtime: &Runtime) -> Result<(), String> {
        let run = match self.run {
            Some(run) => runtime.resume(&run).await.map_err(told)?,
            None => runtime.start("a task", &self.chain, &key(AGENT)).await.map_err(told)?,
        };
        self.run = Some(run.id());
        let summary = run.drive(&mut Planner { child: false }, Limits::default()).await.map_err(told)?;
        assert!(matches!(summary.why, WhyStopped::Ended(_)), "{summary:?}");
        Ok(())
    }

    /// How often the tool was called, by all processes together.
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The runs that another one started.
    fn children(&self) -> Vec<TrajectoryId> {
        let opened =
            self.fixture.authority().into_iter().filter(|entry| entry.header.known_kind() == Some(Kind::RunOpened));
        let opened = opened.map(|entry| entry.body::<RunOpened>().unwrap().trajectory);
        let is_child = |run: &TrajectoryId| self.fixture.entry(run, 0).body::<RunStart>().unwrap().start.from.is_some();
        opened.filter(is_child).collect()
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Works until it is done, an error is told, or the process has ended.
fn until_fault(machine: &mut Machine, ledger: &Arc<FaultyLedger>) {
    let shared: Arc<dyn LedgerStore> = ledger.clone();
    let work = async {
        let runtime = machine.open(shared).await?;
        machine.work(&runtime).await
    };
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    block_on(poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending if ledger.crashed() => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    }));
}

#[test]
fn no_fault_loses_a_child_starts_it_twice_or_doubles_what_it_does() {
    let mut machine = Machine::new();
    let sound = Arc::new(FaultyLedger::new(&machine.fixture.ledger, u64::MAX, Fault::Full));
    until_fault(&mut machine, &sound);
    assert_eq!((machine.calls(), machine.children().len()), (1, 1));
    let trace = sound.trace();
    let mut cases = 0;
    for (at, op) in trace.iter().enumerate() {
        for fault in faults(*op) {
            let mut machine = Machine::new();
            let ledger = Arc::new(FaultyLedger::new(&machine.fixture.ledger, at as u64, *fault));
            until_fault(&mut machine, &ledger);
            let runtime = block_on(machine.open(machine.fixture.ledger.clone())).unwrap();
            whole(&*machine.fixture.ledger);
            let ended = machine.run.is_some_and(|run| machine.fixture.kinds(&run).contains(&Kind::Terminated));
            if !ended {
                block_on(machine.work(&runtime)).unwrap_or_else(|error| panic!("{fault:?} at {at}, {op:?}: {error}"));
            }
            let children = machine.children();
            let dispatched =
                children.iter().filter(|child| machine.fixture.kinds(child).contains(&Kind::Dispatch)).count();
            assert_eq!((children.len(), dispatched), (1, 1), "{fault:?} at {at}, {op:?}");
            // A crash between the dispatch and the call leaves it in doubt: it is not made.
            assert!(machine.calls() <= 1, "{fault:?} at {at}, {op:?}");
            verified(&runtime, &machine.run.unwrap());
            cases += 1;
        }
    }
    assert!(cases > 60, "only {cases} cases at {} operations", trace.len());
}

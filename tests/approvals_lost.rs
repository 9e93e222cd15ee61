//! Whatever fails while something is asked for, voted on and carried out: what was acknowledged is there, the call is made once and
//! never without its approvals.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    task::Poll,
};

use common::{
    faulty::{Fault, FaultyLedger, faults},
    *,
};
use futures::{FutureExt, executor::block_on};
use openthymos::{
    approval::RequestFault,
    canon::TrajectoryId,
    contract::Risk,
    crypto::Role,
    intent::Intent,
    ledger::{Entry, Kind, LedgerStore, record::Outcome},
    policy::{Quorum, Roster, SignedRoster, VerifiedRoster},
    runtime::{Answer, Run, Runtime, Submitted, VoteError},
    tool::ToolContract,
    writ::WritChain,
};
use serde_json::json;

const ALICE: u8 = 21;
const BOB: u8 = 22;
const POLICIES: u8 = 24;

fn roster() -> VerifiedRoster {
    let quorum = Quorum { approvers: vec![named(ALICE), named(BOB)], required: 2 };
    let roster = Roster { channels: [("operator".to_owned(), quorum)].into(), version: "1".into() };
    block_on(SignedRoster::sign(roster, &key(POLICIES))).unwrap().verify(|_| true).unwrap()
}

/// The machine, and the calls that its tool got from all processes together.
struct Machine {
    fixture: Fixture,
    calls: Arc<AtomicUsize>,
    chain: WritChain,
    roster: VerifiedRoster,
    run: Option<TrajectoryId>,
    /// What was acknowledged.
    approvals: usize,
    done: bool,
}

impl Machine {
    fn new() -> Self {
        let (fixture, calls) = (Fixture::default(), Arc::default());
        let (chain, roster) = (signed(writ()), roster());
        Self { fixture, calls, chain, roster, run: None, approvals: 0, done: false }
    }

    async fn open(&self, ledger: Arc<dyn LedgerStore>) -> Result<Runtime, String> {
        let tool = TestTool::host("pay").with(|tool| {
            tool.contract.risk = Risk::Critical;
            tool.calls = self.calls.clone();
        });
        let builder = self.fixture.builder().trust(named(POLICIES), [Role::PolicyIssuer]).roster(self.roster.clone());
        builder.shared_ledger(ledger).tools([Arc::new(tool) as Arc<dyn ToolContract>]).open().await.map_err(told)
    }

    /// Asks, has it approved by two, and carries it out; whatever of it is done already is not done again.
    async fn work(&mut self, runtime: &Runtime) -> Result<(), String> {
        let run = match self.run {
            Some(run) => runtime.resume(&run).await.map_err(told)?,
            None => runtime.start("a task", &self.chain, &key(AGENT)).await.map_err(told)?,
        };
        self.run = Some(run.id());
        self.carry(&run).await?;
        if !self.done && !self.is_dispatched() {
            if run.requests().await.is_empty() {
                run.submit(Intent::act("pay", json!({"amount": 1}))).await.map_err(told)?;
            }
            self.vote(&run).await?;
            self.carry(&run).await?;
        }
        run.close().await.map(drop).map_err(told)
    }

    async fn vote(&mut self, run: &Run) -> Result<(), String> {
        let requests = run.requests().await;
        let request = requests.first().unwrap();
        assert!(request.votes.len() >= self.approvals, "an acknowledged vote is lost");
        for (name, seed) in [("alice", ALICE), ("bob", BOB)] {
            match run.vote(Answer::approve(request.entry).by(name, &key(seed))).await {
                Ok(voted) => {
                    self.approvals += 1;
                    assert_eq!(voted.outcome.is_some(), seed == BOB);
                }
                // It was stored, and nobody was told.
                Err(VoteError::Request(RequestFault::Vote(_) | RequestFault::Approved(_))) => {}
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    }

    async fn carry(&mut self, run: &Run) -> Result<(), String> {
        let carried = run.carry_on().await.map_err(told)?;
        self.done |= carried.iter().any(|(_, submitted)| matches!(submitted, Submitted::Committed { .. }));
        Ok(())
    }

    /// Whether it is on record that the call was begun.
    fn is_dispatched(&self) -> bool {
        // What is in memory is there at once; an executor within another one would not do.
        let entries = |run| self.fixture.ledger.read(&run, 0, usize::MAX).now_or_never().unwrap().unwrap();
        let is_dispatch = |entry: &Entry| entry.header.known_kind() == Some(Kind::Dispatch);
        self.run.is_some_and(|run| entries(run).iter().any(is_dispatch))
    }

    /// How often the tool was called, never without its approvals.
    fn calls(&self) -> usize {
        let calls = self.calls.load(Ordering::SeqCst);
        let approved = self.run.is_some_and(|run| {
            let entries = self.fixture.entries(&run);
            let ends = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::ApprovalOutcome));
            let mut ends = ends.map(|entry| entry.body::<openthymos::ledger::record::ApprovalOutcome>().unwrap());
            ends.any(|end| end.outcome == Outcome::Approved)
        });
        assert!(calls == 0 || approved && self.is_dispatched());
        calls
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
fn no_fault_loses_a_vote_or_makes_a_call_without_its_approvals_or_twice() {
    let mut machine = Machine::new();
    let sound = Arc::new(FaultyLedger::new(&machine.fixture.ledger, u64::MAX, Fault::Full));
    until_fault(&mut machine, &sound);
    assert!(machine.done && machine.calls() == 1);
    let trace = sound.trace();
    let mut cases = 0;
    for (at, op) in trace.iter().enumerate() {
        for fault in faults(*op) {
            let mut machine = Machine::new();
            let ledger = Arc::new(FaultyLedger::new(&machine.fixture.ledger, at as u64, *fault));
            until_fault(&mut machine, &ledger);
            let before = machine.calls();
            let runtime = block_on(machine.open(machine.fixture.ledger.clone())).unwrap();
            let ended = machine.run.is_some_and(|run| machine.fixture.kinds(&run).contains(&Kind::Terminated));
            if !ended {
                block_on(machine.work(&runtime)).unwrap_or_else(|error| panic!("{fault:?} at {at}, {op:?}: {error}"));
            }
            let calls = machine.calls();
            // A crash between the dispatch and the call leaves it in doubt: it is not made.
            let doubt = machine.is_dispatched() && before == 0 && calls == 0;
            assert!(calls == 1 || doubt, "{fault:?} at {at}, {op:?}: {calls} calls");
            verified(&runtime, &machine.run.unwrap());
            cases += 1;
        }
    }
    assert!(cases > 60, "only {cases} cases at {} operations", trace.len());
}

//! Whatever fails while a run is undone: every effect is undone once, in order, or it is in doubt and an operator says what happened.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that goes wrong should stop the test"
)]

mod common;

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use common::{
    faulty::{Fault, FaultyLedger, faults},
    *,
};
use futures::{FutureExt, executor::block_on};
use openthymos::{
    canon::{TrajectoryId, WorldRoot},
    contract::Effect,
    crypto::Role,
    host::SeededEntropy,
    ledger::{
        LedgerStore,
        record::{Dispatch, HappenedVerdict},
    },
    replay::Pins,
    runtime::{HaltCause, Resolution, Rollback, RollbackError, RollbackTo, Runtime, Under},
    tool::{ToolContract, ToolOutput, builtin},
    writ::{WritBuilder, WritChain},
};
use serde_json::json;

const OPERATOR: u8 = 31;
/// How many effects touch the host.
const LAST: i64 = 2;

/// A run with its effects on a host, and the writ to undo them.
struct Machine {
    fixture: Fixture,
    /// The amounts that the tool was called with, by all processes together.
    calls: Arc<Mutex<Vec<i64>>>,
    chain: WritChain,
    run: TrajectoryId,
}

impl Machine {
    fn new(ended: bool) -> Self {
        let (fixture, calls) = (Fixture::default(), Arc::default());
        let undoing = WritBuilder::root(named(ISSUER), named(OPERATOR)).any_store().scopes([scope("*")]).budget(PLENTY);
        let undoing = undoing.effects_up_to(Effect::Write);
        let chain = block_on(undoing.sign_with(&key(ISSUER), &SeededEntropy::new(99))).unwrap();
        let mut machine = Self { fixture, calls, chain, run: TrajectoryId::ZERO };
        let runtime = block_on(machine.open(machine.fixture.ledger.clone())).unwrap();
        let run = start(&runtime, &signed(writ()));
        machine.run = run.id();
        for amount in 1..=LAST {
            submit(&run, "set", json!({"amount": amount}));
            submit(&run, "kv_set", json!({"key": "x", "value": amount}));
        }
        if ended {
            block_on(run.close()).unwrap();
        }
        machine.calls.lock().unwrap().clear();
        machine
    }

    async fn open(&self, ledger: Arc<dyn LedgerStore>) -> Result<Runtime, String> {
        let calls = self.calls.clone();
        let tool = TestTool::host("set").calling(move |call| {
            let amount = call.args["amount"].as_i64().unwrap();
            calls.lock().unwrap().push(amount);
            Ok(ToolOutput::new("set").undone_by("set".parse().unwrap(), json!({"amount": amount - 1})))
        });
        let tools = [Arc::new(tool) as Arc<dyn ToolContract>].into_iter().chain(builtin::kv());
        let builder = self.fixture.builder().trust(named(OPERATOR), [Role::Approver]).shared_ledger(ledger);
        builder.tools(tools).open().await.map_err(|error| error.to_string())
    }

    async fn undo(&self, runtime: &Runtime) -> Result<Rollback, RollbackError> {
        runtime.compensate_to(&self.run, RollbackTo::Start, Under::writ(&self.chain, &key(OPERATOR))).await
    }

    fn calls(&self) -> Vec<i64> {
        self.calls.lock().unwrap().clone()
    }

    /// Undoes what is left on a ledger that is sound. Returns how often an operator had to say what happened.
    fn finish(&self, told: &str) -> usize {
        let runtime = block_on(self.open(self.fixture.ledger.clone())).unwrap();
        for resolved in 0..3 {
            let rollback = block_on(self.undo(&runtime)).unwrap_or_else(|error| panic!("{told}: {error}"));
            let Some(halt) = rollback.halted else { return resolved };
            assert_eq!(halt.cause, HaltCause::InDoubt, "{told}");
            // The host tells whether the last step was made: the calls are those of the steps, in their order.
            let dispatch = halt.at;
            let steps = self.steps();
            let verdict =
                if self.calls().len() == steps { HappenedVerdict::Happened } else { HappenedVerdict::NotDone };
            let resolution = Resolution { dispatch, verdict, note: None, name: "operator" };
            block_on(runtime.resolve(&self.run, resolution, &key(OPERATOR))).unwrap();
        }
        panic!("{told}: it is never done");
    }

    /// How many steps that touch the host were dispatched and are not known to have been left undone.
    fn steps(&self) -> usize {
        let dispatches = self
            .fixture
            .entries(&self.run)
            .into_iter()
            .filter_map(|entry| entry.body::<Dispatch>().ok().filter(|dispatch| dispatch.compensates.is_some()));
        dispatches.count()
    }
}

/// Undoes until it is done, an error is told, or the process has ended.
fn until_fault(machine: &Machine, ledger: &Arc<FaultyLedger>) {
    let shared: Arc<dyn LedgerStore> = ledger.clone();
    let work = async {
        if let Ok(runtime) = machine.open(shared).await {
            drop(machine.undo(&runtime).await);
        }
    };
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    block_on(poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending if ledger.crashed() => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    }));
}

#[test]
fn no_fault_undoes_an_effect_twice_or_leaves_it_out() {
    let down: Vec<i64> = (0..LAST).rev().collect();
    for ended in [false, true] {
        let machine = Machine::new(ended);
        let sound = Arc::new(FaultyLedger::new(&machine.fixture.ledger, u64::MAX, Fault::Full));
        until_fault(&machine, &sound);
        assert_eq!(machine.calls(), down);
        let trace = sound.trace();
        let (mut cases, mut doubts) = (0, 0);
        for (at, op) in trace.iter().enumerate() {
            for fault in faults(*op) {
                let machine = Machine::new(ended);
                let ledger = Arc::new(FaultyLedger::new(&machine.fixture.ledger, at as u64, *fault));
                until_fault(&machine, &ledger);
                let told = format!("{fault:?} at {at}, {op:?}, ended: {ended}");
                doubts += machine.finish(&told);
                assert_eq!(machine.calls(), down, "{told}");
                let runtime = block_on(machine.open(machine.fixture.ledger.clone())).unwrap();
                let report = verified(&runtime, &machine.run);
                assert_eq!(report.world_root, WorldRoot::ZERO, "{told}");
                assert!(block_on(runtime.replay(&machine.run, Pins::default())).unwrap().in_doubt.is_empty());
                cases += 1;
            }
        }
        assert!(cases > 60 && doubts > 3, "{cases} cases with {doubts} doubts at {} operations", trace.len());
    }
}

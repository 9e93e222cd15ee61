//! Stores in which everything happened that can happen, and nothing was changed.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{FutureExt, executor::block_on};
use openthymos::{
    canon::TrajectoryId,
    cognition::{Cognition, CognitionError, Context, Request, Turn, TurnEvents},
    commit::Delta,
    contract::Risk,
    crypto::Role,
    intent::Intent,
    ledger::{LedgerStore, record::HappenedVerdict},
    runtime::{Limits, Resolution, Run, Runtime},
    tool::{Call, ToolContract, ToolError, ToolOutput},
    writ::{Amounts, WritChain},
};
use serde_json::json;

use crate::common::{
    Fixture, ISSUER, PLENTY, RUNTIME, STRANGER, TestTool, child, key, kv, named, signed, start, submit, writ,
};

/// A store with runs of every outcome.
pub struct Store {
    pub ledger: Arc<dyn LedgerStore>,
    pub runtime: Runtime,
    /// A host effect, a change of the world, every failure, a refusal and a suspension. Not ended.
    pub outcomes: TrajectoryId,
    /// Two calls under a child writ. Ended.
    pub child: TrajectoryId,
    /// A model that uses more than it said. Ended.
    pub driven: TrajectoryId,
    /// Two effects in doubt that were settled: one had happened, one not. Ended.
    pub settled: TrajectoryId,
    /// A process ended in its turn and another in its call; taken up again each time. Not ended.
    pub left: TrajectoryId,
}

/// What the root writ grants: enough for all of it, and not for much more.
pub const BUDGET: Amounts = Amounts { tokens: 1_000, tool_calls: 30, ..PLENTY };

pub fn root() -> WritChain {
    signed(writ().budget(BUDGET))
}

fn lost(_: Call) -> Result<ToolOutput, ToolError> {
    Err(ToolError::Failed("no answer".into()))
}

fn tools() -> Vec<TestTool> {
    vec![
        TestTool::host("send"),
        TestTool::host("pay").with(|tool| tool.key = Some("invoice 7".into())),
        TestTool::host("refund").with(|tool| tool.key = Some("invoice 8".into())),
        TestTool::host("transfer").with(|tool| tool.key = Some("invoice 9".into())).calling(lost),
        TestTool::world("note").with(|tool| tool.reads = vec![kv("a")]).calling(|call| {
            let delta = match call.reads.version(&kv("a")) {
                0 => Delta::none().create(kv("a"), json!(1)),
                version => Delta::none().replace(kv("a"), version, json!(version + 1)),
            };
            Ok(ToolOutput::new("noted").with_delta(delta))
        }),
        TestTool::host("lost").calling(lost),
        TestTool::host("undone").calling(|_| Err(ToolError::NotDone("told to".into()))),
        TestTool::host("broken").with(|tool| tool.postcondition = Some(Box::new(|()| Err("not so".into())))),
        TestTool::world("failing").calling(|_| Err(ToolError::Failed("told to".into()))),
        TestTool::host("ask").with(|tool| tool.contract.risk = Risk::Critical),
        TestTool::host("never").with(|tool| tool.call = Box::new(|_| futures::future::pending().boxed())),
    ]
}

/// Opens a runtime on the store, as every process would.
pub fn open(ledger: &Arc<dyn LedgerStore>, fixture: &Fixture) -> Runtime {
    let builder = Runtime::builder().shared_ledger(ledger.clone()).signer("kernel", key(RUNTIME));
    let builder = builder.host(fixture.host.clone()).trust(named(ISSUER), [Role::WritIssuer]);
    let builder = builder.trust(named(STRANGER), [Role::Approver]);
    let tools = tools().into_iter().map(|tool| Arc::new(tool) as Arc<dyn ToolContract>);
    block_on(builder.tools(tools).open()).unwrap()
}

impl Store {
    pub fn on(ledger: Arc<dyn LedgerStore>) -> Self {
        let fixture = Fixture::default();
        let runtime = open(&ledger, &fixture);
        let root = root();
        let (outcomes, left) = (start(&runtime, &root), start(&runtime, &root));
        for tool in ["send", "note", "lost", "undone"] {
            submit(&outcomes, tool, json!({}));
        }
        let below = child(&root, |writ| writ.budget(Amounts { tool_calls: 5, ..BUDGET }));
        let child = start(&runtime, &below);
        for tool in ["send", "note"] {
            submit(&child, tool, json!({}));
            submit(&outcomes, tool, json!({}));
        }
        for tool in ["broken", "failing", "gone", "ask", "pay"] {
            submit(&outcomes, tool, json!({}));
        }
        block_on(child.close()).unwrap();
        let settled = settle(&runtime, &root);
        let driven = start(&runtime, &root);
        block_on(driven.drive(&mut Spender::asking(["send", "refund", "note", "gone"]), Limits::default())).unwrap();

        leave(left.drive(&mut Spender { hangs: true, ..Spender::default() }, Limits::default()));
        let (outcomes, child, driven, left) = (outcomes.id(), child.id(), driven.id(), left.id());
        drop(runtime);
        let runtime = open(&ledger, &fixture);
        let run: Run = block_on(runtime.resume(&left)).unwrap();
        leave(run.submit(Intent::act("never", json!({}))));
        drop((run, runtime));
        let runtime = open(&ledger, &fixture);
        let run = block_on(runtime.resume(&left)).unwrap();
        for tool in ["note", "transfer"] {
            submit(&run, tool, json!({}));
        }
        Self { ledger, runtime, outcomes, child, driven, settled, left }
    }
}

/// A run whose effects are in doubt when it ends, and are settled then.
fn settle(runtime: &Runtime, chain: &WritChain) -> TrajectoryId {
    let run = start(runtime, chain);
    for tool in ["lost", "transfer"] {
        submit(&run, tool, json!({}));
    }
    let dispatches = block_on(run.in_doubt());
    block_on(run.close()).unwrap();
    for ((_, dispatch), verdict) in dispatches.into_iter().zip([HappenedVerdict::Happened, HappenedVerdict::NotDone]) {
        let resolution = Resolution { dispatch, verdict, note: None, name: "operator" };
        block_on(runtime.resolve(&run.id(), resolution, &key(STRANGER))).unwrap();
    }
    run.id()
}

/// Begins something that does not come to its end.
fn leave<T>(future: impl Future<Output = T>) {
    assert!(Box::pin(future).now_or_never().is_none());
}

/// A model that uses more than it said, and asks for one tool after the other.
#[derive(Default)]
pub struct Spender {
    tools: Vec<&'static str>,
    hangs: bool,
}

impl Spender {
    pub fn asking<const N: usize>(tools: [&'static str; N]) -> Self {
        Self { tools: tools.into(), hangs: false }
    }
}

#[async_trait]
impl Cognition for Spender {
    fn name(&self) -> String {
        "spender".into()
    }

    fn estimate(&self) -> Amounts {
        Amounts { tokens: 50, ..Amounts::ZERO }
    }

    async fn step(&mut self, _: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        if self.hangs {
            futures::future::pending::<()>().await;
        }
        let usage = Amounts { tokens: 70, ..Amounts::ZERO };
        Ok(match self.tools.pop() {
            Some(tool) => Turn { usage, ..Turn::calls([Request::call(tool, json!({}))]) },
            None => Turn { usage, ..Turn::answer("enough") },
        })
    }
}

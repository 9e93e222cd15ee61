//! What the tests of the kernel share: a ledger in memory, fixed keys, clock and entropy, and a tool that counts its calls.
#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

pub mod faulty;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{executor::block_on, future::BoxFuture};
use openthymos::{
    canon::{FileHash, TrajectoryId},
    contract::{ArgumentFault, Contract, Effect, Risk, ToolName, Touches},
    crypto::{NamedKey, Role, SecretKey},
    host::{FixedClock, Host, SeededEntropy, Spawn, ThreadTimer, Timer},
    intent::Intent,
    ledger::{Entry, Kind, LedgerStore, MemoryLedger},
    proposal::PreconditionFault,
    replay::{self, Pins, Report, StorePins, StoreReport, Verdict},
    runtime::{Builder, Run, Runtime, Submitted},
    tool::{Call, Probe, Reads, ToolContract, ToolError, ToolOutput},
    world::ResourceId,
    writ::{Amounts, Scope, ToolPattern, WritBuilder, WritChain},
};
use serde_json::{Value, json};

/// When every test begins, in milliseconds since 1970.
pub const START_MS: u64 = 1_800_000_000_000;

pub const ISSUER: u8 = 1;
pub const AGENT: u8 = 2;
pub const RUNTIME: u8 = 3;
pub const CHILD: u8 = 4;
pub const STRANGER: u8 = 9;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn named(seed: u8) -> NamedKey {
    NamedKey::new(format!("key {seed}"), key(seed).public_key())
}

/// A timer whose seconds are milliseconds.
pub struct FastTimer;

impl Timer for FastTimer {
    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()> {
        ThreadTimer.sleep(after / 1_000)
    }
}

/// A ledger and the machine around it; runtimes are opened on it as often as a test likes.
pub struct Fixture {
    pub ledger: Arc<MemoryLedger>,
    pub clock: Arc<FixedClock>,
    pub host: Host,
}

impl Default for Fixture {
    fn default() -> Self {
        let clock = Arc::new(FixedClock::at(START_MS));
        let entropy = Arc::new(SeededEntropy::new(7));
        let host = Host { clock: clock.clone(), entropy, ..Host::default() };
        Self { ledger: Arc::new(MemoryLedger::new()), clock, host }
    }
}

impl Fixture {
    /// A builder that trusts the issuer, without tools.
    pub fn builder(&self) -> Builder {
        self.untrusting().trust(named(ISSUER), [Role::WritIssuer])
    }

    /// A builder that trusts nobody.
    pub fn untrusting(&self) -> Builder {
        Runtime::builder().shared_ledger(self.ledger.clone()).signer("kernel", key(RUNTIME)).host(self.host.clone())
    }

    pub fn open(&self, tools: impl IntoIterator<Item = TestTool>) -> Runtime {
        let tools = tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn ToolContract>);
        block_on(self.builder().tools(tools).open()).unwrap()
    }

    pub fn entries(&self, run: &TrajectoryId) -> Vec<Entry> {
        block_on(self.ledger.read(run, 0, usize::MAX)).unwrap()
    }

    pub fn entry(&self, run: &TrajectoryId, seq: u64) -> Entry {
        block_on(self.ledger.read(run, seq, 1)).unwrap().remove(0)
    }

    pub fn kinds(&self, run: &TrajectoryId) -> Vec<Kind> {
        self.entries(run).iter().map(|entry| entry.header.known_kind().unwrap()).collect()
    }

    /// The entries of the authority trajectory.
    pub fn authority(&self) -> Vec<Entry> {
        let genesis = block_on(self.ledger.scan(openthymos::ledger::Position(0), 1)).unwrap().remove(0).1;
        self.entries(&genesis.header.trajectory)
    }
}

/// Much of everything, for tests in which the budget is no question.
pub const PLENTY: Amounts =
    Amounts { tokens: 1_000_000, tool_calls: 1_000, usd_millicents: 1_000_000, wall_clock_ms: 1_000_000_000 };

/// A root writ from the issuer to the agent: all tools and effects, plenty of budget, delegable.
pub fn writ() -> WritBuilder {
    WritBuilder::root(named(ISSUER), named(AGENT))
        .any_store()
        .scopes([scope("*")])
        .budget(PLENTY)
        .effects_up_to(Effect::Irreversible)
        .delegable(3)
}

pub fn scope(pattern: &str) -> Scope {
    Scope::tools(ToolPattern::new(pattern).unwrap())
}

pub fn signed(writ: WritBuilder) -> WritChain {
    block_on(writ.sign_with(&key(ISSUER), &SeededEntropy::new(11))).unwrap()
}

/// A writ from the agent to its child, below `parent`.
pub fn child(parent: &WritChain, narrow: impl FnOnce(WritBuilder) -> WritBuilder) -> WritChain {
    let writ = narrow(WritBuilder::child(parent, named(CHILD)));
    block_on(writ.sign_with(&key(AGENT), &SeededEntropy::new(12))).unwrap()
}

/// Starts a run; the subject of the chain's last writ is the agent, or the child in a chain of two.
pub fn start(runtime: &Runtime, chain: &WritChain) -> Run {
    let subject = if chain.links().len() == 1 { AGENT } else { CHILD };
    block_on(runtime.start("a task", chain, &key(subject))).unwrap()
}

pub fn submit(run: &Run, tool: &str, args: Value) -> Submitted {
    block_on(run.submit(Intent::act(tool, args))).unwrap()
}

/// Replays a run, which has to be completely verified with every decision derived again, and the store with it.
pub fn verified(runtime: &Runtime, run: &TrajectoryId) -> Report {
    let report = block_on(runtime.replay(run, Pins { rederive: true, ..Pins::default() })).unwrap();
    assert_eq!(report.verdict(), Verdict::Verified, "{report}");
    whole(&**runtime.ledger());
    report
}

/// Verifies a whole store, which has to be completely verified with every decision derived again.
pub fn whole(store: &dyn LedgerStore) -> StoreReport {
    let report = block_on(replay::store(store, StorePins { rederive: true, ..StorePins::default() }, |_| {})).unwrap();
    assert_eq!(report.verdict(), Verdict::Verified, "{report}");
    report
}

pub fn kv(id: &str) -> ResourceId {
    ResourceId::new("kv", id).unwrap()
}

type Hook<A, R> = Box<dyn Fn(A) -> R + Send + Sync>;

/// A tool that counts its calls. Every hook can be set.
pub struct TestTool {
    pub contract: Contract,
    pub calls: Arc<AtomicUsize>,
    pub arguments: Option<Hook<(), Result<(), ArgumentFault>>>,
    pub reads: Vec<ResourceId>,
    pub cost: Amounts,
    pub probe: Option<Hook<(), BoxFuture<'static, Result<Probe, ToolError>>>>,
    pub on_reads: Option<Hook<(), ()>>,
    pub precondition: Option<Hook<(), Result<(), PreconditionFault>>>,
    pub key: Option<String>,
    pub deadline: Duration,
    pub call: Hook<Call, BoxFuture<'static, Result<ToolOutput, ToolError>>>,
    pub postcondition: Option<Hook<(), Result<(), String>>>,
    pub reconcile: Option<Hook<(), Option<bool>>>,
}

impl TestTool {
    fn new(name: &str, effect: Effect, touches: Touches) -> Self {
        let contract = Contract {
            compensable: true,
            description: "a tool of a test".into(),
            effect,
            name: ToolName::new(name).unwrap(),
            risk: Risk::Low,
            schema: json!({"type": "object", "properties": {"amount": {"type": "integer"}}}),
            touches,
            version: "1".into(),
        };
        Self {
            contract,
            calls: Arc::default(),
            arguments: None,
            reads: vec![],
            cost: Amounts::ONE_CALL,
            probe: None,
            on_reads: None,
            precondition: None,
            key: None,
            deadline: Duration::from_secs(30),
            call: Box::new(|_| Box::pin(async { Ok(ToolOutput::new("done")) })),
            postcondition: None,
            reconcile: None,
        }
    }

    /// A tool that touches the host at `Write`.
    pub fn host(name: &str) -> Self {
        Self::new(name, Effect::Write, Touches::Host)
    }

    /// A tool that touches only the world.
    pub fn world(name: &str) -> Self {
        Self::new(name, Effect::Write, Touches::World)
    }

    /// Sets what a call does.
    pub fn calling(mut self, call: impl Fn(Call) -> Result<ToolOutput, ToolError> + Send + Sync + 'static) -> Self {
        self.call = Box::new(move |of| {
            let done = call(of);
            Box::pin(async { done })
        });
        self
    }

    /// Sets some fields.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A counter of the calls, to keep.
    pub fn counter(&self) -> Counter {
        Counter(self.calls.clone())
    }
}

/// How often a tool was called.
#[derive(Clone)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ToolContract for TestTool {
    fn contract(&self) -> Contract {
        self.contract.clone()
    }

    fn check_arguments(&self, _: &Value) -> Result<(), ArgumentFault> {
        self.arguments.as_ref().map_or(Ok(()), |hook| hook(()))
    }

    fn reads(&self, _: &Value) -> Vec<ResourceId> {
        if let Some(hook) = &self.on_reads {
            hook(());
        }
        self.reads.clone()
    }

    fn cost(&self, _: &Value) -> Amounts {
        self.cost
    }

    async fn probe(&self, _: &Value, _: &Arc<dyn Spawn>) -> Result<Probe, ToolError> {
        match &self.probe {
            Some(hook) => hook(()).await,
            None => Ok(Probe::default()),
        }
    }

    fn precondition(&self, _: &Value, _: &Reads) -> Result<(), PreconditionFault> {
        self.precondition.as_ref().map_or(Ok(()), |hook| hook(()))
    }

    fn idempotency_key(&self, _: &Value) -> Option<String> {
        self.key.clone()
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.call)(call).await
    }

    fn postcondition(&self, _: &Value, _: &Reads, _: &ToolOutput) -> Result<(), String> {
        self.postcondition.as_ref().map_or(Ok(()), |hook| hook(()))
    }

    async fn reconcile(&self, _: &Value, _: Option<FileHash>, _: &Arc<dyn Spawn>) -> Option<bool> {
        self.reconcile.as_ref().and_then(|hook| hook(()))
    }
}

mod deciding;

pub(crate) use deciding::Deciding;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Failed, device::Device};
use crate::{
    Intent, LedgerStore, Run, Runtime, Submitted,
    canon::TrajectoryId,
    commit::Delta,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    host::block_on,
    ledger::redb::RedbLedger,
    policy::{PolicySet, Quorum, Roster, SignedRoster, VerifiedRoster},
    tool::{FnToolBuilder, ToolContract, ToolOutput, builtin::kv, tool},
    world::ResourceId,
    writ::{Amounts, Scope, WritBuilder, WritChain},
};

/// Creates a resource of the world, on the caller's thread.
pub(crate) const CREATE: &str = "create";
/// As [`CREATE`], on a thread of its own, as functions run that may wait.
pub(crate) const CREATE_ASIDE: &str = "create_aside";
/// As [`CREATE`], with an effect outside: its call is dispatched before.
pub(crate) const SEND: &str = "send";
/// As [`CREATE`], of critical risk: every call waits for approval.
pub(crate) const ASK: &str = "ask";
/// Creates many resources at once.
const FILL: &str = "fill";
/// The stock tool that sets a key.
const SET: &str = "kv_set";
/// How many resources one call of [`FILL`] creates.
const FILL_AT_ONCE: usize = 1_000;

/// How many keys the commits of [`run_of`] set.
const KEYS: usize = 1_000;

/// A runtime with tools that do as little as tools can, and an agent with a writ for all of them.
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    pub(crate) writ: WritChain,
    agent: SecretKey,
}

/// Who signs what. The keys are the same in every run.
pub(crate) struct Keys {
    pub(crate) root: SecretKey,
    pub(crate) agent: SecretKey,
    pub(crate) runtime: SecretKey,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let [root, agent, runtime] = [1, 2, 3].map(|seed| SecretKey::from_seed(&[seed; 32]));
        Self { root, agent, runtime }
    }

    pub(crate) fn operator(&self) -> NamedKey {
        NamedKey::new("operator", self.root.public_key())
    }

    /// Both approve what waits.
    async fn roster(&self) -> Result<VerifiedRoster, Failed> {
        let approvers = vec![self.operator(), NamedKey::new("agent", self.agent.public_key())];
        let channels = [("operator".to_owned(), Quorum { approvers, required: 2 })].into();
        let signed = SignedRoster::sign(Roster { channels, version: "1".into() }, &self.root).await?;
        Ok(signed.verify(|issuer| *issuer == self.root.public_key())?)
    }
}

impl Scene {
    pub(crate) async fn open(ledger: impl LedgerStore + 'static, signed: bool) -> Result<Self, Failed> {
        let keys = Keys::new();
        let roles = [Role::WritIssuer, Role::PolicyIssuer];
        let builder = Runtime::builder().ledger(ledger).trust(keys.operator(), roles).roster(keys.roster().await?);
        let builder = builder.tools(tools()?).policies(PolicySet::default());
        let builder = if signed { builder.signer("runtime", keys.runtime.clone()) } else { builder.unsigned() };
        let runtime = builder.open().await?;
        let agent = NamedKey::new("agent", keys.agent.public_key());
        let writ = WritBuilder::root(keys.operator(), agent)
            .stores([runtime.store_id()])
            .scopes([Scope::tools("*".parse()?)])
            .effects_up_to(Effect::Write)
            .budget(plenty())
            .sign(&keys.root)
            .await?;
        Ok(Self { runtime, writ, agent: keys.agent })
    }

    pub(crate) async fn start(&self) -> Result<Run, Failed> {
        Ok(self.runtime.start("measure", &self.writ, &self.agent).await?)
    }
}

/// A budget that no measurement uses up.
pub(crate) fn plenty() -> Amounts {
    Amounts { tool_calls: 1 << 40, wall_clock_ms: 1 << 50, ..Amounts::ZERO }
}

/// A request to create a resource of that number.
pub(crate) fn create(tool: &str, number: usize) -> Intent {
    Intent::act(tool, json!({"key": format!("key-{number:08}"), "value": "v"}))
}

/// A request to set a key to that number: after `resources` of them every key is there.
pub(crate) fn set(resources: usize, number: usize) -> Intent {
    Intent::act(SET, json!({"key": format!("key-{:08}", number % resources), "value": number}))
}

/// Submits what has to be committed. Returns the seq of the commit.
pub(crate) async fn commit(run: &Run, intent: Intent) -> Result<u64, Failed> {
    match run.submit(intent).await? {
        Submitted::Committed { seq, .. } => Ok(seq),
        other => Err(format!("a call that has to be committed was not: {other:?}").into()),
    }
}

/// How long it takes to submit what has to be committed.
pub(crate) fn time(run: &Run, intent: Intent) -> Result<Duration, Failed> {
    block_on(async {
        let start = Instant::now();
        commit(run, intent).await?;
        Ok(start.elapsed())
    })
}

/// Submits what has to be refused.
pub(crate) async fn refused(run: &Run) -> Result<(), Failed> {
    match run.submit(Intent::act("unknown", json!({}))).await? {
        Submitted::Rejected { .. } => Ok(()),
        other => Err(format!("a call that has to be refused was not: {other:?}").into()),
    }
}

/// Gives the world of a run that many resources beside those of [`create`] and [`set`].
pub(crate) async fn fill(run: &Run, resources: usize) -> Result<(), Failed> {
    for from in (0..resources).step_by(FILL_AT_ONCE) {
        let count = FILL_AT_ONCE.min(resources - from);
        commit(run, Intent::act(FILL, json!({"from": from, "count": count}))).await?;
    }
    Ok(())
}

/// Makes a ledger with one run of that many entries, start and end included, whose commits set [`KEYS`] keys.
pub(crate) fn run_of(path: &Path, entries: usize, signed: bool) -> Result<TrajectoryId, Failed> {
    let ledger = RedbLedger::with_backend(Device::unsynced(path)?)?;
    block_on(async {
        let run = Scene::open(ledger, signed).await?.start().await?;
        for number in 2..entries {
            commit(&run, set(KEYS, number)).await?;
        }
        run.close().await?;
        Ok(run.id())
    })
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Create {
    key: String,
    value: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Fill {
    from: u64,
    count: u64,
}

/// The tools of every scene.
pub(crate) fn tools() -> Result<Vec<Arc<dyn ToolContract>>, Failed> {
    let of = |name| tool(name, Effect::Write, Risk::Low);
    let fill = of(FILL)?.world_only().inline().function(|args: Fill, _| {
        let keys = (args.from..args.from.saturating_add(args.count)).map(|number| format!("filled-{number:08}"));
        let delta = keys.filter_map(|key| Some((ResourceId::new("kv", &key).ok()?, Value::from("v"))));
        let delta = delta.fold(Delta::none(), |delta, (resource, value)| delta.create(resource, value));
        Ok(ToolOutput::new(json!({"stored": args.count})).with_delta(delta))
    });
    let mut tools = kv();
    tools.push(creating(of(CREATE)?.world_only().inline()));
    tools.push(creating(of(CREATE_ASIDE)?.world_only()));
    tools.push(creating(of(SEND)?.inline()));
    tools.push(creating(tool(ASK, Effect::Write, Risk::Critical)?.world_only().inline()));
    tools.push(Arc::new(fill));
    Ok(tools)
}

fn creating(builder: FnToolBuilder) -> Arc<dyn ToolContract> {
    Arc::new(builder.function(|args: Create, _| {
        let resource =
            ResourceId::new("kv", &args.key).map(|resource| Delta::none().create(resource, args.value.into()));
        let delta = resource.map_err(|error| crate::tool::ToolError::NotDone(error.to_string()))?;
        Ok(ToolOutput::new(json!({"stored": true})).with_delta(delta))
    }))
}

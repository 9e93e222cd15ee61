//! A run is taken up from its last snapshot on as if it had been folded from its first entry, and a snapshot that does not
//! fit the ledger is as good as none.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper that goes wrong should stop the test")]

#[path = "../common/mod.rs"]
mod common;
mod differential;
mod lies;
mod one;
mod past;
mod upkeep;

use std::sync::Arc;

use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{StoreId, TrajectoryId},
    commit::Delta,
    crypto::{Purpose, Role},
    host::{Host, Spawn},
    ledger::{Entry, LedgerStore},
    replay::{Contracts, Folded, Pins, Replayer, Report, Snapshot, authority_of},
    runtime::Runtime,
    tool::{ToolContract, ToolError, ToolOutput},
    world::{Resource, ResourceId},
    writ::Amounts,
};
use serde_json::Value;

/// Threads whose work is done when they are asked for it, so that it is known when a snapshot is kept.
struct AtOnce;

impl Spawn for AtOnce {
    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        std::thread::spawn(job).join().map_err(|_| std::io::Error::other("the job panicked"))
    }
}

fn fixture() -> Fixture {
    let fixture = Fixture::default();
    let host = Host { spawn: Arc::new(AtOnce), ..fixture.host.clone() };
    Fixture { host, ..fixture }
}

/// `set` writes a key of the world, `fail` fails, `pay` has an effect on the host, `lose` leaves one in doubt.
fn tools() -> Vec<Arc<dyn ToolContract>> {
    let set = TestTool::world("set").calling(|call| {
        let text = |name: &str| call.args.get(name).and_then(Value::as_str).unwrap_or("none").to_owned();
        let (key, version) = (kv(&text("key")), call.args.get("version").and_then(Value::as_u64).unwrap_or(0));
        let value = Value::from(text("value"));
        let delta = match version {
            0 => Delta::none().create(key, value),
            _ if call.args.get("value").is_none() => Delta::none().delete(key, version),
            _ => Delta::none().replace(key, version, value),
        };
        Ok(ToolOutput::new("set").with_delta(delta))
    });
    let fail = TestTool::world("fail").calling(|_| Err(ToolError::Failed("no".into())));
    let cost = Amounts { usd_millicents: 7, ..Amounts::ONE_CALL };
    let pay = TestTool::host("pay").with(|tool| tool.cost = cost);
    let lose = TestTool::host("lose").calling(|_| Err(ToolError::Failed("lost".into()))).with(|tool| tool.cost = cost);
    [set, fail, pay, lose].map(|tool| Arc::new(tool) as Arc<dyn ToolContract>).into()
}

/// A runtime that takes snapshots after so many entries.
fn open(fixture: &Fixture, every: u64) -> Runtime {
    let builder = fixture.builder().trust(named(AGENT), [Role::Approver]).tools(tools());
    block_on(builder.snapshot_every(every).open()).unwrap()
}

/// What the first entries of a run come to.
fn fold(store: &dyn LedgerStore, run: &TrajectoryId, entries: &[Entry]) -> (Report, Folded) {
    let log = block_on(authority_of(store, Some(run), Contracts::All)).unwrap();
    let mut replayer = Replayer::new(&log, *run, Pins::default());
    entries.iter().for_each(|entry| replayer.push(entry).unwrap());
    replayer.finish().unwrap()
}

/// Everything that goes on from a fold depends on.
fn all(folded: &Folded) -> impl PartialEq + std::fmt::Debug + use<> {
    let resource = |(id, resource): (&ResourceId, &Resource)| (id.clone(), resource.clone());
    (
        (folded.world.iter().map(resource).collect::<Vec<_>>(), folded.world.root(), folded.base_seq),
        (folded.head, folded.head_seq, folded.chain.id(), folded.start.clone()),
        (folded.spent, folded.held, folded.unknown_effects.clone(), folded.ended),
        (folded.open_turn, folded.turn_seq, folded.unanswered.clone(), folded.steps, folded.resumed),
        folded.skills.clone(),
    )
}

/// A snapshot as the runtime's key signs it, or another key, or nobody.
fn sealed(snapshot: &Snapshot, by: Option<u8>) -> openthymos::canon::Bytes {
    let sealed = snapshot.seal().unwrap();
    let signature = by.map(|seed| key(seed).sign(Purpose::Snapshot, sealed.hash.as_bytes()));
    sealed.signed(signature)
}

fn store_id(runtime: &Runtime) -> StoreId {
    runtime.store_id()
}

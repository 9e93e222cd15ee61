//! What the killed process does: it takes up its run or starts one, and goes on paying where the last one stopped.

use std::path::Path;

use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    contract::Effect,
    crypto::{NamedKey, Role, SecretKey},
    host::SystemEntropy,
    intent::Intent,
    ledger::{AuthorityState, redb::RedbLedger},
    runtime::{Run, Runtime, StartError, Submitted},
    writ::{Amounts, Scope, ToolPattern, WritBuilder, WritChain},
};
use serde_json::json;

use super::payer::{Payer, payments};

pub const FOLDER: &str = "OPENTHYMOS_TEST_FOLDER";
/// So many payments, and the run is closed and another one started.
const PAYMENTS_PER_RUN: u64 = 24;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn named(name: &str, seed: u8) -> NamedKey {
    NamedKey::new(name, key(seed).public_key())
}

pub fn open(folder: &Path) -> Runtime {
    let ledger = RedbLedger::open(folder.join("ledger.redb")).unwrap();
    let payer = |looks| Payer { folder: folder.to_owned(), looks };
    let builder = Runtime::builder().signer("kernel", key(3)).trust(named("root", 1), [Role::WritIssuer]);
    block_on(builder.ledger(ledger).tool(payer(true)).tool(payer(false)).open()).unwrap()
}

fn writ() -> WritChain {
    let budget = Amounts { tool_calls: 1_000_000, wall_clock_ms: 1 << 50, ..Amounts::ZERO };
    let writ = WritBuilder::root(named("root", 1), named("agent", 2)).any_store().effects_up_to(Effect::External);
    let writ = writ.scopes([Scope::tools(ToolPattern::new("*").unwrap())]).budget(budget);
    block_on(writ.sign_with(&key(1), &SystemEntropy)).unwrap()
}

/// The run that was left open, taken up, or a new one.
fn take_up(runtime: &Runtime) -> Run {
    let authority = AuthorityState::trajectory(runtime.store_id());
    for (run, _) in block_on(runtime.ledger().trajectories(None, usize::MAX)).unwrap() {
        if run != authority
            && let Some(run) = taken(runtime, &run)
        {
            return run;
        }
    }
    block_on(runtime.start("pay", &writ(), &key(2))).unwrap()
}

fn taken(runtime: &Runtime, run: &TrajectoryId) -> Option<Run> {
    match block_on(runtime.resume(run)) {
        Ok(run) => Some(run),
        Err(StartError::Ended(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

pub fn work(folder: &Path) {
    let runtime = open(folder);
    let mut run = take_up(&runtime);
    let numbers = |(_, key): (String, String)| key.rsplit_once('-').and_then(|(_, number)| number.parse::<u64>().ok());
    // The last ones are asked for again: they may have been paid or not.
    let last = payments(folder).into_iter().filter_map(numbers).max().unwrap_or(0);
    for number in last.saturating_sub(2).. {
        for tool in ["pay", "pay_blindly"] {
            let submitted = block_on(run.submit(Intent::act(tool, json!({"number": number})))).unwrap();
            let word = if matches!(submitted, Submitted::Committed { .. }) { "paid" } else { "not paid" };
            println!("told {}\n{word} {tool} {number}", submitted.entry());
        }
        if number % PAYMENTS_PER_RUN == PAYMENTS_PER_RUN - 1 {
            let end = block_on(run.close()).unwrap();
            println!("told {end}");
            run = block_on(runtime.start("pay", &writ(), &key(2))).unwrap();
        }
    }
}

//! What other rules and another authority would have decided, and what rests on it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

#[path = "../common/mod.rs"]
mod common;
mod flips;
mod radius;

use futures::executor::block_on;
use openthymos::{
    ledger::LedgerStore,
    policy::{Bundle, BundleEntry},
    proposal::Status,
    replay::{
        Pins, ReplayError,
        simulate::{self, Change, Found, Runs, Simulated, Simulation},
    },
};
use serde_json::{Value, json};

/// A bundle of these rules.
fn rules(rules: &Value) -> Vec<BundleEntry> {
    let bundle = json!({"name": "new", "version": "2", "rules": rules});
    vec![BundleEntry::Unsigned(Bundle::from_json(bundle.to_string().as_bytes()).unwrap())]
}

/// A rule with a name and a condition.
fn rule(name: &str, when: &Value, decision: &Value) -> Value {
    json!({"name": name, "when": when, "decision": decision})
}

fn deny() -> Value {
    json!({"kind": "deny", "reason": "no"})
}

fn ask(channel: &str) -> Value {
    json!({"kind": "require_approval", "channel": channel, "reason": "ask"})
}

fn with_rules(of: &Value) -> Change {
    Change { rules: Some(rules(of)), ..Change::default() }
}

fn simulated(store: &dyn LedgerStore, change: Change) -> Result<(Simulation, Vec<Found>), ReplayError> {
    let mut found = Vec::new();
    let tell = |of: &Found| found.push(of.clone());
    block_on(simulate::runs(store, Runs::All, change, Pins::default(), tell)).map(|simulation| (simulation, found))
}

/// What each decision that changes would be: its seq, and the outcome in a word or the code of the refusal.
fn changes(found: &[Found]) -> Vec<(u64, String)> {
    let changed = found.iter().filter_map(|found| match found {
        Found::Changed(changed) => Some((changed.at.seq, word(&changed.now))),
        _ => None,
    });
    changed.collect()
}

fn word(now: &Simulated) -> String {
    match now {
        Simulated::Decided(Status::Staged) => "staged".into(),
        Simulated::Decided(Status::Suspended { channel, .. }) => format!("asks {channel}"),
        Simulated::Decided(Status::Rejected(refusal)) => refusal.code.as_str(),
        Simulated::ReachesTool => "reaches".into(),
        other => panic!("{other:?}"),
    }
}

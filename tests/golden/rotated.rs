//! Runs across a rotation of the runtime's key and a reset of the clock, and one that a compromised key signed.

use std::sync::Arc;

use futures::executor::block_on;
use openthymos::{
    Intent, LedgerStore, Run, Runtime,
    contract::Effect,
    crypto::Role,
    host::{FixedClock, Host, SeededEntropy},
    ledger::{Batch, Kind, Position},
    replay::{Pins, Report, Verdict, export::verify},
    runtime::{Rotation, export},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::json;

use crate::{
    export::ledger,
    file::holds,
    fixture::{AGENT, NOW_MS, OPERATOR, Party, RUNTIME, SUCCESSOR},
    tools::Set,
};

/// A key that is not among the parties of other vectors.
const THIRD: Party = Party("third", 8);

struct Made {
    ledger: Arc<dyn LedgerStore>,
    runtime: Runtime,
    run: Run,
    clock: Arc<FixedClock>,
}

async fn made() -> Made {
    let ledger: Arc<dyn LedgerStore> = Arc::new(ledger().await);
    let clock = Arc::new(FixedClock::at(NOW_MS));
    let entropy = Arc::new(SeededEntropy::new(2));
    let host = Host { clock: Arc::clone(&clock) as _, entropy: Arc::clone(&entropy) as _, ..Host::default() };
    let runtime = Runtime::builder()
        .shared_ledger(Arc::clone(&ledger))
        .signer("runtime", RUNTIME.secret())
        .trust(OPERATOR.named(), [Role::WritIssuer])
        .tool(Set)
        .host(host)
        .open()
        .await
        .unwrap();
    let writ = WritBuilder::root(OPERATOR.named(), AGENT.named())
        .stores([runtime.store_id()])
        .scopes([Scope::tools("kv_*".parse().unwrap())])
        .effects_up_to(Effect::Write)
        .budget(Amounts { tool_calls: 20, wall_clock_ms: 600_000, ..Amounts::ZERO });
    let chain = writ.sign_with(&OPERATOR.secret(), &*entropy).await.unwrap();
    let run = runtime.start("keep a note", &chain, &AGENT.secret()).await.unwrap();
    Made { ledger, runtime, run, clock }
}

impl Made {
    async fn set(&self, value: u64) {
        self.clock.advance_ms(10);
        self.run.submit(Intent::act("kv_set", json!({"key": "a", "value": value}))).await.unwrap();
    }

    async fn export(&self, signer: Party) -> Vec<u8> {
        let mut bytes = Vec::new();
        export(&*self.ledger, &self.run.id(), Some(&signer.secret()), NOW_MS, &mut bytes).await.unwrap();
        bytes
    }

    async fn length(&self) -> Position {
        self.ledger.append(Batch::default()).await.unwrap()
    }

    async fn rotate(&self, rotation: Rotation, by: Party) {
        self.runtime.rotate(rotation, &by.secret()).await.unwrap();
    }
}

fn to(old: Party, new: Party) -> Rotation {
    Rotation::runtime(old.secret().public_key(), new.0, new.secret())
}

fn read(bytes: &[u8]) -> Report {
    verify(bytes, Pins::default(), |_, _| {}).unwrap().0
}

#[test]
fn a_run_goes_on_over_a_rotation_and_a_reset_of_the_clock() {
    let bytes = block_on(async {
        let made = made().await;
        made.set(1).await;
        made.rotate(to(RUNTIME, SUCCESSOR), RUNTIME).await;
        made.set(2).await;
        made.clock.set(NOW_MS - 100_000);
        made.run.submit(Intent::act("kv_set", json!({"key": "a", "value": 3}))).await.unwrap();
        made.runtime.reset_clock("operator", &OPERATOR.secret()).await.unwrap();
        made.set(4).await;
        // A key that is lost is replaced by a root, and the key that takes over signs the entry.
        made.rotate(to(SUCCESSOR, THIRD), OPERATOR).await;
        made.set(5).await;
        made.export(THIRD).await
    });
    holds("rotated.ndjson", &bytes);
    let report = read(&bytes);
    assert_eq!((report.verdict(), report.signers.len(), report.commits), (Verdict::Verified, 3, 4));
    assert!(report.as_of_ms < NOW_MS);
}

#[test]
fn what_a_compromised_key_signed_from_a_position_on_is_not_verified() {
    let bytes = block_on(async {
        let made = made().await;
        made.set(1).await;
        let from = made.length().await;
        made.set(2).await;
        made.rotate(to(RUNTIME, SUCCESSOR).compromised_from(from), OPERATOR).await;
        made.set(3).await;
        made.export(SUCCESSOR).await
    });
    holds("compromised.ndjson", &bytes);
    let report = read(&bytes);
    assert_eq!((report.verdict(), report.incomplete.len()), (Verdict::Incomplete, 1));
    assert!(report.incomplete[0].starts_with("entry 2 is signed by key "), "{report}");
}

#[test]
fn a_compromise_that_leaves_the_run_alone_leaves_it_verified() {
    let made = block_on(made());
    block_on(made.set(1));
    let from = block_on(made.length());
    block_on(made.rotate(to(RUNTIME, SUCCESSOR).compromised_from(from), OPERATOR));
    let report = read(&block_on(made.export(SUCCESSOR)));
    assert_eq!(report.verdict(), Verdict::Verified);
    let kinds = block_on(made.ledger.scan(from, 3)).unwrap();
    assert_eq!(kinds[0].1.header.known_kind(), Some(Kind::KeyRotation));
}

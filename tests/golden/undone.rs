//! A run that has ended and was undone: with a step that was lost and settled, an effect that stays, and a halt at each.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use async_trait::async_trait;
use futures::executor::block_on;
use openthymos::{
    Intent, LedgerStore, Runtime, ToolContract,
    contract::{Contract, Effect, Risk, Touches},
    crypto::Role,
    host::{FixedClock, Host, SeededEntropy},
    ledger::record::HappenedVerdict,
    replay::{Pins, Verdict, export::verify},
    runtime::{HaltCause, Resolution, RollbackTo, Under, export},
    tool::{Call, ToolError, ToolOutput},
    writ::{Amounts, Scope, WritBuilder, WritChain},
};
use serde_json::json;

use crate::{
    export::ledger,
    file::holds,
    fixture::{AGENT, APPROVER, NOW_MS, OPERATOR, Party, RUNTIME},
    tools::Set,
};

/// Turns a valve, and says how it was before.
struct Turn {
    at: AtomicI64,
    lose: Arc<AtomicBool>,
}

#[async_trait]
impl ToolContract for Turn {
    fn contract(&self) -> Contract {
        Contract {
            compensable: true,
            description: "The golden vectors' turn".into(),
            effect: Effect::External,
            name: "turn".parse().unwrap(),
            risk: Risk::Low,
            schema: json!({"type": "object", "properties": {"to": {"type": "integer"}}}),
            touches: Touches::Host,
            version: "1".into(),
        }
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        if self.lose.swap(false, Ordering::SeqCst) {
            return Err(ToolError::Failed("connection lost".into()));
        }
        let to = call.args["to"].as_i64().unwrap_or_default();
        let before = self.at.swap(to, Ordering::SeqCst);
        Ok(ToolOutput::new("turned").undone_by("turn".parse().unwrap(), json!({"to": before})))
    }
}

async fn writ(subject: Party, runtime: &Runtime, entropy: &SeededEntropy) -> WritChain {
    let writ = WritBuilder::root(OPERATOR.named(), subject.named())
        .stores([runtime.store_id()])
        .scopes([Scope::tools("*".parse().unwrap())])
        .effects_up_to(Effect::External)
        .budget(Amounts { tool_calls: 20, wall_clock_ms: 900_000, ..Amounts::ZERO });
    writ.sign_with(&OPERATOR.secret(), entropy).await.unwrap()
}

async fn made() -> Vec<u8> {
    let ledger: Arc<dyn LedgerStore> = Arc::new(ledger().await);
    let entropy = Arc::new(SeededEntropy::new(3));
    let clock = Arc::new(FixedClock::at(NOW_MS));
    let host = Host { clock: Arc::clone(&clock) as _, entropy: Arc::clone(&entropy) as _, ..Host::default() };
    let lose = Arc::new(AtomicBool::new(false));
    let runtime = Runtime::builder()
        .shared_ledger(Arc::clone(&ledger))
        .signer("runtime", RUNTIME.secret())
        .trust(OPERATOR.named(), [Role::WritIssuer])
        .trust(APPROVER.named(), [Role::Approver])
        .tool(Set)
        .tool(Turn { at: AtomicI64::new(0), lose: Arc::clone(&lose) })
        .host(host)
        .open()
        .await
        .unwrap();
    let run = runtime.start("turn it", &writ(AGENT, &runtime, &entropy).await, &AGENT.secret()).await.unwrap();
    run.submit(Intent::act("turn", json!({"to": 1}))).await.unwrap();
    let stays = run.submit(Intent::act("kv_set", json!({"key": "a", "value": 1}))).await.unwrap().entry();
    run.submit(Intent::act("turn", json!({"to": 2}))).await.unwrap();
    run.close().await.unwrap();
    clock.advance_ms(60_000);
    let (chain, subject) = (writ(APPROVER, &runtime, &entropy).await, APPROVER.secret());
    let undo = async |keep: &[_]| {
        let under = Under::writ(&chain, &subject).keeping(keep.to_vec());
        runtime.compensate_to(&run.id(), RollbackTo::Start, under).await.unwrap()
    };
    lose.store(true, Ordering::SeqCst);
    assert!(matches!(undo(&[]).await.halted.unwrap().cause, HaltCause::Failed { .. }));
    let doubt = undo(&[]).await.halted.unwrap();
    assert_eq!(doubt.cause, HaltCause::InDoubt);
    let resolution = Resolution {
        dispatch: doubt.at,
        verdict: HappenedVerdict::NotDone,
        note: Some("it stands at 2"),
        name: "approver",
    };
    runtime.resolve(&run.id(), resolution, &subject).await.unwrap();
    assert_eq!(undo(&[]).await.halted.unwrap().cause, HaltCause::NotCompensable);
    assert_eq!(undo(&[stays]).await.undone.len(), 1);
    let mut bytes = Vec::new();
    export(&*ledger, &run.id(), Some(&RUNTIME.secret()), NOW_MS + 60_000, &mut bytes).await.unwrap();
    bytes
}

#[test]
fn a_run_that_has_ended_is_undone() {
    let bytes = block_on(made());
    holds("undone.ndjson", &bytes);
    let (report, folded) = verify(&bytes[..], Pins { rederive: true, ..Pins::default() }, |_, _| {}).unwrap();
    assert_eq!((report.verdict(), report.commits), (Verdict::Verified, 5));
    assert_eq!((folded.presented.len(), folded.effects.hash()), (1, openthymos::canon::EffectsHash::ZERO));
}

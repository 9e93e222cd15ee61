//! The same with real threads: nothing is overdrawn, and all that was granted can be spent.

use std::sync::{Arc, Barrier, atomic::AtomicU64, atomic::Ordering};

use futures::executor::block_on;
use openthymos::{
    contract::{Effect, Touches},
    crypto::{NamedKey, Role, SecretKey},
    host::{Host, SeededEntropy},
    intent::Intent,
    runtime::{Run, Runtime, Submitted},
    writ::{Amounts, Scope, ToolPattern, WritBuilder},
};
use serde_json::json;

use crate::{
    ledger::{Dice, SlowLedger},
    tool::Payer,
};

#[test]
fn threads_spend_exactly_what_was_granted() {
    const GRANTED: u64 = 300;
    let named = |seed: u8| NamedKey::new("key", SecretKey::from_seed(&[seed; 32]).public_key());
    let secret = |seed: u8| SecretKey::from_seed(&[seed; 32]);
    let ledger = Arc::new(SlowLedger::new(Dice::new(1)));
    ledger.wild.store(false, Ordering::Relaxed);
    let calls = Arc::new(AtomicU64::new(0));
    let tool = Payer { touches: Touches::Host, dice: Dice::new(2), calls: Arc::clone(&calls) };
    let host = Host { entropy: Arc::new(SeededEntropy::new(1)), ..Host::default() };
    let builder = Runtime::builder().shared_ledger(ledger.clone()).unsigned().host(host);
    let runtime = block_on(builder.trust(named(1), [Role::WritIssuer]).tool(Slow(tool)).open()).unwrap();
    let budget = |calls| Amounts { tool_calls: calls, usd_millicents: 1 << 30, wall_clock_ms: 1 << 40, tokens: 0 };
    let root = WritBuilder::root(named(1), named(2))
        .any_store()
        .scopes([Scope::tools(ToolPattern::new("*").unwrap())])
        .budget(budget(GRANTED))
        .effects_up_to(Effect::Write)
        .delegable(3);
    let root = block_on(root.sign(&secret(1))).unwrap();
    let child =
        block_on(WritBuilder::child(&root, named(3)).budget(budget(200)).delegable(2).sign(&secret(2))).unwrap();
    let leaf = block_on(WritBuilder::child(&child, named(4)).budget(budget(150)).sign(&secret(3))).unwrap();
    let runs: Vec<Run> = [(&root, 2), (&child, 3), (&leaf, 4)]
        .into_iter()
        .cycle()
        .take(9)
        .map(|(chain, seed)| block_on(runtime.start("a task", chain, &secret(seed))).unwrap())
        .collect();
    let barrier = Barrier::new(runs.len());
    let done: Vec<u64> = std::thread::scope(|scope| {
        let work = |run: &Run| {
            barrier.wait();
            let carried_out = |_: &u32| {
                let args = json!({"usd": 0, "end": "done"});
                let submitted = block_on(run.submit(Intent::act(Payer::name(Touches::Host), args))).unwrap();
                matches!(submitted, Submitted::Committed { .. })
            };
            (0..60).filter(carried_out).count() as u64
        };
        let threads: Vec<_> = runs.iter().map(|run| scope.spawn(move || work(run))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((done.iter().sum::<u64>(), calls.load(Ordering::Relaxed)), (GRANTED, GRANTED));
    let accounts = ledger.accounts();
    for (id, writ) in leaf.links() {
        let used = accounts[&id].values().fold(Amounts::ZERO, |sum, (spent, held)| sum.plus(spent).plus(held));
        assert!(used.tool_calls <= writ.budget.tool_calls, "{used:?}");
    }
}

/// Threads need no future that nobody wakes.
struct Slow(Payer);

#[async_trait::async_trait]
impl openthymos::ToolContract for Slow {
    fn contract(&self) -> openthymos::contract::Contract {
        self.0.contract()
    }

    async fn call(
        &self,
        _: openthymos::tool::Call,
    ) -> Result<openthymos::tool::ToolOutput, openthymos::tool::ToolError> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        std::thread::yield_now();
        Ok(openthymos::tool::ToolOutput::new("done"))
    }
}

//! What is spent under a writ is known at once, however many runs spent it.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{Bytes, TrajectoryId},
    ledger::{
        Batch, Entry, Head, LedgerStore, MemoryLedger, Position, RegisterKey, RegisterOp, StoreError,
        register::{Account, Register},
    },
    runtime::{Runtime, Submitted},
    writ::{Amounts, WritChain},
};
use serde_json::json;

/// Counts the accounts that are read.
struct Counting {
    ledger: Arc<MemoryLedger>,
    accounts: AtomicUsize,
}

#[async_trait]
impl LedgerStore for Counting {
    async fn append(&self, batch: Batch) -> Result<Position, StoreError> {
        self.ledger.append(batch).await
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.ledger.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.ledger.read(trajectory, from_seq, limit).await
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.ledger.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.ledger.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.ledger.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        let found = self.ledger.registers(prefix, after, limit).await?;
        let accounts = found.iter().filter(|(key, _)| Register::of(key) == Some(Register::Account));
        self.accounts.fetch_add(accounts.count(), Ordering::SeqCst);
        Ok(found)
    }
}

/// A writ for so many calls, and one below it.
fn chains(calls: u64) -> [WritChain; 2] {
    let root = signed(writ().budget(Amounts { tool_calls: calls, ..PLENTY }));
    let below = child(&root, |writ| writ);
    [root, below]
}

fn send() -> TestTool {
    TestTool::host("send")
}

/// Starts a run, which calls `send` so often; returns how many of the calls were committed.
fn calls(runtime: &Runtime, chain: &WritChain, times: usize) -> usize {
    let run = start(runtime, chain);
    let done = (0..times).filter(|_| matches!(submit(&run, "send", json!({})), Submitted::Committed { .. })).count();
    block_on(run.close()).unwrap();
    done
}

fn total(fixture: &Fixture, chain: &WritChain) -> Option<Account> {
    let key = RegisterKey::total(&chain.id());
    block_on(fixture.ledger.register(&key)).unwrap().map(|value| Account::from_bytes(&value).unwrap())
}

#[test]
fn a_start_and_a_resumption_read_no_accounts_of_other_runs() {
    let (fixture, chains) = (Fixture::default(), chains(100));
    let runtime = fixture.open([send()]);
    for chain in chains.iter().cycle().take(20) {
        assert_eq!(calls(&runtime, chain, 2), 2);
    }
    let open = start(&runtime, &chains[1]);
    let id = open.id();
    drop((open, runtime));

    let counting = Arc::new(Counting { ledger: fixture.ledger.clone(), accounts: AtomicUsize::new(0) });
    let tools = [Arc::new(send()) as _];
    let runtime = block_on(fixture.builder().shared_ledger(counting.clone()).tools(tools).open()).unwrap();
    let run = block_on(runtime.resume(&id)).unwrap();
    assert!(matches!(submit(&run, "send", json!({})), Submitted::Committed { .. }));
    assert_eq!(calls(&runtime, &chains[0], 1), 1);
    assert_eq!(counting.accounts.load(Ordering::SeqCst), 0);

    let spent = chains.each_ref().map(|chain| total(&fixture, chain).unwrap().spent.tool_calls);
    assert_eq!(spent, [42, 21]);
    whole(&*fixture.ledger);
}

#[test]
fn where_no_total_is_kept_the_accounts_are_summed_up() {
    let (fixture, [root, below]) = (Fixture::default(), chains(5));
    let runtime = fixture.open([send()]);
    assert_eq!(calls(&runtime, &root, 2), 2);
    drop(runtime);
    let key = RegisterKey::total(&root.id());
    let registers = vec![RegisterOp::Set { key, value: None }];
    block_on(fixture.ledger.append(Batch { entries: vec![], registers })).unwrap();

    for left in [3, 0] {
        let runtime = fixture.open([send()]);
        assert_eq!(calls(&runtime, &below, 4), left);
        // One that does not have all of it would grant too much.
        assert_eq!(total(&fixture, &root), None);
        assert_eq!(total(&fixture, &below).unwrap().spent.tool_calls, 3);
        whole(&*fixture.ledger);
    }
}

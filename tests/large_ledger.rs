//! A ledger of ten million entries opens at once, after a crash too, and what begins in it does not wait for what is there.
//!
//! It makes some gigabytes, so it runs when it is asked for, as it would be released:
//! `cargo test --release --features cli --test large_ledger -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    ops::Range,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use common::*;
use futures::{executor::block_on, stream, stream::StreamExt};
use openthymos::{
    Run, Runtime,
    canon::{EntryId, TrajectoryId},
    crypto::Role,
    ledger::{
        AuthorityState, Batch, Draft, Entry, Head, Header, Kind, LedgerStore, Position, RegisterKey, RegisterOp,
        record::RunOpened,
        redb::RedbLedger,
        register::{Account, seq_bytes},
    },
    runtime::Submitted,
    tool::ToolContract,
    writ::{Amounts, WritChain},
};
use serde_json::json;

const ENTRIES_OF_A_RUN: u64 = 100;
const RUNS_OF_A_BATCH: usize = 40;

/// Where the child process finds the ledger.
const CHILD_LEDGER: &str = "THYMOS_LARGE_LEDGER";

fn runs() -> u64 {
    std::env::var("THYMOS_LARGE_RUNS").map_or(100_000, |runs| runs.parse().unwrap())
}

fn roomy() -> WritChain {
    signed(writ().budget(Amounts { tool_calls: 1 << 40, wall_clock_ms: 1 << 50, ..PLENTY }))
}

fn open(path: &Path) -> Runtime {
    compose(RedbLedger::open(path).unwrap())
}

fn compose(ledger: RedbLedger) -> Runtime {
    let builder = Runtime::builder().ledger(ledger).unsigned().trust(named(ISSUER), [Role::WritIssuer]);
    block_on(builder.tools([Arc::new(TestTool::host("send")) as Arc<dyn ToolContract>]).open()).unwrap()
}

fn call(run: &Run) {
    let done = submit(run, "send", json!({}));
    assert!(matches!(done, Submitted::Committed { .. }), "{done:?}");
}

/// Says how long something took.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    let took = start.elapsed();
    println!("{what}: {took:.1?}");
    (done, took)
}

/// Makes the entries of runs: chained, opened, each with an account under the writ, and none of them signed.
struct Filler {
    commit: Entry,
    opening: Header,
    authority: Head,
    writ: WritChain,
}

impl Filler {
    /// After the model of a run of the ledger.
    fn like(ledger: &RedbLedger, run: &TrajectoryId, writ: &WritChain) -> Self {
        let commit = block_on(ledger.read(run, 0, 9)).unwrap().pop().unwrap();
        let genesis = block_on(ledger.scan(Position(0), 1)).unwrap().remove(0).1;
        let trajectory = AuthorityState::trajectory(AuthorityState::store_id(&genesis.record));
        let authority = block_on(ledger.head(&trajectory)).unwrap().unwrap();
        let opening = block_on(ledger.read(&trajectory, authority.seq, 1)).unwrap().remove(0).header;
        Self { commit, opening, authority, writ: writ.clone() }
    }

    fn batch(&mut self, runs: Range<u64>) -> Batch {
        let mut batch = Batch::default();
        for run in runs {
            let trajectory = TrajectoryId(*blake3::hash(&run.to_be_bytes()).as_bytes());
            let mut parent = EntryId::ZERO;
            for seq in 0..ENTRIES_OF_A_RUN {
                let header = Header { trajectory, seq, parent, ..self.commit.header };
                let entry = Entry { header, ..self.commit.clone() };
                parent = entry.id();
                batch.entries.push(entry);
            }
            let opened = RunOpened { trajectory, writ: self.writ.id() };
            let draft = Draft::seal(Kind::RunOpened, &opened, vec![]).unwrap();
            let (seq, parent) = (self.authority.seq + 1, self.authority.id);
            let header = Header { seq, parent, record: draft.hash(), ..self.opening };
            let entry = Entry { header, record: draft.record, blobs: vec![], signature: None };
            self.authority = Head { seq, id: entry.id(), ..self.authority };
            batch.entries.push(entry);
            let (before, after) = (Account::default(), Account { spent: Amounts::ONE_CALL, ..Account::default() });
            let writ = self.writ.id();
            batch.registers.extend([
                RegisterOp::Set { key: RegisterKey::opened(&trajectory), value: Some(seq_bytes(seq)) },
                RegisterOp::Set { key: RegisterKey::account(&writ, &trajectory), value: Some(after.to_bytes()) },
                RegisterOp::Add { key: RegisterKey::total(&writ), before, after },
            ]);
        }
        batch
    }
}

/// Fills a ledger, and ends with a short run. Returns that run.
fn fill(path: &Path) -> TrajectoryId {
    let chain = roomy();
    let runtime = open(path);
    let model = start(&runtime, &chain);
    call(&model);
    let id = model.id();
    drop((model, runtime));
    let ledger = RedbLedger::open(path).unwrap();
    let mut filler = Filler::like(&ledger, &id, &chain);
    let batches = (0..runs()).step_by(RUNS_OF_A_BATCH).map(|first| first..runs().min(first + RUNS_OF_A_BATCH as u64));
    // Several on their way, so that making the next takes no time from storing the one before.
    let appends = batches.map(|runs| ledger.append(filler.batch(runs)));
    block_on(stream::iter(appends).buffered(4).for_each(|stored| async { _ = stored.unwrap() }));
    drop(ledger);
    let runtime = open(path);
    let last = start(&runtime, &chain);
    call(&last);
    last.id()
}

/// Opens the ledger and does what begins in it, each at once.
fn begins_at_once(path: &Path, last: &TrajectoryId) {
    let (ledger, opened) = timed("open the file", || RedbLedger::open(path).unwrap());
    let next = block_on(ledger.append(Batch::default())).unwrap();
    println!("{} entries, {:.1} GB", next.0, std::fs::metadata(path).unwrap().len() as f64 / 1e9);
    let (runtime, composed) = timed("compose the runtime", || compose(ledger));
    let (run, started) = timed("start a run under the writ of all others", || start(&runtime, &roomy()));
    let (resumed, taken_up) = timed("take up the last run", || block_on(runtime.resume(last)).unwrap());
    call(&run);
    call(&resumed);
    let ((), closed) = timed("close the ledger", || drop((run, resumed, runtime)));
    let (audit, audited) = timed("thymos audit last", || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thymos"));
        command.args(["audit", "last", "--ledger"]).arg(path).env("THYMOS_HOME", path.with_extension("home"));
        command.output().unwrap()
    });
    assert!(audit.status.success(), "{audit:?}");
    assert!(opened + composed < Duration::from_secs(1));
    for took in [started, taken_up, audited, closed] {
        assert!(took < Duration::from_secs(1));
    }
}

#[test]
#[ignore = "makes some gigabytes"]
fn ten_million_entries_open_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let (last, _) = timed("fill it", || fill(&path));
    println!("\nAfter it was closed:");
    begins_at_once(&path, &last);
    println!("\nAfter its process was killed:");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--include-ignored"]).env(CHILD_LEDGER, &path);
    assert!(!child.output().unwrap().status.success());
    begins_at_once(&path, &last);
}

/// Not a test of its own: the process that is killed.
#[test]
#[ignore = "is run by another"]
fn child() {
    let Some(path) = std::env::var_os(CHILD_LEDGER) else { return };
    let runtime = open(Path::new(&path));
    call(&start(&runtime, &roomy()));
    std::process::abort();
}

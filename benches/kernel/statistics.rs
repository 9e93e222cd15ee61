//! Times with confidence intervals, for comparing two states of the code: `cargo bench --bench statistics -- --save-baseline before`.

// The fixtures of the table name the kernel by the paths that it has inside of the crate.
use openthymos::*;

#[path = "../../src/cli/bench/table/device.rs"]
mod device;
#[path = "../../src/cli/bench/table/scene/mod.rs"]
#[expect(dead_code, reason = "not every fixture is used here")]
mod scene;

use std::{
    cell::Cell,
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

use crate::{
    canon::{Commitment, to_canonical},
    device::Device,
    host::{SystemEntropy, block_on},
    ledger::{Batch, MemoryLedger, redb::RedbLedger},
    replay::Pins,
    scene::{CREATE, Deciding, SEND, Scene, commit, create, run_of},
    world::{FoldOp, ResourceId},
};

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How many entries are replayed.
const ENTRIES: usize = 2_000;

fn must<T>(result: Result<T, Failed>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1)
        }
    }
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for rules in [10, 100] {
        let deciding = must(block_on(Deciding::under(rules)));
        let intent = must(deciding.seal(7, &SystemEntropy));
        group.bench_function(format!("{rules} rules"), |bencher| {
            bencher.iter_batched(
                || deciding.asked(),
                |asked| must(deciding.decide(black_box(&intent), asked)),
                BatchSize::SmallInput,
            );
        });
    }
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    group.bench_function("intent", |bencher| {
        let seal = |intent: Intent| must(intent.seal(&SystemEntropy).map_err(Failed::from));
        bencher.iter_batched(|| create(CREATE, 7), seal, BatchSize::SmallInput);
    });
    let value = json!({"a": [1, 2.5, "drei"], "b": {"key": "value".repeat(100)}, "c": null});
    group.bench_function("value", |bencher| {
        bencher.iter(|| must(to_canonical(black_box(&value)).map_err(Failed::from)));
    });
}

fn call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("governed call");
    let folder = must(tempfile::tempdir().map_err(Failed::from));
    for (name, tool, signed, durable) in [
        ("memory, unsigned", CREATE, false, false),
        ("memory, signed", CREATE, true, false),
        ("memory, signed, with dispatch", SEND, true, false),
        ("redb, signed", CREATE, true, true),
    ] {
        let run = must(block_on(async {
            let scene = if durable {
                Scene::open(RedbLedger::open(folder.path().join("ledger.redb"))?, signed).await?
            } else {
                Scene::open(MemoryLedger::new(), signed).await?
            };
            scene.start().await
        }));
        let number = Cell::new(0);
        let next = || create(tool, number.replace(number.get() + 1));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(next, |intent| must(block_on(commit(&run, intent))), BatchSize::SmallInput);
        });
    }
}

/// Entries that are sealed already, one after the other, on a file that is not synced.
fn append(criterion: &mut Criterion) {
    let folder = must(tempfile::tempdir().map_err(Failed::from));
    let file = |name: &str| must(Device::unsynced(&folder.path().join(name)));
    let run = must(run_of(&folder.path().join("from.redb"), ENTRIES, true));
    let from = must(RedbLedger::open(folder.path().join("from.redb")).map_err(Failed::from));
    let entries = must(block_on(from.read(&run, 0, ENTRIES)).map_err(Failed::from));
    let ledgers = Cell::new(0);
    criterion.bench_function("append, redb, not synced", |bencher| {
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for from in (0..times).step_by(ENTRIES) {
                let name = format!("{}.redb", ledgers.replace(ledgers.get() + 1));
                let ledger = must(RedbLedger::with_backend(file(&name)).map_err(Failed::from));
                let batches: Vec<Batch> = (entries.iter().take((times - from) as usize).cloned())
                    .map(|entry| Batch { entries: vec![entry], registers: vec![] })
                    .collect();
                let start = Instant::now();
                for batch in batches {
                    must(block_on(ledger.append(batch)).map_err(Failed::from));
                }
                took += start.elapsed();
            }
            took
        });
    });
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(ENTRIES as u64)).sample_size(20);
    let folder = must(tempfile::tempdir().map_err(Failed::from));
    for (name, signed, rederive) in
        [("unsigned", false, false), ("signed", true, false), ("every decision derived again", false, true)]
    {
        let path = folder.path().join(format!("{name}.redb"));
        let run = must(run_of(&path, ENTRIES, signed));
        let ledger = must(RedbLedger::open(&path).map_err(Failed::from));
        let pins = Pins { rederive, ..Pins::default() };
        let replay = || block_on(crate::replay::run(&ledger, &run, pins.clone(), |_, _| {}));
        group.bench_function(name, |bencher| bencher.iter(|| must(replay().map_err(Failed::from))));
    }
}

fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold");
    for resources in [1_000, 100_000] {
        let id = |number| must(ResourceId::new("kv", &format!("key-{number:08}")).map_err(Failed::from));
        let becomes = Some((Commitment([7; 32]), Some(Value::from("v").into())));
        let op = |number, expected| vec![FoldOp { resource: id(number), expected, becomes: becomes.clone() }];
        let mut world = World::default();
        (0..resources).for_each(|number| drop(must(world.fold(1, op(number, 0)).map_err(Failed::from))));
        let turn = Cell::new(0);
        let next = || op(turn.get() % resources, turn.replace(turn.get() + 1) / resources + 1);
        group.bench_function(format!("{resources} resources"), |bencher| {
            bencher.iter_batched(next, |ops| must(world.fold(2, ops).map_err(Failed::from)), BatchSize::PerIteration);
        });
    }
}

fn chain(criterion: &mut Criterion) {
    let scene = must(block_on(Scene::open(MemoryLedger::new(), true)));
    criterion.bench_function("writ, verified", |bencher| {
        let verify = |chain: crate::writ::UnverifiedChain| must(chain.verify().map_err(Failed::from));
        bencher.iter_batched(|| scene.writ.to_unverified(), verify, BatchSize::SmallInput);
    });
}

criterion_group!(kernel, compile, seal, call, append, replay, fold, chain);
criterion_main!(kernel);

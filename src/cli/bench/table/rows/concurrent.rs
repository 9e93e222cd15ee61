use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use super::super::{
    Bench, Failed, Row, Target, Unit, cores,
    device::Device,
    floor::{Rows, Signing, Stored},
    scene::{CREATE, SEND, Scene, commit, create},
};
use crate::{Run, host::block_on, ledger::redb::RedbLedger};

/// How many runs submit at once.
const RUNS: u32 = 64;
/// How long a sync takes on the slow disk.
const SLOW: Duration = Duration::from_millis(4);

/// The rows: 64 runs at once on disk, with and without a dispatch, and on a disk whose syncs are slow.
pub(crate) fn concurrent(bench: &mut Bench<'_>) -> Result<(), Failed> {
    for (tool, what, least) in [(CREATE, "world-only", 25e3), (SEND, "with dispatch", 12e3)] {
        let (figure, floor) = on_disk(bench, tool)?;
        bench.tell(Row {
            name: format!("durable calls, signed, 64 runs, {what}"),
            unit: Unit::PerSecond,
            figure,
            floor: Some((floor, "redb commits of the same rows for 64 runs, ed25519 sign on all cores")),
            target: Some(Target::Least(least)),
        });
    }
    let (figure, floor) = on_a_slow_disk(bench)?;
    bench.tell(Row {
        name: "durable calls, signed, 64 runs, an fsync takes 4 ms".into(),
        unit: Unit::PerSecond,
        figure,
        floor: Some((floor, "one writer on the same disk")),
        target: Some(Target::LeastTimes(40.0)),
    });
    Ok(())
}

/// Calls per second of 64 runs, and how many the floor does.
fn on_disk(bench: &Bench<'_>, tool: &str) -> Result<(f64, f64), Failed> {
    let ledger = RedbLedger::open(bench.file(&format!("concurrent-{tool}.redb")))?;
    let mut rows = Rows::create(&bench.file(&format!("concurrent-{tool}.floor")))?;
    let (signing, (runs, stored)) = (
        Signing::new(),
        block_on(async {
            let scene = Scene::open(ledger, true).await?;
            let first = scene.start().await?;
            let stored = Stored::by(&scene.runtime, &first, create(tool, 0)).await?;
            let mut runs = Vec::new();
            for _ in 0..RUNS {
                runs.push(scene.start().await?);
            }
            Ok::<_, Failed>((runs, stored))
        })?,
    );
    let length = Duration::from_millis(bench.scale.window_ms);
    let (mut product, mut floor, counter) = (0f64, 0f64, AtomicUsize::new(1));
    for _ in 0..bench.scale.rounds {
        product = product.max(window(&runs, tool, &counter, length)?);
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < length {
            for stored in &stored {
                Signing::on_cores(cores(), RUNS as usize, || signing.sign());
                rows.commit(stored, RUNS)?;
            }
            calls += RUNS;
        }
        floor = floor.max(f64::from(calls) / start.elapsed().as_secs_f64());
    }
    Ok((product, floor))
}

/// Calls per second of 64 runs, and of one.
fn on_a_slow_disk(bench: &Bench<'_>) -> Result<(f64, f64), Failed> {
    let ledger = RedbLedger::with_backend(Device::syncing_in(&bench.file("slow.redb"), SLOW)?)?;
    let runs = block_on(async {
        let scene = Scene::open(ledger, true).await?;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(scene.start().await?);
        }
        Ok::<_, Failed>(runs)
    })?;
    let length = Duration::from_millis(bench.scale.window_ms);
    let (mut many, mut one, counter) = (0f64, 0f64, AtomicUsize::new(0));
    for _ in 0..bench.scale.rounds {
        many = many.max(window(&runs, CREATE, &counter, length)?);
        one = one.max(window(runs.get(..1).unwrap_or_default(), CREATE, &counter, length)?);
    }
    Ok((many, one))
}

/// How many calls per second runs do, each one call after the other, driven by as many threads as there are cores.
fn window(runs: &[Run], tool: &str, counter: &AtomicUsize, length: Duration) -> Result<f64, Failed> {
    let start = Instant::now();
    let drive = |runs: &[Run]| {
        block_on(try_join_all(runs.iter().map(|run| async move {
            let mut calls = 0;
            while start.elapsed() < length {
                commit(run, create(tool, counter.fetch_add(1, Ordering::Relaxed))).await?;
                calls += 1;
            }
            Ok::<usize, Failed>(calls)
        })))
    };
    let calls = thread::scope(|scope| {
        let threads: Vec<_> =
            runs.chunks(runs.len().div_ceil(cores()).max(1)).map(|runs| scope.spawn(move || drive(runs))).collect();
        threads.into_iter().try_fold(0, |sum, thread| {
            let calls = thread.join().map_err(|_| "a driving thread panicked")??;
            Ok::<usize, Failed>(sum + calls.iter().sum::<usize>())
        })
    })?;
    Ok(calls as f64 / start.elapsed().as_secs_f64())
}

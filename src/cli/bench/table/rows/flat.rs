use std::time::{Duration, Instant};

use super::super::{
    Bench, Failed, Row, Target, Unit,
    scene::{self, Scene, commit, refused, set},
    times::Turns,
};
use crate::{Run, host::block_on, ledger::MemoryLedger};

/// How many keys the timed calls set.
const KEYS: usize = 10;
/// The number of the early commit.
const EARLY: usize = 100;
const FLAT: Target = Target::AtMostTimes(1.3);

/// The rows: what a call costs late in a trajectory, in a large world, and between refusals.
pub(crate) fn flat(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (calls, long, large) = (bench.scale.calls, bench.scale.long, bench.scale.large);
    for (what, than, turns) in [
        (format!("at commit {long}"), "the same call at commit 100", block_on(history(calls, long))?),
        (format!("with {large} resources"), "the same call with 10 resources", block_on(resources(calls, large))?),
        ("every second refused".into(), "the same call without refusals", block_on(refusals(calls, long))?),
    ] {
        let (figure, floor) = turns.medians();
        bench.tell(Row {
            name: format!("governed call, memory, {what}"),
            unit: Unit::Nanos,
            figure,
            floor: Some((floor, than)),
            target: Some(FLAT),
        });
    }
    Ok(())
}

async fn history(calls: usize, long: usize) -> Result<Turns, Failed> {
    let scene = Scene::open(MemoryLedger::new(), false).await?;
    let (late, mut turns) = (scene.start().await?, Turns::default());
    advance(&late, long).await?;
    for round in 0..calls.div_ceil(EARLY) {
        let early = scene.start().await?;
        advance(&early, EARLY).await?;
        for number in 0..EARLY {
            let number = round * EARLY + number;
            turns.take(time(&late, number).await?, time(&early, number).await?);
        }
    }
    Ok(turns)
}

async fn resources(calls: usize, large: usize) -> Result<Turns, Failed> {
    let scene = Scene::open(MemoryLedger::new(), false).await?;
    let (many, few, mut turns) = (scene.start().await?, scene.start().await?, Turns::default());
    scene::fill(&many, large - KEYS).await?;
    advance(&many, EARLY).await?;
    advance(&few, EARLY).await?;
    for number in 0..calls {
        turns.take(time(&many, number).await?, time(&few, number).await?);
    }
    Ok(turns)
}

async fn refusals(calls: usize, long: usize) -> Result<Turns, Failed> {
    let scene = Scene::open(MemoryLedger::new(), false).await?;
    let (with, without, mut turns) = (scene.start().await?, scene.start().await?, Turns::default());
    for _ in 0..long / 2 {
        refused(&with).await?;
    }
    advance(&without, long / 2).await?;
    for number in 0..calls {
        refused(&with).await?;
        turns.take(time(&with, number).await?, time(&without, number).await?);
    }
    Ok(turns)
}

/// Commits that many times.
async fn advance(run: &Run, commits: usize) -> Result<(), Failed> {
    for number in 0..commits {
        commit(run, set(KEYS, number)).await?;
    }
    Ok(())
}

async fn time(run: &Run, number: usize) -> Result<Duration, Failed> {
    let intent = set(KEYS, number);
    let start = Instant::now();
    commit(run, intent).await?;
    Ok(start.elapsed())
}

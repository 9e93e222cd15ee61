use super::super::{
    Bench, Failed, Row, Target, Unit,
    scene::{self, Scene, commit, refused, set, time},
    times::{BLOCK, Turns},
};
use crate::{Run, host::block_on, ledger::MemoryLedger};

/// How many keys the timed calls set.
const KEYS: usize = 10;
/// The number of the early commit.
const EARLY: usize = 100;
const FLAT: Target = Target::MostTimes(1.3);

/// The rows: what a call costs late in a trajectory, in a large world, and between refusals.
pub(crate) fn flat(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (calls, long, large) = (bench.scale.calls, bench.scale.long, bench.scale.large);
    for (what, than, turns) in [
        (format!("at commit {long}"), "the same call at commit 100", history(calls, long)?),
        (format!("with {large} resources"), "the same call with 10 resources", resources(calls, large)?),
        ("every second refused".into(), "the same call without refusals", refusals(calls, long)?),
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

fn history(calls: usize, long: usize) -> Result<Turns, Failed> {
    let scene = block_on(Scene::open(MemoryLedger::new(), false))?;
    let late = begun(&scene, long)?;
    let mut early = begun(&scene, EARLY)?;
    let floor = |number| {
        if number % EARLY == 0 {
            early = begun(&scene, EARLY)?;
        }
        time(&early, set(KEYS, number))
    };
    Turns::of(calls, BLOCK, |number| time(&late, set(KEYS, number)), floor)
}

fn resources(calls: usize, large: usize) -> Result<Turns, Failed> {
    let scene = block_on(Scene::open(MemoryLedger::new(), false))?;
    let (many, few) = (begun(&scene, EARLY)?, begun(&scene, EARLY)?);
    block_on(scene::fill(&many, large - KEYS))?;
    Turns::of(calls, BLOCK, |number| time(&many, set(KEYS, number)), |number| time(&few, set(KEYS, number)))
}

fn refusals(calls: usize, long: usize) -> Result<Turns, Failed> {
    let scene = block_on(Scene::open(MemoryLedger::new(), false))?;
    let (with, without) = (begun(&scene, 0)?, begun(&scene, long)?);
    let refuse_and_time = |number| {
        block_on(refused(&with))?;
        time(&with, set(KEYS, number))
    };
    (0..long / 2).try_for_each(|number| refuse_and_time(number).map(drop))?;
    Turns::of(calls, BLOCK, refuse_and_time, |number| time(&without, set(KEYS, number)))
}

/// A run that has committed that many times.
fn begun(scene: &Scene, commits: usize) -> Result<Run, Failed> {
    block_on(async {
        let run = scene.start().await?;
        for number in 0..commits {
            commit(&run, set(KEYS, number)).await?;
        }
        Ok(run)
    })
}

use std::collections::HashMap;

use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::{Parts, Signing},
    scene::{CREATE, CREATE_ASIDE, Scene, create, time},
    times::{BLOCK, Times, Turns, timed},
};
use crate::{host::block_on, ledger::MemoryLedger};

const FLOOR: &str = "serde_json and BLAKE3 of the same bytes";
const SIGNED_FLOOR: &str = "serde_json and BLAKE3 of the same bytes, ed25519 sign";

/// The rows: submit to commit in memory, unsigned and signed.
pub(crate) fn call(bench: &mut Bench<'_>) -> Result<(), Failed> {
    for (tool, signed, what, most) in [
        (CREATE, false, "unsigned", Some(20e3)),
        (CREATE, true, "signed", Some(50e3)),
        (CREATE_ASIDE, false, "unsigned, tool on its own thread", None),
    ] {
        let mut turns = Turns::default();
        for _ in 0..bench.scale.rounds {
            turns.extend(one_run(bench.scale.calls, tool, signed)?);
        }
        let row = |of: &str, figure: fn(&Times) -> f64, target: Option<f64>| Row {
            name: format!("governed call, memory, {what}, {of}"),
            unit: Unit::Nanos,
            figure: figure(&turns.product),
            floor: Some((figure(&turns.floor), if signed { SIGNED_FLOOR } else { FLOOR })),
            target: target.map(Target::Most),
        };
        if most.is_some() {
            bench.tell(row("p50 when quiet", Times::quietest, most));
        }
        bench.tell(row("p50", |times| times.percentile(50), None));
        bench.tell(row("p99", |times| times.percentile(99), None));
    }
    Ok(())
}

fn one_run(calls: usize, tool: &str, signed: bool) -> Result<Turns, Failed> {
    let (scene, run) = block_on(async {
        let scene = Scene::open(MemoryLedger::new(), signed).await?;
        let run = scene.start().await?;
        Ok::<_, Failed>((scene, run))
    })?;
    let (signing, mut world) = (Signing::new(), HashMap::new());
    let floor = |number| {
        // The first entry of a run is its start.
        let entries = block_on(scene.runtime.ledger().read(&run.id(), number as u64 + 1, 1))?;
        let parts = Parts::of(entries.first().ok_or("a commit is not in the ledger")?)?;
        let (took, ()) = timed(|| {
            parts.write()?;
            world.insert(number, number);
            if signed {
                signing.sign();
            }
            Ok(())
        })?;
        Ok(took)
    };
    Turns::of(calls, BLOCK, |number| time(&run, create(tool, number)), floor)
}

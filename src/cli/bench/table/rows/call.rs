use std::collections::HashMap;

use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::{Parts, Signing},
    scene::{CREATE, CREATE_ASIDE, Scene, create, time},
    times::{BLOCK, Turns, timed},
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
        let turns = turns(bench.scale.calls, tool, signed)?;
        let row = |percent: usize, target: Option<f64>| Row {
            name: format!("governed call, memory, {what}, p{percent}"),
            unit: Unit::Nanos,
            figure: turns.product.percentile(percent),
            floor: Some((turns.floor.percentile(percent), if signed { SIGNED_FLOOR } else { FLOOR })),
            target: target.map(Target::Most),
        };
        bench.tell(row(50, most));
        bench.tell(row(99, None));
    }
    Ok(())
}

fn turns(calls: usize, tool: &str, signed: bool) -> Result<Turns, Failed> {
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

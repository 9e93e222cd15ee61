use std::{collections::HashMap, time::Instant};

use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::{Parts, Signing},
    scene::{CREATE, CREATE_ASIDE, Scene, commit, create},
    times::{Turns, timed},
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
        let turns = block_on(turns(bench.scale.calls, tool, signed))?;
        let row = |percent: usize, target: Option<f64>| Row {
            name: format!("governed call, memory, {what}, p{percent}"),
            unit: Unit::Nanos,
            figure: turns.product.percentile(percent),
            floor: Some((turns.floor.percentile(percent), if signed { SIGNED_FLOOR } else { FLOOR })),
            target: target.map(Target::AtMost),
        };
        bench.tell(row(50, most));
        bench.tell(row(99, None));
    }
    Ok(())
}

async fn turns(calls: usize, tool: &str, signed: bool) -> Result<Turns, Failed> {
    let scene = Scene::open(MemoryLedger::new(), signed).await?;
    let (run, signing) = (scene.start().await?, Signing::new());
    let (mut turns, mut world) = (Turns::default(), HashMap::new());
    for number in 0..calls {
        let intent = create(tool, number);
        let start = Instant::now();
        let seq = commit(&run, intent).await?;
        let product = start.elapsed();
        let entries = scene.runtime.ledger().read(&run.id(), seq, 1).await?;
        let entry = entries.first().ok_or("a commit is not in the ledger")?;
        let parts = Parts::of(entry)?;
        let (floor, ()) = timed(|| {
            parts.write()?;
            world.insert(number, entry.header.record);
            if signed {
                signing.sign();
            }
            Ok(())
        })?;
        turns.take(product, floor);
    }
    Ok(turns)
}

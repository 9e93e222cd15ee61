use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::{Rows, Signing, Stored},
    scene::{CREATE, SEND, Scene, create, time},
    times::{Turns, timed},
};
use crate::{host::block_on, ledger::redb::RedbLedger};

/// The rows: one writer on disk, with and without a dispatch.
pub(crate) fn durable(bench: &mut Bench<'_>) -> Result<(), Failed> {
    for (tool, what, floor_of) in [
        (CREATE, "world-only", "redb commit of the same rows and ed25519 sign"),
        (SEND, "with dispatch", "2 × (redb commit of the same rows and ed25519 sign)"),
    ] {
        let turns = turns(bench, tool)?;
        let row = |percent: usize, target| Row {
            name: format!("durable call, signed, one writer, {what}, p{percent}"),
            unit: Unit::Nanos,
            figure: turns.product.percentile(percent),
            floor: Some((turns.floor.percentile(percent), floor_of)),
            target,
        };
        bench.tell(row(50, Some(Target::MostTimes(1.6))));
        bench.tell(row(99, None));
    }
    Ok(())
}

fn turns(bench: &Bench<'_>, tool: &str) -> Result<Turns, Failed> {
    let ledger = RedbLedger::open(bench.file(&format!("{tool}.redb")))?;
    let mut rows = Rows::create(&bench.file(&format!("{tool}.floor")))?;
    let (run, stored) = block_on(async {
        let scene = Scene::open(ledger, true).await?;
        let run = scene.start().await?;
        let stored = Stored::by(&scene.runtime, &run, create(tool, 0)).await?;
        Ok::<_, Failed>((run, stored))
    })?;
    let signing = Signing::new();
    let floor = |_| {
        let (took, ()) = timed(|| {
            stored.iter().try_for_each(|stored| {
                signing.sign();
                rows.commit(stored, 1)
            })
        })?;
        Ok(took)
    };
    Turns::of(bench.scale.durable, 1, |number| time(&run, create(tool, number + 1)), floor)
}

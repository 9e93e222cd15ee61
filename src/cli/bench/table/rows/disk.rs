use std::path::Path;

use redb::Database;

use super::super::{
    Bench, Failed, Row, Target, Unit,
    device::Device,
    floor::Stored,
    scene::{CREATE, SEND, Scene, commit, create},
};
use crate::{host::block_on, ledger::redb::RedbLedger};

/// The rows: what a call leaves on disk, with and without a dispatch.
pub(crate) fn disk(bench: &mut Bench<'_>) -> Result<(), Failed> {
    for (tool, what, most) in [(CREATE, "world-only", 1_500.0), (SEND, "with dispatch", 2_500.0)] {
        let calls = bench.scale.calls;
        let (few, _) = live_bytes(bench, tool, calls / 10)?;
        let (many, entries) = live_bytes(bench, tool, calls)?;
        bench.tell(Row {
            name: format!("disk for a signed call, indexes included, {what}"),
            unit: Unit::Bytes,
            figure: (many - few) / (calls - calls / 10) as f64,
            floor: Some((entries as f64, "the entries alone")),
            target: Some(Target::Most(most)),
        });
    }
    Ok(())
}

/// How many bytes are in use after that many calls, and how many bytes of entries one of them makes.
fn live_bytes(bench: &Bench<'_>, tool: &str, calls: usize) -> Result<(f64, usize), Failed> {
    let path = bench.file(&format!("disk-{tool}-{calls}.redb"));
    let ledger = RedbLedger::with_backend(Device::unsynced(&path)?)?;
    let entries = block_on(async {
        let scene = Scene::open(ledger, true).await?;
        let run = scene.start().await?;
        for number in 1..calls {
            commit(&run, create(tool, number)).await?;
        }
        let stored = Stored::by(&scene.runtime, &run, create(tool, calls)).await?;
        Ok::<_, Failed>(stored.iter().map(Stored::entry_bytes).sum())
    })?;
    Ok((in_use(&path)?, entries))
}

/// How many bytes the pages have that are not free: those of every table, the engine's own ones included.
fn in_use(path: &Path) -> Result<f64, Failed> {
    let stats = Database::open(path)?.begin_write()?.stats()?;
    Ok((stats.allocated_pages() * stats.page_size() as u64) as f64)
}

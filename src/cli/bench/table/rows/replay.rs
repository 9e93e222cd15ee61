use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::{Log, Signing},
    scene::run_of,
    times::{Turns, timed},
};
use crate::{
    LedgerStore,
    canon::TrajectoryId,
    host::block_on,
    ledger::redb::RedbLedger,
    replay::{self, Pins, Verdict},
};

const UNSIGNED_FLOOR: &str = "redb scan, BLAKE3, serde_json typed parse, HashMap on one core";

/// The rows: a run replayed from its file, unsigned, with its decisions derived again, and signed.
pub(crate) fn replay(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let plain = Pins::default();
    let path = bench.file("unsigned.redb");
    let run = run_of(&path, bench.scale.entries, false)?;
    let copy = bench.file("replay.floor");
    let log = Log::write(&copy, &block_on(RedbLedger::open(&path)?.read(&run, 0, usize::MAX))?)?;
    let floor = |_| {
        let database = log.open()?;
        Ok(timed(|| Log::read(&database))?.0)
    };
    let turns = Turns::of(bench.scale.rounds, 1, |_| whole(&path, run, &plain), floor)?;
    tell(bench, "unsigned", &turns, UNSIGNED_FLOOR, 280e3);
    let rederive = Pins { rederive: true, ..Pins::default() };
    let turns = Turns::of(bench.scale.rounds, 1, |_| whole(&path, run, &rederive), |_| whole(&path, run, &plain))?;
    tell(bench, "every decision derived again", &turns, "the same replay without that", 30e3);

    let path = bench.file("signed.redb");
    let run = run_of(&path, bench.scale.entries, true)?;
    let (signing, entries) = (Signing::new(), bench.scale.entries);
    let floor = |_| {
        let start = Instant::now();
        Signing::on_all_cores(entries, || signing.verify());
        Ok(start.elapsed())
    };
    let turns = Turns::of(bench.scale.rounds, 1, |_| whole(&path, run, &plain), floor)?;
    tell(bench, "every signature strict", &turns, "ed25519 verify_strict on all cores", 30e3);
    Ok(())
}

fn tell(bench: &mut Bench<'_>, what: &str, turns: &Turns, floor: &'static str, least: f64) {
    let entries = bench.scale.entries;
    let rate = |nanos: f64| entries as f64 * 1e9 / nanos;
    bench.tell(Row {
        name: format!("replay from disk, {entries} entries, {what}"),
        unit: Unit::PerSecond,
        figure: rate(turns.product.best()),
        floor: Some((rate(turns.floor.best()), floor)),
        target: Some(Target::AtLeast(least)),
    });
}

/// How long the replay of the whole run takes, once its ledger is open.
fn whole(path: &Path, run: TrajectoryId, pins: &Pins) -> Result<Duration, Failed> {
    let ledger = RedbLedger::open(path)?;
    let start = Instant::now();
    let (report, _) = block_on(replay::run(&ledger, &run, pins.clone(), |_, _| {}))?;
    let took = start.elapsed();
    match report.verdict() {
        Verdict::Verified => Ok(took),
        Verdict::Incomplete => Err(format!("a run that has to verify did not: {report}").into()),
    }
}

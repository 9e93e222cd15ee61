use std::{
    num::NonZeroUsize,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::super::{
    Bench, Failed, Row, Target, Unit, cores,
    floor::{Log, Signing},
    scene::{Keys, run_of},
    times::{Turns, timed},
};
use crate::{
    LedgerStore,
    canon::TrajectoryId,
    host::block_on,
    ledger::redb::RedbLedger,
    policy::{Bundle, BundleEntry},
    replay::{
        self, Options, Pins, Verdict,
        simulate::{self, Change, Conclusion, Runs},
        since_snapshot,
    },
};

/// How many cores the figures are of that say so.
const CORES: [(usize, &str); 2] = [(1, "one core"), (2, "two cores")];

/// The rows: a run replayed from its file, by what is checked and on how many cores, and one taken up from its snapshot.
pub(crate) fn replay(bench: &mut Bench<'_>) -> Result<(), Failed> {
    unsigned(bench)?;
    signed(bench)
}

fn unsigned(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (path, rounds) = (bench.file("unsigned.redb"), bench.scale.rounds);
    let run = run_of(&path, bench.scale.entries, false)?;
    let copy = bench.file("replay.floor");
    let log = Log::write(&copy, &block_on(RedbLedger::open(&path)?.read(&run, 0, usize::MAX))?)?;
    for ((count, on), least) in CORES.into_iter().zip([280e3, 450e3]).filter(|((count, _), _)| *count <= cores()) {
        let floor = |_| {
            let database = log.open()?;
            Ok(timed(|| log.read(&database, count))?.0)
        };
        let turns = Turns::of(rounds, 1, |_| whole(&path, run, &pins(count)), floor)?;
        let floor = "redb scan, BLAKE3, serde_json typed parse, HashMap on as many cores";
        tell(bench, &format!("unsigned, {on}"), &turns, floor, Some(least));
    }
    let plain = |_| whole(&path, run, &pins(1));
    let every_root = Pins { options: Options { every_root: true, ..pins(1).options }, ..pins(1) };
    let turns = Turns::of(rounds, 1, |_| whole(&path, run, &every_root), plain)?;
    tell(bench, "every root, one core", &turns, "the same replay with the last root compared", None);
    let rederive = Pins { rederive: true, ..pins(1) };
    let turns = Turns::of(rounds, 1, |_| whole(&path, run, &rederive), plain)?;
    tell(bench, "derived again, one core", &turns, "the same replay without that", Some(30e3));
    let once = |_| whole(&path, run, &Pins { rederive: true, ..Pins::default() });
    let turns = Turns::of(rounds, 1, |_| simulated(&path, run), once)?;
    let entries = bench.scale.entries;
    bench.tell(Row {
        name: format!("simulation of other rules on {} intents", entries - 2),
        unit: Unit::Seconds,
        figure: turns.product.best() / 1e9,
        floor: Some((turns.floor.best() / 1e9, "a replay in which every decision is derived again")),
        target: Some(Target::Most(3.0 * entries as f64 / 100e3)),
    });
    Ok(())
}

fn signed(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (path, rounds, entries) = (bench.file("signed.redb"), bench.scale.rounds, bench.scale.entries);
    let run = run_of(&path, entries, true)?;
    let copy = bench.file("signed.floor");
    let log = Log::write(&copy, &block_on(RedbLedger::open(&path)?.read(&run, 0, usize::MAX))?)?;
    let signing = Signing::new();
    for (count, on) in CORES.into_iter().filter(|(count, _)| *count <= cores()) {
        let floor = |_| {
            let database = log.open()?;
            let (took, ()) = timed(|| {
                log.read(&database, count)?;
                Signing::on_cores(count, entries, || signing.verify());
                Ok(())
            })?;
            Ok(took)
        };
        let turns = Turns::of(rounds, 1, |_| whole(&path, run, &pins(count)), floor)?;
        let least = (count == 2).then_some(30e3);
        let floor = "the floor of an unsigned replay, and ed25519 verify_strict on as many cores";
        tell(bench, &format!("strict signatures, {on}"), &turns, floor, least);
    }
    if let Some((count, on)) = CORES.into_iter().rfind(|(count, _)| *count <= cores()) {
        let options = Options { batch: true, ..pins(count).options };
        let pinned = Pins { options, signer: Some(Keys::new().runtime.public_key()), ..Pins::default() };
        let floor = |_| {
            let database = log.open()?;
            let (took, ()) = timed(|| {
                log.read(&database, count)?;
                signing.verify_batches(count, entries);
                Ok(())
            })?;
            Ok(took)
        };
        let turns = Turns::of(rounds, 1, |_| whole(&path, run, &pinned), floor)?;
        let least = (count == 2).then_some(60e3);
        let floor = "the floor of an unsigned replay, and ed25519 verify_batch of 64 on as many cores";
        tell(bench, &format!("signatures in batches, {on}"), &turns, floor, least);
    }
    let turns = Turns::of(rounds, 1, |_| taken_up(&path, run), |_| whole(&path, run, &Pins::default()))?;
    bench.tell(Row {
        name: format!("taking up a signed run of {entries} entries from its snapshot"),
        unit: Unit::Nanos,
        figure: turns.product.best(),
        floor: Some((turns.floor.best(), "its replay from the first entry on")),
        target: None,
    });
    Ok(())
}

fn tell(bench: &mut Bench<'_>, what: &str, turns: &Turns, floor: &'static str, least: Option<f64>) {
    let entries = bench.scale.entries;
    let rate = |nanos: f64| entries as f64 * 1e9 / nanos;
    bench.tell(Row {
        name: format!("replay of {entries} entries, {what}"),
        unit: Unit::PerSecond,
        figure: rate(turns.product.best()),
        floor: Some((rate(turns.floor.best()), floor)),
        target: least.map(Target::Least),
    });
}

/// Pins nothing, and checks on that many cores.
fn pins(cores: usize) -> Pins {
    Pins { options: Options { workers: NonZeroUsize::new(cores), ..Options::default() }, ..Pins::default() }
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

/// How long a simulation of the whole run takes, once its ledger is open: of rules that deny some of its calls.
fn simulated(path: &Path, run: TrajectoryId) -> Result<Duration, Failed> {
    let ledger = RedbLedger::open(path)?;
    let when = json!({"field": "args.key", "op": "eq", "value": "key-00000007"});
    let rules = json!([{"name": "one", "when": when, "decision": {"kind": "deny", "reason": "closed"}}]);
    let bundle = json!({"name": "new", "version": "1", "rules": rules});
    let bundle = Bundle::from_json(bundle.to_string().as_bytes())?;
    let change = Change { rules: Some(vec![BundleEntry::Unsigned(bundle)]), ..Change::default() };
    let start = Instant::now();
    let simulation = block_on(simulate::runs(&ledger, Runs::Of(&[run]), change, Pins::default(), |_| {}))?;
    let took = start.elapsed();
    match simulation.conclusion() {
        Conclusion::Changes if simulation.undecided.is_empty() => Ok(took),
        _ => Err(format!("a simulation that has to change some decisions came to {simulation:?}").into()),
    }
}

/// How long it takes to know what the run amounts to, once its ledger is open.
fn taken_up(path: &Path, run: TrajectoryId) -> Result<Duration, Failed> {
    let ledger = RedbLedger::open(path)?;
    let (took, _) = timed(|| block_on(since_snapshot(&ledger, &run, None)).ok_or("a long run has no snapshot".into()))?;
    Ok(took)
}

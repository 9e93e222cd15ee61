use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::super::{Bench, Failed, Row, Target, Unit, scene::run_of};
use crate::canon::TrajectoryId;

/// How often the memory of a process is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// The row: what a replay holds at most, of a long run and of one a tenth as long. None where the system does not tell.
pub(in super::super) fn memory(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (Some(thymos), Some(entries)) = (bench.command.clone(), bench.scale.longest) else { return Ok(()) };
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let peak = |entries: usize| {
        let path = bench.file(&format!("{entries}.redb"));
        let run = run_of(&path, entries, false)?;
        let peak = peak(&thymos, &path, run);
        std::fs::remove_file(&path)?;
        peak
    };
    let (short, long) = (peak(entries / 10)?, peak(entries)?);
    bench.tell(Row {
        name: format!("memory of a replay, {entries} entries"),
        unit: Unit::Bytes,
        figure: long,
        floor: Some((short, "a run a tenth as long, of as many resources")),
        target: Some(Target::MostTimes(1.5)),
    });
    Ok(())
}

/// The most memory that `thymos replay` held of that run.
fn peak(thymos: &Path, ledger: &Path, run: TrajectoryId) -> Result<f64, Failed> {
    let mut command = Command::new(thymos);
    command.args(["replay", &run.to_string(), "--verify", "--ledger"]).arg(ledger);
    let mut replay = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let (status, mut peak) = (format!("/proc/{}/status", replay.id()), 0f64);
    let ended = loop {
        // The kernel keeps the most that there was, so what was read last is it but for the last moment.
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
        peak = most.and_then(|kib| kib.trim().parse::<f64>().ok()).map_or(peak, |kib| kib * 1024.0);
        if let Some(ended) = replay.try_wait()? {
            break ended;
        }
        thread::sleep(LOOK);
    };
    if ended.success() { Ok(peak) } else { Err(format!("`thymos replay` failed: {ended}").into()) }
}

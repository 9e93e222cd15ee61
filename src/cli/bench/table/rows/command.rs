use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::super::{
    Bench, Failed, Row, Target, Unit,
    times::{Turns, timed},
};

/// How often it is started.
const STARTS: usize = 40;
/// How long it is left alone before its memory is looked at.
const SETTLED: Duration = Duration::from_millis(100);

/// The rows: the size of `thymos`, how long it takes to start, and what it holds while it waits. None without it.
pub(crate) fn command(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let Some(thymos) = bench.command.clone() else { return Ok(()) };
    let row = |name: &str, unit, figure, floor, most| Row {
        name: format!("`thymos`, {name}"),
        unit,
        figure,
        floor,
        target: Some(Target::Most(most)),
    };
    let size = std::fs::metadata(&thymos)?.len() as f64;
    bench.tell(row("size, stripped", Unit::Bytes, size, None, 12e6));
    // Where there is no such program there is no floor.
    let nothing = |_| Ok(start("true".as_ref(), &[]).unwrap_or_default());
    let turns = Turns::of(STARTS, 1, |_| start(&thymos, &["--version"]), nothing)?;
    let (figure, floor) = turns.medians();
    let floor = (floor > 0.0).then_some((floor, "starting a program that does nothing"));
    bench.tell(row("cold start", Unit::Nanos, figure, floor, 30e6));
    if let Some(bytes) = idle(&thymos)? {
        bench.tell(row("memory while it waits", Unit::Bytes, bytes, None, 20e6));
    }
    Ok(())
}

fn start(program: &Path, arguments: &[&str]) -> Result<Duration, Failed> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let (took, status) = timed(|| Ok(command.status()?))?;
    if status.success() { Ok(took) } else { Err(format!("`{}` failed: {status}", program.display()).into()) }
}

/// The resident memory of a command that waits for its input; `None` where the system does not tell.
fn idle(thymos: &Path) -> Result<Option<f64>, Failed> {
    let mut command = Command::new(thymos);
    command.args(["replay", "--file", "/dev/stdin"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let mut waiting = Waiting(command.spawn()?);
    let start = Instant::now();
    while start.elapsed() < SETTLED && waiting.0.try_wait()?.is_none() {
        thread::sleep(SETTLED / 10);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", waiting.0.id()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    Ok(kib.map(|kib| kib * 1024.0))
}

/// A process that is ended when nobody looks at it any more.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

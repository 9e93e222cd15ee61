use std::{path::Path, process::Command, time::Instant};

use super::super::{Bench, Failed, Row, Target, Unit};

/// The rows: how many packages a build of the core compiles, and how long that takes from nothing. None without sources.
pub(in super::super) fn core(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let Some(sources) = bench.sources.clone() else { return Ok(()) };
    let row = |name: &str, unit, figure, most| Row {
        name: format!("core, {name}"),
        unit,
        figure,
        floor: None,
        target: Some(Target::Most(most)),
    };
    let tree =
        cargo(&sources, &["tree", "--no-default-features", "--edges", "normal", "--prefix", "none", "--no-dedupe"])?;
    let mut packages: Vec<&str> = tree.lines().skip(1).filter_map(|line| line.split(" (").next()).collect();
    packages.sort_unstable();
    packages.dedup();
    bench.tell(row("packages", Unit::Packages, packages.len() as f64, 70.0));
    let target = bench.file("target");
    let start = Instant::now();
    cargo(&sources, &["build", "--quiet", "--no-default-features", "--target-dir", &target.display().to_string()])?;
    bench.tell(row("clean `cargo build`", Unit::Seconds, start.elapsed().as_secs_f64(), 60.0));
    Ok(())
}

fn cargo(sources: &Path, arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("cargo").args(arguments).current_dir(sources).env("CARGO_INCREMENTAL", "0").output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("`cargo {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
    }
}

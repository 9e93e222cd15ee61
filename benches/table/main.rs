//! `cargo bench --bench table`: the whole table of speed. `docs/benchmarks.md` says what its rows and floors are.
//!
//! The measuring code is that of `thymos bench`; this adds what takes longer, and needs the sources.

// The table names the kernel by the paths that it has inside of the crate.
use openthymos::*;

#[path = "../../src/cli/bench/table/mod.rs"]
mod table;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use serde_json::json;
use table::{Bench, Row, Scale, Scratch};

const USAGE: &str = "usage: cargo bench --bench table -- [FILTER] [--short] [--json]";

/// Several minutes.
const FULL: Scale = Scale {
    calls: 20_000,
    durable: 3_000,
    long: 100_000,
    large: 100_000,
    entries: 100_000,
    window_ms: 2_000,
    rounds: 5,
    longest: Some(1_000_000),
};

#[derive(Default)]
struct Args {
    filter: String,
    short: bool,
    json: bool,
}

fn main() -> ExitCode {
    let Some(args) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Option<Args> {
    let mut args = Args::default();
    for argument in env::args().skip(1) {
        match argument.as_str() {
            // Cargo says so to every bench.
            "--bench" => {}
            "--short" => args.short = true,
            "--json" => args.json = true,
            filter if !filter.starts_with('-') && args.filter.is_empty() => args.filter = argument,
            _ => return None,
        }
    }
    Some(args)
}

fn run(args: &Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    let groups = table::selected(&args.filter)?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder)?;
    let scratch = Scratch::below(folder)?;
    let conditions = table::conditions(folder);
    if !args.json {
        conditions.iter().for_each(|(name, value)| println!("{name:<12}{value}"));
        println!("{}", table::head());
    }
    let mut rows = Vec::new();
    let tell = &mut |row: Row| {
        if !args.json {
            println!("{}", table::line(&row));
        }
        rows.push(table::json(&row));
    };
    let wants_command = groups.iter().any(|group| matches!(group.name, "memory" | "command"));
    let bench = Bench {
        scale: if args.short { Scale::SHORT } else { FULL },
        folder: scratch.path().to_owned(),
        command: if wants_command && !args.short { Some(thymos(sources)?) } else { None },
        sources: (!args.short).then(|| sources.to_owned()),
        tell,
    };
    table::measure(bench, &groups)?;
    if args.json {
        println!("{}", json!({"conditions": table::as_json(&conditions), "rows": rows}));
    }
    Ok(())
}

/// Builds the command as it is released.
fn thymos(sources: &Path) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let arguments = ["build", "--quiet", "--release", "--features", "cli", "--bin", "thymos"];
    if !Command::new("cargo").args(arguments).current_dir(sources).status()?.success() {
        return Err("`thymos` could not be built".into());
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("there is no target folder")?;
    Ok(target.join("release").join("thymos").with_extension(env::consts::EXE_EXTENSION))
}

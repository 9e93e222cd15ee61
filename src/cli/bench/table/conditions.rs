use std::path::Path;

use serde_json::{Value, json};

/// What the figures hold for: the machine, the build, and the folder that ledgers are written to.
pub(crate) fn conditions(folder: &Path) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) { "UNOPTIMISED: the figures say nothing" } else { "optimised" };
    vec![
        ("processor", format!("{}, {cores} cores", processor().unwrap_or_else(|| std::env::consts::ARCH.into()))),
        ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("openthymos", format!("{} with features {}, {build}", env!("CARGO_PKG_VERSION"), features())),
        ("ledgers", format!("{} on {}", folder.display(), file_system(folder).unwrap_or_else(|| "?".into()))),
    ]
}

/// As an object, for machines.
pub(crate) fn as_json(conditions: &[(&'static str, String)]) -> Value {
    conditions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

fn features() -> String {
    let features =
        [("cli", cfg!(feature = "cli")), ("redb", cfg!(feature = "redb")), ("schema", cfg!(feature = "schema"))];
    features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn processor() -> Option<String> {
    let about = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = about.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The kind of the file system that holds `folder`, as Linux tells it.
fn file_system(folder: &Path) -> Option<String> {
    let (folder, mounts) = (folder.canonicalize().ok()?, std::fs::read_to_string("/proc/self/mounts").ok()?);
    let mounts = mounts.lines().filter_map(|mount| {
        let mut words = mount.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    // Of mounts on the same place the last one is seen.
    let holds = mounts.filter(|(place, _)| folder.starts_with(place));
    holds.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.to_owned())
}

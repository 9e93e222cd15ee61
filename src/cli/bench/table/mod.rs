//! The table of speed: each figure beside its floor, which is measured in the same run, in turns with it.
//!
//! A floor is what the work cannot do without, done by itself: the same bytes hashed, the same rows committed, the same
//! signatures made. Machines differ and are noisy, so it is the ratio of the two that says something.
//!
//! `thymos bench` prints the table, and so does `cargo bench --bench table`, whose crate includes this module. It names
//! the kernel by the paths of its public API, and nothing else of the command.

mod conditions;
mod device;
mod floor;
mod row;
mod rows;
mod scene;
mod scratch;
mod times;

use std::{fs, path::PathBuf};

pub(crate) use conditions::{as_json, conditions};
pub(crate) use row::{Row, Target, Unit, head, json, line};
pub(crate) use scratch::Scratch;

/// Why a figure could not be measured.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Figures that are measured together.
pub(crate) struct Group {
    /// What it is selected by.
    pub(crate) name: &'static str,
    /// Measures, and tells each row as soon as it is known.
    pub(crate) measure: fn(&mut Bench<'_>) -> Result<(), Failed>,
}

/// All groups, in the order of the table.
pub(crate) const GROUPS: &[Group] = &[
    Group { name: "compile", measure: rows::compile },
    Group { name: "call", measure: rows::call },
    Group { name: "flat", measure: rows::flat },
    Group { name: "durable", measure: rows::durable },
    Group { name: "approval", measure: rows::approval },
    Group { name: "concurrent", measure: rows::concurrent },
    Group { name: "replay", measure: rows::replay },
    Group { name: "fold", measure: rows::fold },
    Group { name: "writ", measure: rows::writ },
    Group { name: "disk", measure: rows::disk },
    Group { name: "memory", measure: rows::memory },
    Group { name: "core", measure: rows::core },
    Group { name: "command", measure: rows::command },
];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Calls in memory that are timed one by one.
    pub(crate) calls: usize,
    /// Durable calls that are timed one by one.
    pub(crate) durable: usize,
    /// How many commits a long trajectory has.
    pub(crate) long: usize,
    /// How many resources a large world has.
    pub(crate) large: usize,
    /// How many entries a replayed ledger has.
    pub(crate) entries: usize,
    /// How long one window of concurrent calls lasts, in milliseconds.
    pub(crate) window_ms: u64,
    /// How often figures that are not timed call by call are taken; the best is told.
    pub(crate) rounds: usize,
    /// How many entries the longest replayed ledger has; none where that takes too long.
    pub(crate) longest: Option<usize>,
}

impl Scale {
    /// About twenty seconds.
    pub(crate) const SHORT: Self = Self {
        calls: 3_000,
        durable: 600,
        long: 10_000,
        large: 10_000,
        entries: 10_000,
        window_ms: 400,
        rounds: 3,
        longest: None,
    };
}

/// What a group measures with, and whom it tells.
pub(crate) struct Bench<'a> {
    /// How much.
    pub(crate) scale: Scale,
    /// An empty folder for ledgers.
    pub(crate) folder: PathBuf,
    /// The `thymos` command, where it is at hand.
    pub(crate) command: Option<PathBuf>,
    /// The sources, where they are to be built.
    pub(crate) sources: Option<PathBuf>,
    /// Told of every row.
    pub(crate) tell: &'a mut dyn FnMut(Row),
}

/// The groups whose name contains `filter`.
///
/// # Errors
/// When there is none.
pub(crate) fn selected(filter: &str) -> Result<Vec<&'static Group>, Failed> {
    let selected: Vec<_> = GROUPS.iter().filter(|group| group.name.contains(filter)).collect();
    if selected.is_empty() {
        let names: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        return Err(format!("no figures `{filter}`: there are {}", names.join(", ")).into());
    }
    Ok(selected)
}

/// Measures groups, each in a folder of its own that is removed after it.
///
/// # Errors
/// When one cannot be measured.
pub(crate) fn measure(mut bench: Bench<'_>, groups: &[&Group]) -> Result<(), Failed> {
    let scratch = bench.folder.clone();
    for group in groups {
        bench.folder = scratch.join(group.name);
        fs::create_dir(&bench.folder)?;
        let measured = (group.measure)(&mut bench);
        fs::remove_dir_all(&bench.folder)?;
        measured.map_err(|error| format!("{}: {error}", group.name))?;
    }
    Ok(())
}

impl Bench<'_> {
    fn tell(&mut self, row: Row) {
        (self.tell)(row);
    }

    /// A file for a ledger that is not there yet.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// How many threads work at the same time.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

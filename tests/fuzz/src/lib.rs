//! What must hold whatever bytes a parser is given. Each target is a plain function that panics when it does not.
//!
//! Fuzzers call the targets with bytes of their own, the ordinary tests with every seed, mutated seeds, and every input
//! that once broke something.

pub mod bundle;
pub mod canonical_json;
pub mod export;
pub mod golden;
pub mod header;
pub mod intent;
#[cfg(feature = "redb")]
pub mod ledger_file;
pub mod pattern;
pub mod predicate;
pub mod record;
pub mod script;
pub mod writ_chain;

/// A parser under test.
pub struct Target {
    /// Its name, which is also that of its folder of regression inputs.
    pub name: &'static str,
    /// What must hold for any bytes.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($(#[$when:meta])* $name:ident),*) => {
        /// Every target.
        pub const TARGETS: &[Target] =
            &[$($(#[$when])* Target { name: stringify!($name), run: $name::run, seeds: $name::seeds }),*];
    };
}
targets!(
    bundle,
    canonical_json,
    export,
    header,
    intent,
    #[cfg(feature = "redb")]
    ledger_file,
    pattern,
    predicate,
    record,
    script,
    writ_chain
);

/// Writes the seeds of a target below the folder that `SEEDS` names, before a fuzzer reads that folder.
pub fn write_seeds(target: &str) {
    let Some(folder) = std::env::var_os("SEEDS") else { return };
    let folder = std::path::Path::new(&folder).join(target);
    std::fs::create_dir_all(&folder).unwrap();
    let seeds = TARGETS.iter().filter(|known| known.name == target).flat_map(|known| (known.seeds)());
    for (number, seed) in seeds.enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
    }
}

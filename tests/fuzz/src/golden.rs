//! The golden vectors, to make seeds of.

use openthymos::{
    crypto::SecretKey,
    ledger::Entry,
    replay::export::{Line, LineEntry},
};
use serde_json::Value;

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../golden/", $name))
    };
}

pub const CANONICAL: &str = golden!("canonical.json");
pub const ENTRIES: &str = golden!("entries.json");
pub const EXPORT: &str = golden!("export.ndjson");
pub const IDS: &str = golden!("ids.json");
pub const PATTERNS: &str = golden!("patterns.json");
pub const WRITS: &str = golden!("writs.json");

/// The vectors of a file.
pub fn vectors(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// A member of a vector that is text, if it is.
pub fn text(vector: &Value, name: &str) -> Option<String> {
    vector.get(name)?.as_str().map(str::to_owned)
}

/// The key of the golden runtime.
pub fn runtime() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

/// The entries of the golden export, those of the authority first.
pub fn export_entries() -> Vec<Entry> {
    let lines = EXPORT.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
    lines.filter_map(|line| if let Line::Entry(entry) = line { entry.into_entry().ok() } else { None }).collect()
}

/// One entry of every kind.
pub fn entries() -> Vec<Entry> {
    let entry = |vector: &Value| serde_json::from_value::<LineEntry>(vector["line"]["entry"].clone()).unwrap();
    vectors(ENTRIES).iter().map(|vector| entry(vector).into_entry().unwrap()).collect()
}

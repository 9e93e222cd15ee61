use serde::{Deserialize, Serialize};

use crate::canon::words;

/// What kind of effect a tool has; a writ sets a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes what this runtime or its host holds.
    Write,
    /// Changes something elsewhere.
    External,
    /// Changes something that cannot be changed back.
    Irreversible,
}
words!(Effect, "effect", { Read = "read", Write = "write", External = "external", Irreversible = "irreversible" });

/// How much is at stake when a tool is misused; policies and gates read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Everything.
    Critical,
}
words!(Risk, "risk", { Low = "low", Medium = "medium", High = "high", Critical = "critical" });

/// What a tool touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touches {
    /// Only the world: its whole effect is the delta it returns.
    World,
    /// The machine or what lies beyond it.
    Host,
}
words!(Touches, "touch", { World = "world", Host = "host" });

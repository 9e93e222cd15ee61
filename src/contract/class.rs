use serde::{Deserialize, Serialize};

/// Gives a fieldless enum its wire name in text: `Display` and `FromStr`, the same words as in JSON.
macro_rules! words {
    ($type:ident, $what:literal, { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $type {
            /// Every value, from the least to the greatest.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it in JSON and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    format!("unknown {} `{text}`: expected one of {}", $what, words.join(", "))
                })
            }
        }
    };
}
pub(crate) use words;

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

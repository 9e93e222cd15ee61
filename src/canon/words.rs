//! Wire names of enums without fields.

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

//! Finds secrets in text and JSON, and puts placeholders in their place, so that nothing that is sealed, shown or told
//! to a model holds one.
//!
//! A [`Redactor`] works by rules: the published formats of keys and tokens, values that are assigned to a name such as
//! `client_secret`, and JSON members of such a name. Names count whole, word by word: `author`, `max_tokens` and
//! `secretary` hide nothing. Every rule has keywords, and text without any of them is left after one pass.
//!
//! A placeholder is `[redacted:rule:hex]`, where the 16 digits are a keyed hash of the secret: equal secrets look equal
//! while the process lives, and nobody who reads a ledger can check a guess. A redactor leaves placeholders alone, so
//! what was redacted once is not changed by redacting it again.
//!
//! A [`Veil`] hides the secrets of one call by exact match as well, whatever their format.

mod assignment;
mod finding;
mod names;
mod placeholder;
mod redactor;
mod rule;
mod strength;
mod table;
mod value;
mod veil;

pub use finding::{Finding, Findings};
pub use placeholder::placeholders;
pub use redactor::{Redactor, RedactorBuilder};
pub use rule::{Rule, RuleError};
pub use veil::Veil;

//! Ed25519 keys and signatures over domain-separated messages, verified strictly; and secrets that do not print.
//!
//! A signature never covers raw bytes: it covers `"openthymos v1 signature " ‖ purpose ‖ 0x00 ‖ digest`, so that a
//! signature made for one [`Purpose`] cannot serve another. Verification is RFC 8032's strict form: small-order keys
//! and malleable signatures are refused.

mod key;
mod plaintext;
mod purpose;
mod role;
mod secret;

pub use key::{KeyError, NamedKey, PublicKey, Signature, SignatureError};
pub use plaintext::Secret;
pub use purpose::Purpose;
pub use role::{Role, Trust};
pub use secret::SecretKey;

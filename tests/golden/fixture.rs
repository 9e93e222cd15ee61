//! Fixed keys, salts and ids.

use openthymos::{
    canon::{Blob, Salt},
    crypto::{NamedKey, SecretKey},
};
use serde_json::Value;

/// A party of the vectors: its name, and the byte of which its seed consists.
#[derive(Clone, Copy)]
pub struct Party(pub &'static str, pub u8);

pub const OPERATOR: Party = Party("operator", 1);
pub const AGENT: Party = Party("agent", 2);
pub const RUNTIME: Party = Party("runtime", 3);
pub const APPROVER: Party = Party("approver", 4);
pub const POLICY: Party = Party("policy", 5);
pub const CHILD: Party = Party("child", 6);
pub const SUCCESSOR: Party = Party("successor", 7);
pub const ALL: [Party; 7] = [OPERATOR, AGENT, RUNTIME, APPROVER, POLICY, CHILD, SUCCESSOR];

impl Party {
    pub fn secret(self) -> SecretKey {
        SecretKey::from_seed(&[self.1; 32])
    }

    pub fn named(self) -> NamedKey {
        NamedKey::new(self.0, self.secret().public_key())
    }
}

/// A value under a salt of sixteen equal bytes.
pub fn blob(value: impl Into<Value>, salt: u8) -> Blob {
    Blob::seal(&value.into(), Salt([salt; 16])).unwrap()
}

/// 2026-01-01T00:00:00Z.
pub const NOW_MS: u64 = 1_767_225_600_000;

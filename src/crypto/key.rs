use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Purpose;
use crate::canon::{self, HexError, KeyId, domain};

/// Why bytes are not a usable public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not 64 hexadecimal digits.
    #[error("public key: {0}")]
    Hex(#[from] HexError),
    /// The bytes are no point of the curve, or not the one form in which it is written.
    #[error("`{key}` is not an ed25519 public key")]
    NotAKey {
        /// The bytes in hex.
        key: String,
    },
    /// A key of small order, under which many signatures verify.
    #[error("`{key}` is a weak ed25519 key")]
    Weak {
        /// The bytes in hex.
        key: String,
    },
}

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify under key {key}")]
pub struct SignatureError {
    /// The key it was checked under.
    pub key: PublicKey,
}

/// An ed25519 public key that is a point of large order; 64 lower-case hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a key.
    ///
    /// # Errors
    /// When the bytes are not a point of the curve in its one form (RFC 8032 § 5.1.3), or one of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let not_a_key = || KeyError::NotAKey { key: canon::encode(bytes) };
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| not_a_key())?;
        if !is_reduced(bytes) {
            return Err(not_a_key());
        }
        if key.is_weak() { Err(KeyError::Weak { key: canon::encode(bytes) }) } else { Ok(Self(key)) }
    }

    /// The key's 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The hash that names this key in entry headers.
    pub fn id(&self) -> KeyId {
        KeyId(domain::KEY.hash(&[self.as_bytes()]))
    }

    /// Checks that this key signed `digest` for `purpose`.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, purpose: Purpose, digest: &[u8; 32], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(&purpose.message(digest), &signature).map_err(|_| SignatureError { key: *self })
    }
}

/// Whether the y coordinate is below the field's order, 2^255 − 19: a key would have two forms, and two ids, otherwise.
fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    *lowest < 0xed || middle.iter().any(|byte| *byte != 0xff) || highest & 0x7f != 0x7f
}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&canon::encode(self.as_bytes()))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&canon::decode_array(text)?)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(canon::Digits::of(self.as_bytes()).as_str())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

canon::fixed_bytes!(
    /// An ed25519 signature; 128 lower-case hex digits in text.
    Signature,
    64
);

/// A public key and the name that people know it by. The name is asserted by whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedKey {
    /// The key.
    pub key: PublicKey,
    /// The name.
    pub name: String,
}

impl NamedKey {
    /// Names a key.
    pub fn new(name: impl Into<String>, key: PublicKey) -> Self {
        Self { name: name.into(), key }
    }
}

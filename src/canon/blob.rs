use serde_json::Value;

use super::{Bytes, CanonError, Commitment, domain, fixed_bytes, with_canonical};

fixed_bytes!(
    /// Sixteen random bytes that keep a commitment from telling anything about a short value.
    Salt,
    16
);

/// A value that a record commits to: sealed JSON and its salt.
///
/// Records, ids and world roots name blobs by [`commitment`](Self::commitment), so a blob can be erased
/// later while every chain, id, version and cost still verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The salt.
    pub salt: Salt,
    /// The value as sealed JSON.
    pub bytes: Bytes,
}

impl Blob {
    /// Seals `value` under `salt`.
    ///
    /// # Errors
    /// When the value cannot be written as sealed JSON, or has more than [`super::MAX_BLOB_BYTES`].
    pub fn seal(value: &Value, salt: Salt) -> Result<Self, CanonError> {
        with_canonical(value, |bytes| match bytes.len() {
            0..=super::MAX_BLOB_BYTES => Ok(Self { salt, bytes: bytes.into() }),
            bytes => Err(CanonError::TooLarge { bytes, limit: super::MAX_BLOB_BYTES }),
        })?
    }

    /// The salted hash that names this blob.
    pub fn commitment(&self) -> Commitment {
        Commitment(domain::BLOB.hash(&[&self.salt.0, &self.bytes]))
    }

    /// The value.
    ///
    /// # Errors
    /// When the bytes are not sealed JSON.
    pub fn value(&self) -> Result<Value, super::ParseError> {
        super::parse(&self.bytes, super::MAX_BLOB_BYTES)
    }
}

/// A blob and the commitment that names it: hashed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBlob {
    // INVARIANT: the blob's own, computed by `From<Blob>`; neither changes afterwards.
    commitment: Commitment,
    blob: Blob,
}

impl NamedBlob {
    /// Seals `value` under `salt`.
    ///
    /// # Errors
    /// As [`Blob::seal`].
    pub fn seal(value: &Value, salt: Salt) -> Result<Self, CanonError> {
        Blob::seal(value, salt).map(Self::from)
    }

    /// The salted hash that names the blob.
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// The blob alone.
    pub fn into_blob(self) -> Blob {
        self.blob
    }
}

impl From<Blob> for NamedBlob {
    fn from(blob: Blob) -> Self {
        Self { commitment: blob.commitment(), blob }
    }
}

impl std::ops::Deref for NamedBlob {
    type Target = Blob;
    fn deref(&self) -> &Blob {
        &self.blob
    }
}

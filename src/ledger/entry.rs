use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Header, HeaderError, Kind};
use crate::{
    canon::{Blob, Bytes, CanonError, Commitment, EntryId, MAX_RECORD_BYTES, RecordHash, domain, to_canonical},
    crypto::{PublicKey, Purpose, Signature, SignatureError},
};

/// A record with the commitments that it introduces, not yet placed on a trajectory.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it records.
    pub kind: Kind,
    /// The record's bytes.
    pub record: Bytes,
    /// The blobs that it introduces, in the record's order.
    pub blobs: Vec<Blob>,
}

/// The JSON of every record: what it says, and the commitments that it is the first to name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    blobs: Vec<Commitment>,
    body: T,
}

/// The part of an envelope that is the same for every kind.
#[derive(Debug, Deserialize)]
struct AnyEnvelope {
    blobs: Vec<Commitment>,
}

impl Draft {
    /// Seals a record of `kind`, which introduces `blobs`.
    ///
    /// # Errors
    /// When the record cannot be sealed, or has more than [`MAX_RECORD_BYTES`].
    pub fn seal<T: Serialize>(kind: Kind, body: &T, blobs: Vec<Blob>) -> Result<Self, CanonError> {
        let envelope = Envelope { blobs: blobs.iter().map(Blob::commitment).collect(), body };
        let record = to_canonical(&envelope)?;
        if record.len() > MAX_RECORD_BYTES {
            return Err(CanonError::TooLarge { bytes: record.len(), limit: MAX_RECORD_BYTES });
        }
        Ok(Self { kind, record: record.into(), blobs })
    }

    /// The hash that the header will carry.
    pub fn hash(&self) -> RecordHash {
        RecordHash(domain::RECORD.hash(&[&self.record]))
    }
}

/// A blob as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBlob {
    /// Its salt and bytes.
    Present(Blob),
    /// It was erased; an erasure entry says by whom and why.
    Erased,
}

/// One entry of a ledger, byte for byte as it was hashed.
///
/// An entry is data that somebody wrote: [`check`](Self::check) and [`check_signature`](Self::check_signature) say
/// whether its parts belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The header.
    pub header: Header,
    /// The record's bytes.
    pub record: Bytes,
    /// The blobs that the record introduces, in its order.
    pub blobs: Vec<StoredBlob>,
    /// The signature over the entry's id; absent in a ledger that is run unsigned.
    pub signature: Option<Signature>,
}

/// An entry whose parts do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The record is not the one that the header names.
    #[error("the record does not match the hash in the header")]
    Record,
    /// The record is larger than any that is written.
    #[error("the record has {0} bytes, and the limit is {MAX_RECORD_BYTES}")]
    TooLarge(usize),
    /// The record is not of its kind's shape.
    #[error("the record is not a {kind} record: {reason}")]
    Shape {
        /// The kind in the header.
        kind: String,
        /// What is wrong.
        reason: String,
    },
    /// There are more or fewer blobs than the record names.
    #[error("the record names {named} values and {found} are stored")]
    BlobCount {
        /// How many the record names.
        named: usize,
        /// How many there are.
        found: usize,
    },
    /// A blob is not the one that the record names.
    #[error("value {index} does not match its commitment {commitment}")]
    Blob {
        /// Which.
        index: usize,
        /// The commitment.
        commitment: Commitment,
    },
    /// The entry names a signing key and carries no signature, or the other way round.
    #[error("the entry is unsigned")]
    Unsigned,
    /// The entry names another signing key.
    #[error("signed by key {found}, expected {expected}")]
    Signer {
        /// The key in the header.
        found: crate::canon::KeyId,
        /// The key that was expected.
        expected: crate::canon::KeyId,
    },
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Entry {
    /// The entry's id.
    pub fn id(&self) -> EntryId {
        self.header.id()
    }

    /// Checks that record and blobs are those that the header commits to. Returns the commitments in the record's order.
    ///
    /// # Errors
    /// The first part that does not belong.
    pub fn check(&self) -> Result<Vec<Commitment>, EntryError> {
        if self.record.len() > MAX_RECORD_BYTES {
            return Err(EntryError::TooLarge(self.record.len()));
        }
        if RecordHash(domain::RECORD.hash(&[&self.record])) != self.header.record {
            return Err(EntryError::Record);
        }
        let commitments = self.commitments()?;
        if commitments.len() != self.blobs.len() {
            return Err(EntryError::BlobCount { named: commitments.len(), found: self.blobs.len() });
        }
        for (index, (blob, commitment)) in self.blobs.iter().zip(&commitments).enumerate() {
            if let StoredBlob::Present(blob) = blob
                && blob.commitment() != *commitment
            {
                return Err(EntryError::Blob { index, commitment: *commitment });
            }
        }
        Ok(commitments)
    }

    /// Checks that `key` signed the entry.
    ///
    /// # Errors
    /// When the entry is unsigned, names another key, or its signature does not verify.
    pub fn check_signature(&self, key: &PublicKey) -> Result<(), EntryError> {
        if self.header.signer != key.id() {
            return Err(EntryError::Signer { found: self.header.signer, expected: key.id() });
        }
        let signature = self.signature.ok_or(EntryError::Unsigned)?;
        Ok(key.verify(Purpose::Entry, self.id().as_bytes(), &signature)?)
    }

    /// The commitments that the record introduces.
    ///
    /// # Errors
    /// When the record is not an envelope.
    pub fn commitments(&self) -> Result<Vec<Commitment>, EntryError> {
        let envelope: AnyEnvelope = serde_json::from_slice(&self.record).map_err(|error| self.shape(&error))?;
        Ok(envelope.blobs)
    }

    /// Reads the record as the type of its kind.
    ///
    /// # Errors
    /// When it is not of that shape, unknown members included.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, EntryError> {
        let envelope: Envelope<T> = serde_json::from_slice(&self.record).map_err(|error| self.shape(&error))?;
        Ok(envelope.body)
    }

    fn shape(&self, error: &serde_json::Error) -> EntryError {
        let kind = self.header.known_kind().map_or_else(|| self.header.kind.to_string(), |kind| kind.to_string());
        EntryError::Shape { kind, reason: error.to_string() }
    }

    /// The blob of that commitment, where this entry introduces it and it was not erased.
    pub fn blob(&self, commitment: &Commitment) -> Option<&Blob> {
        self.blobs.iter().find_map(|blob| match blob {
            StoredBlob::Present(blob) if blob.commitment() == *commitment => Some(blob),
            _ => None,
        })
    }
}

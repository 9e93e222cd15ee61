use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    canon::{
        Blob, Bytes, CanonError, Commitment, EntryId, HexError, MAX_ENTRY_BLOBS, Salt, StatementHash, StoreId,
        TrajectoryId, at_most, decode_array, domain, encode,
    },
    crypto::{PublicKey, Signature},
    ledger::{Entry, EntryError, HEADER_BYTES, Header, StoredBlob},
    replay::InvalidFrom,
};

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Export(ExportStart),
    /// An entry.
    Entry(LineEntry),
    /// The last line.
    Head(Box<SignedHead>),
}

/// What an export is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportStart {
    /// [`super::EXPORT_FORMAT`].
    pub format: u32,
    /// The store.
    pub store: StoreId,
    /// The run.
    pub trajectory: TrajectoryId,
}

/// An entry as a line holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineEntry {
    /// The blobs that it introduces, in their order.
    #[serde(deserialize_with = "at_most::<_, _, MAX_ENTRY_BLOBS>")]
    pub blobs: Vec<LineBlob>,
    /// The header's bytes in hex.
    pub header: String,
    /// The record's bytes, which are UTF-8.
    pub record: String,
    /// The signature; null in an unsigned ledger.
    pub signature: Option<Signature>,
}

/// A blob as a line holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum LineBlob {
    /// It is there.
    Present {
        /// Its salt.
        salt: Salt,
        /// Its bytes, which are sealed JSON and so UTF-8.
        text: String,
    },
    /// It was erased.
    Erased {
        /// What the record names it by.
        erased: Commitment,
    },
}

// Not derived: what is read as one of several shapes is kept in memory first, whatever it is.
impl<'de> Deserialize<'de> for LineBlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            erased: Option<Commitment>,
            salt: Option<Salt>,
            text: Option<String>,
        }
        match Members::deserialize(deserializer)? {
            Members { erased: Some(erased), salt: None, text: None } => Ok(Self::Erased { erased }),
            Members { erased: None, salt: Some(salt), text: Some(text) } => Ok(Self::Present { salt, text }),
            _ => Err(D::Error::custom("a value is either `salt` and `text`, or `erased`")),
        }
    }
}

/// The end of an export, signed by the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// The signature over the statement's hash; null in an unsigned ledger.
    pub signature: Option<Signature>,
    /// Who signed; null in an unsigned ledger.
    pub signer: Option<PublicKey>,
    /// What was signed.
    pub statement: HeadStatement,
}

/// Where an export ends, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadStatement {
    /// When the export was made, in milliseconds since 1970.
    pub as_of_ms: u64,
    /// The hash of all bytes of the file before this line.
    pub digest: StatementHash,
    /// The run's last entry.
    pub head: EntryId,
    /// From where on the compromised keys of the store prove nothing, in the order in which that was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<InvalidFrom>,
    /// How many entries the run has.
    pub length: u64,
    /// The store.
    pub store: StoreId,
    /// The run.
    pub trajectory: TrajectoryId,
}

impl HeadStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for ids; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

impl LineEntry {
    /// The line of an entry.
    ///
    /// # Errors
    /// When a record or blob is not UTF-8, which no sealed JSON is.
    pub fn new(entry: &Entry) -> Result<Self, std::string::FromUtf8Error> {
        let blob = |blob: &StoredBlob| match blob {
            StoredBlob::Present(blob) => {
                let text = String::from_utf8(blob.bytes.to_vec())?;
                Ok(LineBlob::Present { salt: blob.salt, text })
            }
            StoredBlob::Erased(commitment) => Ok(LineBlob::Erased { erased: *commitment }),
        };
        Ok(Self {
            blobs: entry.blobs.iter().map(blob).collect::<Result<_, _>>()?,
            header: encode(&entry.header.to_bytes()),
            record: String::from_utf8(entry.record.to_vec())?,
            signature: entry.signature,
        })
    }

    /// The entry that the line holds; nothing about it is checked yet.
    ///
    /// # Errors
    /// When the header cannot be read.
    pub fn into_entry(self) -> Result<Entry, EntryError> {
        let bytes = decode_array::<HEADER_BYTES>(&self.header)
            .map_err(|error: HexError| EntryError::Shape { kind: "header".into(), reason: error.to_string() })?;
        let blob = |blob: LineBlob| match blob {
            LineBlob::Present { salt, text } => {
                StoredBlob::Present(Blob { salt, bytes: Bytes::from(text.into_bytes()) })
            }
            LineBlob::Erased { erased } => StoredBlob::Erased(erased),
        };
        Ok(Entry {
            header: Header::from_bytes(&bytes)?,
            record: Bytes::from(self.record.into_bytes()),
            blobs: self.blobs.into_iter().map(blob).collect(),
            signature: self.signature,
        })
    }
}

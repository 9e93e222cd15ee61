use std::collections::HashMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{Header, HeaderError, Kind};
use crate::{
    canon::{
        Blob, Bytes, CanonError, Commitment, EntryId, LimitError, MAX_ENTRY_BLOB_BYTES, MAX_ENTRY_BLOBS,
        MAX_RECORD_BYTES, NamedBlob, RecordHash, decode, domain, misshapen, with_canonical,
    },
    crypto::{PublicKey, Purpose, Signature, SignatureError},
};

/// A record with the values that it introduces, not yet placed on a trajectory.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it records.
    pub kind: Kind,
    /// The record's bytes.
    pub record: Bytes,
    /// The blobs that it introduces, in the order in which the record first names them.
    pub blobs: Vec<NamedBlob>,
}

impl Draft {
    /// Seals a record of `kind`, which introduces `blobs`, in whatever order.
    ///
    /// # Errors
    /// When the record cannot be sealed, has more than [`MAX_RECORD_BYTES`], does not name a blob, or there are more blobs
    /// than [`MAX_ENTRY_BLOBS`] or [`MAX_ENTRY_BLOB_BYTES`] allow.
    pub fn seal<T: Serialize>(kind: Kind, body: &T, blobs: Vec<Blob>) -> Result<Self, CanonError> {
        Self::seal_named(kind, body, blobs.into_iter().map(NamedBlob::from).collect())
    }

    /// As [`seal`](Self::seal), with blobs whose commitments are known.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_named<T: Serialize>(kind: Kind, body: &T, blobs: Vec<NamedBlob>) -> Result<Self, CanonError> {
        let record = with_canonical(body, |bytes| match bytes.len() {
            0..=MAX_RECORD_BYTES => Ok(Bytes::from(bytes)),
            bytes => Err(CanonError::TooLarge { bytes, limit: MAX_RECORD_BYTES }),
        })??;
        let bytes = blobs.iter().map(|blob| blob.bytes.len()).sum();
        if bytes > MAX_ENTRY_BLOB_BYTES {
            return Err(CanonError::TooLarge { bytes, limit: MAX_ENTRY_BLOB_BYTES });
        }
        LimitError::check("values", blobs.len(), MAX_ENTRY_BLOBS)?;
        let commitments: Vec<_> = blobs.iter().map(NamedBlob::commitment).collect();
        let places = places(&record, &commitments);
        let mut placed = Vec::with_capacity(blobs.len());
        for (blob, commitment) in blobs.into_iter().zip(commitments) {
            let unnamed =
                || CanonError::NotJson { what: format!("a record that does not name its value {commitment}") };
            placed.push((place(&places, &commitment).ok_or_else(unnamed)?, blob));
        }
        placed.sort_unstable_by_key(|(place, _)| *place);
        placed.dedup_by_key(|(place, _)| *place);
        Ok(Self { kind, record, blobs: placed.into_iter().map(|(_, blob)| blob).collect() })
    }

    /// The hash that the header will carry: of the record and of the commitments that it introduces.
    pub fn hash(&self) -> RecordHash {
        record_hash(&self.record, self.blobs.iter().map(NamedBlob::commitment))
    }

    /// The entry of a header that was made for it.
    pub fn into_entry(self, header: Header, signature: Option<Signature>) -> Entry {
        let blobs = self.blobs.into_iter().map(|blob| StoredBlob::Present(blob.into_blob())).collect();
        Entry { header, record: self.record, blobs, signature }
    }
}

/// A blob as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBlob {
    /// Its salt and bytes.
    Present(Blob),
    /// It was erased, and this is what the record names it by; an erasure entry says by whom and why.
    Erased(Commitment),
}

impl StoredBlob {
    /// What the record names it by.
    pub fn commitment(&self) -> Commitment {
        match self {
            Self::Present(blob) => blob.commitment(),
            Self::Erased(commitment) => *commitment,
        }
    }

    /// How many bytes it has, its salt not counted; none when it was erased.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Present(blob) => blob.bytes.len(),
            Self::Erased(_) => 0,
        }
    }
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
    /// The blobs that the entry introduces, in the order in which the record first names them.
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
    /// The record, or a value beside it, is not the one that the header names.
    #[error("the record or a value beside it does not match the hash in the header")]
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
    /// There are more values than an entry may have.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// There are more or fewer blobs than the header says.
    #[error("the header says {said} values and {found} are stored")]
    BlobCount {
        /// How many the header says.
        said: u32,
        /// How many there are.
        found: usize,
    },
    /// The record does not name a blob, or first names it before the one in front of it.
    #[error("value {index}, {commitment}, is not the one that the record names there")]
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

    /// How many bytes its record and blobs have.
    pub(crate) fn bytes(&self) -> usize {
        self.record.len() + self.blobs.iter().map(StoredBlob::bytes).sum::<usize>()
    }

    /// Checks that record and blobs are those that the header commits to. Returns what the record names each blob by, in
    /// their order.
    ///
    /// # Errors
    /// The first part that does not belong.
    pub fn check(&self) -> Result<Vec<Commitment>, EntryError> {
        if self.record.len() > MAX_RECORD_BYTES {
            return Err(EntryError::TooLarge(self.record.len()));
        }
        if usize::try_from(self.header.blobs) != Ok(self.blobs.len()) {
            return Err(EntryError::BlobCount { said: self.header.blobs, found: self.blobs.len() });
        }
        LimitError::check("values", self.blobs.len(), MAX_ENTRY_BLOBS)?;
        let bytes = self.blobs.iter().map(StoredBlob::bytes).sum();
        LimitError::check("bytes of values", bytes, MAX_ENTRY_BLOB_BYTES)?;
        let commitments: Vec<_> = self.blobs.iter().map(StoredBlob::commitment).collect();
        if record_hash(&self.record, commitments.iter().copied()) != self.header.record {
            return Err(EntryError::Record);
        }
        let places = places(&self.record, &commitments);
        let mut last = None;
        for (index, commitment) in commitments.iter().enumerate() {
            let place = place(&places, commitment);
            if place.is_none() || place <= last {
                return Err(EntryError::Blob { index, commitment: *commitment });
            }
            last = place;
        }
        Ok(commitments)
    }

    /// The hash that the header has to carry.
    pub fn record_hash(&self) -> RecordHash {
        record_hash(&self.record, self.blobs.iter().map(StoredBlob::commitment))
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

    /// Reads the record as the type of its kind.
    ///
    /// # Errors
    /// When it is not of that shape, unknown members included, or not in the one form in which that is written.
    pub fn body<T: DeserializeOwned + Serialize>(&self) -> Result<T, EntryError> {
        // Looked at once as a whole, and not text by text.
        let record = std::str::from_utf8(&self.record).map_err(|error| self.shape(error.to_string()))?;
        let body = serde_json::from_str(record).map_err(|error| self.shape(misshapen(&error)))?;
        match with_canonical(&body, |form| *form == *self.record) {
            Ok(true) => Ok(body),
            _ => Err(self.shape("it is not in the one form in which it is written".into())),
        }
    }

    fn shape(&self, reason: String) -> EntryError {
        let kind = self.header.known_kind().map_or_else(|| self.header.kind.to_string(), |kind| kind.to_string());
        EntryError::Shape { kind, reason }
    }

    /// The blobs that were not erased, by commitment.
    pub fn present(&self) -> HashMap<Commitment, &Blob> {
        let present = self.blobs.iter().filter_map(|blob| match blob {
            StoredBlob::Present(blob) => Some((blob.commitment(), blob)),
            StoredBlob::Erased(_) => None,
        });
        present.collect()
    }

    /// The blob of that commitment, where this entry introduces it and it was not erased.
    pub fn blob(&self, commitment: &Commitment) -> Option<&Blob> {
        self.blobs.iter().find_map(|blob| match blob {
            StoredBlob::Present(blob) if blob.commitment() == *commitment => Some(blob),
            _ => None,
        })
    }
}

/// The hash of a record and of the commitments that its entry introduces, in order: the header's count says how many.
fn record_hash(record: &[u8], introduced: impl Iterator<Item = Commitment>) -> RecordHash {
    let mut hash = domain::RECORD.stream();
    hash.update(record);
    introduced.for_each(|commitment| hash.update(commitment.as_bytes()));
    RecordHash(hash.finish())
}

/// Where a record first names each of these values, as a JSON string: found in one pass, however many there are. Sorted by
/// value.
fn places(record: &[u8], commitments: &[Commitment]) -> Vec<(Commitment, Option<usize>)> {
    /// From the quote before an id to the quote behind it.
    const APART: usize = 65;
    let mut places: Vec<_> = commitments.iter().map(|commitment| (*commitment, None)).collect();
    places.sort_unstable();
    places.dedup();
    // Most ids of a record are none of these: their first byte says so.
    let mut begins = [false; 256];
    for (Commitment([first, ..]), _) in &places {
        if let Some(begins) = begins.get_mut(usize::from(*first)) {
            *begins = true;
        }
    }
    // Of bytes that lie so far apart, an id with the quote before it has exactly one, and its quote is the last before that.
    for at in (0..record.len()).step_by(APART) {
        let from = (at + 1).saturating_sub(APART);
        let before = record.get(from..=at).unwrap_or_default();
        if let Some(quote) = memchr::memrchr(b'"', before).map(|quote| from + quote)
            && record.get(quote + APART) == Some(&b'"')
            && let Some([first]) = decode(record.get(quote + 1..quote + 3).unwrap_or_default())
            && begins.get(usize::from(first)) == Some(&true)
            && let Some(named) = decode(record.get(quote + 1..quote + APART).unwrap_or_default()).map(Commitment)
            && let Ok(index) = places.binary_search_by_key(&named, |(commitment, _)| *commitment)
            && let Some((_, place)) = places.get_mut(index)
        {
            place.get_or_insert(quote);
        }
    }
    places
}

/// The place of a value among [`places`].
fn place(places: &[(Commitment, Option<usize>)], commitment: &Commitment) -> Option<usize> {
    let at = places.binary_search_by_key(commitment, |(of, _)| *of).ok()?;
    places.get(at)?.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commitment(number: u8) -> Commitment {
        // Some differ from their first byte on, and some only after it.
        let mut bytes = [number / 2; 32];
        bytes[31] = number.wrapping_mul(37);
        Commitment(bytes)
    }

    proptest! {
        #[test]
        fn the_first_place_of_each_value_is_found_wherever_it_stands(
            parts in prop::collection::vec(
                prop_oneof![
                    (0u8..6).prop_map(|number| format!("\"{}\"", commitment(number))),
                    (0u8..6).prop_map(|number| commitment(number).to_string()),
                    "[\"a-f0-9:]{0,70}",
                    Just("\"".to_owned()),
                ],
                0..12,
            ),
            wanted in prop::collection::vec((0u8..8).prop_map(commitment), 0..6),
        ) {
            let record = parts.concat();
            let found = places(record.as_bytes(), &wanted);
            for commitment in &wanted {
                let expected = record.find(&format!("\"{commitment}\""));
                prop_assert_eq!(place(&found, commitment), expected, "{}", record);
            }
        }
    }
}

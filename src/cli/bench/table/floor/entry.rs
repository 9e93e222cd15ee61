use std::hint::black_box;

use serde_json::Value;

use super::super::Failed;
use crate::{
    commit::Commit,
    ledger::{Entry, HEADER_BYTES, StoredBlob},
};

/// The parts of an entry that records a commit, to write and hash them with nothing around.
pub(crate) struct Parts {
    header: [u8; HEADER_BYTES],
    commit: Commit,
    values: Vec<Value>,
    salted: Vec<Vec<u8>>,
}

impl Parts {
    pub(crate) fn of(entry: &Entry) -> Result<Self, Failed> {
        let mut parts = Self {
            header: entry.header.to_bytes(),
            commit: serde_json::from_slice(&entry.record)?,
            values: Vec::new(),
            salted: Vec::new(),
        };
        for blob in &entry.blobs {
            if let StoredBlob::Present(blob) = blob {
                parts.values.push(serde_json::from_slice(&blob.bytes)?);
                parts.salted.push([blob.salt.as_bytes(), &*blob.bytes].concat());
            }
        }
        Ok(parts)
    }

    /// Writes the record and its values as JSON, and hashes all that an entry's id rests on.
    pub(crate) fn write(&self) -> Result<(), Failed> {
        for (value, salted) in self.values.iter().zip(&self.salted) {
            black_box(serde_json::to_vec(value)?);
            black_box(blake3::hash(salted));
        }
        let record = serde_json::to_vec(&self.commit)?;
        black_box(blake3::hash(&record));
        black_box(blake3::hash(&self.header));
        Ok(())
    }
}

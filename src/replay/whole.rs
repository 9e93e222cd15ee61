use super::record::Record;
use crate::{
    canon::{Commitment, EntryId},
    ledger::{Entry, EntryError, StoredBlob},
};

/// An entry whose parts belong together, with all hashes that showed it. It rests on the entry alone, so it can be made in
/// any order and on any thread.
pub(super) struct Whole {
    pub(super) id: EntryId,
    /// What the record names each blob by, in their order.
    pub(super) commitments: Vec<Commitment>,
    /// The record; judged later than the parts, and where the entry may stand at all.
    pub(super) record: Result<Record, EntryError>,
}

impl Whole {
    /// Checks an entry's parts and reads its record.
    pub(super) fn of(entry: &Entry) -> Result<Self, EntryError> {
        let commitments = entry.check()?;
        Ok(Self { id: entry.id(), commitments, record: Record::read(entry) })
    }

    /// Whether the entry introduces a value, and it was not erased.
    pub(super) fn has(&self, entry: &Entry, commitment: &Commitment) -> bool {
        let mut blobs = self.commitments.iter().zip(&entry.blobs);
        blobs.any(|(of, blob)| of == commitment && matches!(blob, StoredBlob::Present(_)))
    }
}

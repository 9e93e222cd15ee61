use crate::ledger::{Entry, StoredBlob};

/// How many entries are read from a store at a time: as many as hold about eight megabytes, and no more than this.
const MOST: usize = 512;
/// How many are read first.
const FIRST: usize = 64;
const BYTES: usize = 8 << 20;

/// The number of entries to read next, judged by the page before, so that entries with large values are read few at a time.
pub(super) struct PageSize(usize);

impl PageSize {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    pub(super) fn get(&self) -> usize {
        self.0
    }

    /// Judges by a page that was read. Returns whether it was the last one.
    pub(super) fn read<'a>(&mut self, page: impl IntoIterator<Item = &'a Entry>) -> bool {
        let (mut entries, mut bytes) = (0, 0);
        for entry in page {
            entries += 1;
            bytes += entry.record.len() + entry.blobs.iter().map(StoredBlob::bytes).sum::<usize>();
        }
        let last = entries < self.0;
        let fit = BYTES.saturating_mul(entries) / bytes.max(1);
        self.0 = fit.clamp(1, MOST.min(2 * self.0));
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canon::{Blob, EntryId, KeyId, RecordHash, Salt, StoreId, TrajectoryId},
        ledger::Header,
    };

    fn entry(bytes: usize) -> Entry {
        let header = Header {
            kind: 6,
            blobs: 1,
            store: StoreId([1; 32]),
            trajectory: TrajectoryId([2; 32]),
            seq: 3,
            parent: EntryId([4; 32]),
            time_ms: 5,
            signer: KeyId::ZERO,
            authority: EntryId([7; 32]),
            base_seq: 8,
            record: RecordHash([9; 32]),
        };
        let blob = StoredBlob::Present(Blob { salt: Salt([10; 16]), bytes: vec![b'1'; bytes].into() });
        Entry { header, record: vec![].into(), blobs: vec![blob], signature: None }
    }

    #[test]
    fn pages_grow_to_their_limit_and_shrink_to_a_single_large_entry() {
        let (small, large) = (entry(10), entry(BYTES));
        let mut size = PageSize::new();
        for _ in 0..5 {
            assert!(!size.read(std::iter::repeat_n(&small, size.get())));
        }
        assert_eq!(size.get(), MOST);
        assert!(!size.read(std::iter::repeat_n(&large, MOST)));
        assert_eq!(size.get(), 1);
        assert!(!size.read([&small]) && size.read([]));
    }
}

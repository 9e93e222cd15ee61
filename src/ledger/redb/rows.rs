use std::ops::Bound;

use redb::{AccessGuard, ReadOnlyTable};

use super::{
    codec::{part, put},
    error::{damaged, storage},
};
use crate::ledger::StoreError;

/// The most bytes of a row with several entries: with the sixteen that the storage engine adds, four pages of 4 KiB.
const ROW_BYTES: usize = 16_368;

/// The end of the log: the last row, and the rows before it that are full but not written yet.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The position of the next entry.
    pub(super) next: u64,
    last: Row,
    full: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    first: u64,
    bytes: Vec<u8>,
    state: State,
}

/// How a row compares with the table.
#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    New,
    Grown,
    Stored,
}

impl Log {
    /// The log that ends with this row.
    pub(super) fn resume(first: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let entries = Entries(bytes).try_fold(0, |count, entry| entry.map(|_| count + 1))?;
        let next = first.checked_add(entries).ok_or_else(|| damaged("positions have run out"))?;
        Ok(Self { next, last: Row { first, bytes: bytes.to_vec(), state: State::Stored }, full: Vec::new() })
    }

    pub(super) fn push(&mut self, entry: &[u8]) {
        if !self.last.bytes.is_empty() && self.last.bytes.len() + 4 + entry.len() > ROW_BYTES {
            let next = Row { first: self.next, ..Row::default() };
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        put(&mut self.last.bytes, entry);
        if self.last.state == State::Stored {
            self.last.state = State::Grown;
        }
        self.next += 1;
    }

    /// Writes the rows that have changed.
    pub(super) fn write(&mut self, table: &mut redb::Table<'_, u64, &'static [u8]>) -> Result<(), StoreError> {
        let full = std::mem::take(&mut self.full);
        let rows = || full.iter().chain(std::iter::once(&self.last));
        for row in rows().filter(|row| row.state == State::Grown) {
            table.insert(row.first, row.bytes.as_slice()).map_err(storage)?;
        }
        // A cursor packs pages full, where single inserts leave each half empty.
        let mut cursor = table.upper_bound_mut(Bound::<u64>::Unbounded).map_err(storage)?;
        for row in rows().filter(|row| row.state == State::New) {
            cursor.insert_before(row.first, row.bytes.as_slice()).map_err(storage)?;
        }
        cursor.close().map_err(storage)?;
        self.last.state = State::Stored;
        Ok(())
    }
}

/// The entries of a row, still encoded.
pub(super) struct Entries<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = part(&mut self.0);
        if entry.is_err() {
            self.0 = &[];
        }
        Some(entry)
    }
}

/// Looks entries up by position; those that follow each other in one row cost one search.
pub(super) struct Lookup<'a> {
    table: &'a ReadOnlyTable<u64, &'static [u8]>,
    row: Option<(u64, AccessGuard<'static, &'static [u8]>)>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(table: &'a ReadOnlyTable<u64, &'static [u8]>) -> Self {
        Self { table, row: None }
    }

    /// Hands the encoded entry at `position` to `read`.
    pub(super) fn entry<T>(
        &mut self,
        position: u64,
        read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let missing = || damaged(format!("there is no entry at position {position}"));
        if let Some((first, row)) = &self.row
            && let Some(skip) = position.checked_sub(*first)
            && let Some(entry) = nth(row.value(), skip)
        {
            return read(entry?);
        }
        let (first, row) =
            self.table.range(..=position).map_err(storage)?.next_back().ok_or_else(missing)?.map_err(storage)?;
        let (first, row) = &*self.row.insert((first.value(), row));
        // A damaged table can answer with a row that it was not asked for.
        let skip = position.checked_sub(*first).ok_or_else(missing)?;
        read(nth(row.value(), skip).ok_or_else(missing)??)
    }
}

fn nth(row: &[u8], skip: u64) -> Option<Result<&[u8], StoreError>> {
    // Only a short row has several entries, so that none is long to walk through.
    if skip > 0 && row.len() > ROW_BYTES {
        let mut behind = row;
        return match part(&mut behind) {
            Ok(_) if behind.is_empty() => None,
            _ => Some(Err(damaged("a row has more bytes than several entries may have"))),
        };
    }
    Entries(row).nth(usize::try_from(skip).unwrap_or(usize::MAX))
}

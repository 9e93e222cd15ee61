use std::{fmt, ops::Bound, sync::Arc};

use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError, Value};

use super::{
    codec::decode,
    error::{damaged, storage},
    poison::{Poison, contained},
    rows::{Entries, Lookup},
    tables::{ENTRIES, HEADS, INDEX, META, REGISTERS, SNAPSHOTS, check_layout},
    trail::{CHUNK, Trail, chunk_key, chunk_number, decode_positions},
};
use crate::{
    canon::{Bytes, TrajectoryId},
    ledger::{Entry, Head, Position, RegisterKey, StoreError},
};

/// Reads the last commit, on the caller's thread.
pub(super) struct Reader {
    /// There until it is dropped.
    database: Option<Arc<dyn ReadableDatabase + Send + Sync>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The last to go closes the file, which is the engine's work too.
        let database = self.database.take();
        drop(contained(&Poison::default(), || {
            drop(database);
            Ok(())
        }));
    }
}

impl Reader {
    pub(super) fn new(database: Arc<dyn ReadableDatabase + Send + Sync>) -> Self {
        Self { database: Some(database) }
    }

    /// Checks that the file is a ledger of the layout that this build reads.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_layout(&open(&self.begin()?, META)?).map(drop)
    }

    pub(super) fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        Ok(trail(&self.begin()?, trajectory)?.map(|trail| trail.head()))
    }

    pub(super) fn read(
        &self,
        trajectory: &TrajectoryId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let transaction = self.begin()?;
        let Some(trail) = trail(&transaction, trajectory)? else { return Ok(Vec::new()) };
        let end = from_seq.saturating_add(limit as u64).min(trail.seq.saturating_add(1));
        if from_seq >= end {
            return Ok(Vec::new());
        }
        let positions = positions(&transaction, trajectory, &trail, from_seq, end)?;
        let table = open(&transaction, ENTRIES)?;
        let mut lookup = Lookup::new(&table);
        let entry = |(position, seq)| {
            let entry = lookup.entry(position, decode)?;
            if (entry.header.trajectory, entry.header.seq) == (*trajectory, seq) {
                Ok(entry)
            } else {
                Err(damaged(format!("the entry at position {position} is not the one that the index names")))
            }
        };
        positions.into_iter().zip(from_seq..end).map(entry).collect()
    }

    pub(super) fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        let table = open(&self.begin()?, ENTRIES)?;
        let row = table.range(..=from.0).map_err(storage)?.next_back().transpose().map_err(storage)?;
        let start = row.map_or(from.0, |(first, _)| first.value());
        let mut found = Vec::new();
        for row in table.range(start..).map_err(storage)? {
            let (first, row) = row.map_err(storage)?;
            for (number, entry) in (0u64..).zip(Entries(row.value())) {
                if found.len() == limit {
                    return Ok(found);
                }
                let position = first.value().checked_add(number).ok_or_else(|| damaged("positions have run out"))?;
                if position >= from.0 {
                    if position - from.0 != found.len() as u64 {
                        return Err(damaged(format!("position {position} does not follow the one before it")));
                    }
                    found.push((Position(position), decode(entry?)?));
                }
            }
        }
        Ok(found)
    }

    pub(super) fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        let table = open(&self.begin()?, HEADS)?;
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_bytes()));
        let heads = table.range::<&[u8; 32]>((from, Bound::Unbounded)).map_err(storage)?;
        let head = |row: redb::Result<(redb::AccessGuard<'_, _>, redb::AccessGuard<'_, &[u8]>)>| {
            let (id, trail): (redb::AccessGuard<'_, &[u8; 32]>, _) = row.map_err(storage)?;
            Ok((TrajectoryId(*id.value()), Trail::decode(trail.value())?.head()))
        };
        heads.take(limit).map(head).collect()
    }

    pub(super) fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        let table = open(&self.begin()?, REGISTERS)?;
        Ok(table.get(key.as_bytes()).map_err(storage)?.map(|value| value.value().into()))
    }

    pub(super) fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        let table = open(&self.begin()?, REGISTERS)?;
        let from = match after {
            Some(after) if after.as_bytes() >= prefix => Bound::Excluded(after.as_bytes()),
            _ => Bound::Included(prefix),
        };
        let mut found = Vec::new();
        for row in table.range::<&[u8]>((from, Bound::Unbounded)).map_err(storage)?.take(limit) {
            let (key, value) = row.map_err(storage)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            found.push((RegisterKey::from(key.value().to_vec()), value.value().into()));
        }
        Ok(found)
    }

    pub(super) fn snapshot(&self, trajectory: &TrajectoryId, up_to: u64) -> Result<Option<(u64, Bytes)>, StoreError> {
        let table = match self.begin()?.open_table(SNAPSHOTS) {
            // Of a ledger of the first layout, open for reading.
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table.map_err(storage)?,
        };
        let (first, last) = (chunk_key(trajectory, 0), chunk_key(trajectory, up_to));
        let found = table.range::<&[u8; 40]>(&first..=&last).map_err(storage)?.next_back();
        let Some((key, snapshot)) = found.transpose().map_err(storage)? else { return Ok(None) };
        Ok(Some((chunk_number(key.value()), snapshot.value().into())))
    }

    fn begin(&self) -> Result<ReadTransaction, StoreError> {
        let closed = || StoreError::Poisoned("the ledger is closed".into());
        self.database.as_ref().ok_or_else(closed)?.begin_read().map_err(storage)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

fn open<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<ReadOnlyTable<K, V>, StoreError> {
    transaction.open_table(table).map_err(storage)
}

fn trail(transaction: &ReadTransaction, trajectory: &TrajectoryId) -> Result<Option<Trail>, StoreError> {
    let table = open(transaction, HEADS)?;
    let stored = table.get(trajectory.as_bytes()).map_err(storage)?;
    stored.map(|stored| Trail::decode(stored.value())).transpose()
}

/// The positions of the entries `from..end` of a trajectory that has them.
fn positions(
    transaction: &ReadTransaction,
    trajectory: &TrajectoryId,
    trail: &Trail,
    from: u64,
    end: u64,
) -> Result<Vec<u64>, StoreError> {
    let mut positions = Vec::new();
    if from < trail.open_from() {
        let (first, last) = (from / CHUNK, (end - 1).min(trail.open_from() - 1) / CHUNK);
        let index = open(transaction, INDEX)?;
        let chunks = chunk_key(trajectory, first)..=chunk_key(trajectory, last);
        for chunk in index.range::<&[u8; 40]>(chunks.start()..=chunks.end()).map_err(storage)? {
            positions.extend(decode_positions(chunk.map_err(storage)?.1.value())?);
        }
        if positions.len() as u64 != (last - first + 1) * CHUNK {
            return Err(damaged(format!("the index of trajectory {} has gaps", trajectory.short())));
        }
    }
    if end > trail.open_from() {
        positions.extend_from_slice(trail.open());
    }
    let before = if from < trail.open_from() { from % CHUNK } else { from - trail.open_from() };
    Ok(positions.into_iter().skip(before as usize).take((end - from) as usize).collect())
}

use std::{collections::HashMap, hint::black_box, ops::Range, path::Path, thread};

use redb::{Database, ReadableDatabase, TableDefinition};

use super::super::Failed;
use crate::{
    canon::Commitment,
    commit::{Commit, DeltaOp},
    ledger::{Entry, HEADER_BYTES, StoredBlob},
    world::ResourceId,
};

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// As many bytes as the ledger packs into one row.
const ROW_BYTES: usize = 16_368;

/// The bytes of a ledger's entries in a plain file of the same storage engine, to read them with nothing around.
pub(crate) struct Log<'a> {
    path: &'a Path,
    entries: u64,
}

impl<'a> Log<'a> {
    /// Writes the entries to a new file.
    pub(crate) fn write(path: &'a Path, entries: &[Entry]) -> Result<Self, Failed> {
        let database = Database::create(path)?;
        let transaction = database.begin_write()?;
        let mut table = transaction.open_table(ENTRIES)?;
        let (mut row, mut first) = (Vec::new(), 0);
        for (position, entry) in (0u64..).zip(entries) {
            let parts = parts(entry);
            let bytes: usize = parts.iter().map(|part| 4 + part.len()).sum();
            if row.len() + bytes > ROW_BYTES {
                table.insert(first, row.as_slice())?;
                row.clear();
                first = position;
            }
            row.extend_from_slice(&(parts.len() as u32).to_be_bytes());
            for part in parts {
                row.extend_from_slice(&(part.len() as u32).to_be_bytes());
                row.extend_from_slice(&part);
            }
        }
        table.insert(first, row.as_slice())?;
        drop(table);
        transaction.commit()?;
        Ok(Self { path, entries: entries.len() as u64 })
    }

    /// Opens the file. What follows is what is timed.
    pub(crate) fn open(&self) -> Result<Database, Failed> {
        Ok(Database::open(self.path)?)
    }

    /// Reads every entry: hashes all of its parts, parses the records of commits, and keeps what they leave of the world.
    /// Each of `cores` threads reads a part of them.
    pub(crate) fn read(&self, database: &Database, cores: usize) -> Result<(), Failed> {
        let share = self.entries.div_ceil(cores as u64).max(1);
        let rest = (1..cores as u64).map(|core| core * share..(core + 1) * share);
        thread::scope(|scope| {
            let rest: Vec<_> = rest.map(|part| scope.spawn(|| Self::read_part(database, part))).collect();
            Self::read_part(database, 0..share)?;
            rest.into_iter().try_for_each(|part| part.join().map_err(|_| "a reading thread panicked")?)
        })
    }

    /// Reads the rows that start with entries of these positions.
    fn read_part(database: &Database, part: Range<u64>) -> Result<(), Failed> {
        let table = database.begin_read()?.open_table(ENTRIES)?;
        let mut world = HashMap::<ResourceId, (u64, Commitment)>::new();
        for row in table.range(part)? {
            let (_, row) = row?;
            let mut rest = row.value();
            while !rest.is_empty() {
                let count = number(&mut rest)?;
                let header = field(&mut rest)?;
                let record = field(&mut rest)?;
                black_box((blake3::hash(header), blake3::hash(record)));
                for _ in 2..count {
                    black_box(blake3::hash(field(&mut rest)?));
                }
                // The first entry and the last are no commits.
                if let Ok(commit) = serde_json::from_slice::<Commit>(record) {
                    commit.delta.into_iter().for_each(|op| keep(&mut world, op));
                }
            }
        }
        black_box(world);
        Ok(())
    }
}

fn keep(world: &mut HashMap<ResourceId, (u64, Commitment)>, op: DeltaOp) {
    match op {
        DeltaOp::Create { resource, value } => drop(world.insert(resource, (1, value))),
        DeltaOp::Replace { resource, value, version } => drop(world.insert(resource, (version + 1, value))),
        DeltaOp::Delete { resource, .. } => drop(world.remove(&resource)),
    }
}

/// Header, record, and each value behind its salt.
fn parts(entry: &Entry) -> Vec<Vec<u8>> {
    let header: [u8; HEADER_BYTES] = entry.header.to_bytes();
    let values = entry.blobs.iter().map(|blob| match blob {
        StoredBlob::Present(blob) => [blob.salt.as_bytes(), &*blob.bytes].concat(),
        StoredBlob::Erased(_) => Vec::new(),
    });
    [header.to_vec(), entry.record.to_vec()].into_iter().chain(values).collect()
}

fn number(rest: &mut &[u8]) -> Result<usize, Failed> {
    let (bytes, tail) = rest.split_first_chunk::<4>().ok_or("a row is cut short")?;
    *rest = tail;
    Ok(u32::from_be_bytes(*bytes) as usize)
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Failed> {
    let length = number(rest)?;
    let (field, tail) = rest.split_at_checked(length).ok_or("a row is cut short")?;
    *rest = tail;
    Ok(field)
}

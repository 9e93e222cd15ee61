use std::{ops::Bound, path::Path};

use redb::{Database, Durability, TableDefinition};

use super::super::{Failed, scene::commit};
use crate::{
    Intent, Run, Runtime,
    canon::Bytes,
    ledger::{Entry, HEADER_BYTES, Register, RegisterKey, StoredBlob},
};

// The tables of the ledger's file, with the sizes that `ledger::redb` documents.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const HEADS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("heads");
const INDEX: TableDefinition<'_, &[u8; 40], &[u8]> = TableDefinition::new("index");
const REGISTERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("registers");
const ROW_BYTES: usize = 16_368;
const CHUNK: u64 = 32;

/// What a ledger stores for one append: how many bytes of an entry, and which registers.
pub(crate) struct Stored {
    entry: Vec<u8>,
    registers: Vec<(RegisterKey, Bytes)>,
}

impl Stored {
    /// What the appends of one call store, found by making that call.
    pub(crate) async fn by(runtime: &Runtime, run: &Run, intent: Intent) -> Result<Vec<Self>, Failed> {
        Self::of(runtime, run, async { commit(run, intent).await.map(drop) }).await
    }

    /// What the appends of some work on a run store, found by doing it.
    pub(crate) async fn of(
        runtime: &Runtime,
        run: &Run,
        work: impl Future<Output = Result<(), Failed>>,
    ) -> Result<Vec<Self>, Failed> {
        let ledger = runtime.ledger();
        let registers = || ledger.registers(&[], None, usize::MAX);
        let (before, (seq, _)) = (registers().await?, run.head().await);
        work.await?;
        let changed: Vec<_> = registers().await?.into_iter().filter(|register| !before.contains(register)).collect();
        let entries = ledger.read(&run.id(), seq + 1, usize::MAX).await?;
        Ok(entries.iter().map(|entry| Self { entry: vec![7; bytes(entry)], registers: changed.clone() }).collect())
    }

    pub(crate) fn entry_bytes(&self) -> usize {
        self.entry.len()
    }
}

/// How many bytes an entry takes in a row.
fn bytes(entry: &Entry) -> usize {
    let blob = |blob: &StoredBlob| match blob {
        StoredBlob::Present(blob) => 1 + 16 + 4 + blob.bytes.len(),
        StoredBlob::Erased(_) => 1 + 32,
    };
    let signature = entry.signature.map_or(1, |_| 1 + 64);
    4 + HEADER_BYTES + signature + 4 + entry.record.len() + 4 + entry.blobs.iter().map(blob).sum::<usize>()
}

/// A plain file of the same storage engine, to commit the same rows to the same tables with nothing around.
pub(crate) struct Rows {
    database: Database,
    position: u64,
    row: (u64, Vec<u8>),
    seq: u64,
}

impl Rows {
    pub(crate) fn create(path: &Path) -> Result<Self, Failed> {
        Ok(Self { database: Database::create(path)?, position: 0, row: (0, Vec::new()), seq: 0 })
    }

    /// Commits one append of each of `trajectories` trajectories as one durable transaction of two phases.
    pub(crate) fn commit(&mut self, stored: &Stored, trajectories: u32) -> Result<(), Failed> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            let (mut heads, mut index) = (transaction.open_table(HEADS)?, transaction.open_table(INDEX)?);
            let mut registers = transaction.open_table(REGISTERS)?;
            let mut full = Vec::new();
            for number in 0..trajectories {
                if self.row.1.len() + stored.entry.len() > ROW_BYTES {
                    full.push(std::mem::replace(&mut self.row, (self.position, Vec::new())));
                }
                self.row.1.extend_from_slice(&stored.entry);
                self.position += 1;
                let trajectory = blake3::hash(&number.to_be_bytes());
                let open = 8 * (self.seq % CHUNK + 1) as usize;
                heads.insert(trajectory.as_bytes(), vec![7; 40 + open].as_slice())?;
                if self.seq.is_multiple_of(CHUNK) {
                    let mut key = [0; 40];
                    let (of, chunk) = key.split_at_mut(32);
                    of.copy_from_slice(trajectory.as_bytes());
                    chunk.copy_from_slice(&(self.seq / CHUNK).to_be_bytes());
                    index.insert(&key, [7; 8 * CHUNK as usize].as_slice())?;
                }
                for (key, value) in &stored.registers {
                    // All runs have their part of one total.
                    let shared = Register::of(key) == Some(Register::Total);
                    let own = if shared { vec![] } else { number.to_be_bytes().to_vec() };
                    let key = [key.as_bytes(), &own].concat();
                    registers.insert(key.as_slice(), &**value)?;
                }
            }
            // The row that was there grows; those after it are added behind, which packs pages full.
            let mut rows = full.iter().chain([&self.row]);
            if let Some((first, row)) = rows.next() {
                entries.insert(first, row.as_slice())?;
            }
            let mut cursor = entries.upper_bound_mut(Bound::<u64>::Unbounded)?;
            for (first, row) in rows {
                cursor.insert_before(*first, row.as_slice())?;
            }
            cursor.close()?;
        }
        transaction.commit()?;
        self.seq += 1;
        Ok(())
    }
}

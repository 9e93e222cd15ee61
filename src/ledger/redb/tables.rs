use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::error::{damaged, storage};
use crate::ledger::StoreError;

/// A trajectory's id and the number of a chunk, or the seq of a snapshot.
pub(super) type ChunkKey = [u8; 40];

pub(super) const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
pub(super) const HEADS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("heads");
pub(super) const INDEX: TableDefinition<'_, &ChunkKey, &[u8]> = TableDefinition::new("index");
pub(super) const SNAPSHOTS: TableDefinition<'_, &ChunkKey, &[u8]> = TableDefinition::new("snapshots");
pub(super) const REGISTERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("registers");

const LAYOUT: &str = "layout";
/// In the first version no record is packed, and there are no snapshots; it is read as it is, and brought to this one where
/// it is written.
const LAYOUT_VERSIONS: std::ops::RangeInclusive<u32> = 1..=LAYOUT_VERSION;
const LAYOUT_VERSION: u32 = 2;

/// Lays out an empty file, or brings one that is not to the layout that this build writes. Returns whether that took anything.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<bool, StoreError> {
    let empty = transaction.list_tables().map_err(storage)?.next().is_none();
    let mut meta = transaction.open_table(META).map_err(storage)?;
    if empty {
        meta.insert(LAYOUT, LAYOUT_VERSION).map_err(storage)?;
        transaction.open_table(ENTRIES).map_err(storage)?;
        transaction.open_table(HEADS).map_err(storage)?;
        transaction.open_table(INDEX).map_err(storage)?;
        transaction.open_table(REGISTERS).map_err(storage)?;
        transaction.open_table(SNAPSHOTS).map_err(storage)?;
    }
    let old = check_layout(&meta)? != LAYOUT_VERSION;
    if old {
        // Earlier builds must not take packed records for damaged ones.
        meta.insert(LAYOUT, LAYOUT_VERSION).map_err(storage)?;
        transaction.open_table(SNAPSHOTS).map_err(storage)?;
    }
    Ok(empty || old)
}

/// Checks that the file is a ledger of a layout that this build reads, and returns its version.
pub(super) fn check_layout(meta: &impl ReadableTable<&'static str, u32>) -> Result<u32, StoreError> {
    match meta.get(LAYOUT).map_err(storage)?.map(|version| version.value()) {
        Some(version) if LAYOUT_VERSIONS.contains(&version) => Ok(version),
        Some(other) => Err(damaged(format!("layout version {other}, and this build reads up to {LAYOUT_VERSION}"))),
        None => Err(damaged("the file is not a ledger")),
    }
}

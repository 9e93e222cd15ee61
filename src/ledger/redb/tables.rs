use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::error::{damaged, storage};
use crate::ledger::StoreError;

/// A trajectory's id and the number of a chunk.
pub(super) type ChunkKey = [u8; 40];

pub(super) const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
pub(super) const HEADS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("heads");
pub(super) const INDEX: TableDefinition<'_, &ChunkKey, &[u8]> = TableDefinition::new("index");
pub(super) const REGISTERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("registers");

const LAYOUT: &str = "layout";
const LAYOUT_VERSION: u32 = 1;

/// Lays out an empty file, or checks the layout of one that is not. Returns whether the file was empty.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<bool, StoreError> {
    let empty = transaction.list_tables().map_err(storage)?.next().is_none();
    let mut meta = transaction.open_table(META).map_err(storage)?;
    if empty {
        meta.insert(LAYOUT, LAYOUT_VERSION).map_err(storage)?;
        transaction.open_table(ENTRIES).map_err(storage)?;
        transaction.open_table(HEADS).map_err(storage)?;
        transaction.open_table(INDEX).map_err(storage)?;
        transaction.open_table(REGISTERS).map_err(storage)?;
    }
    check_layout(&meta).map(|()| empty)
}

/// Checks that the file is a ledger of the layout that this build reads.
pub(super) fn check_layout(meta: &impl ReadableTable<&'static str, u32>) -> Result<(), StoreError> {
    match meta.get(LAYOUT).map_err(storage)?.map(|version| version.value()) {
        Some(LAYOUT_VERSION) => Ok(()),
        Some(other) => Err(damaged(format!("layout version {other}, and this build reads version {LAYOUT_VERSION}"))),
        None => Err(damaged("the file is not a ledger")),
    }
}

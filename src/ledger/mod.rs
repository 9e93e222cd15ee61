//! Append-only, content-addressed, hash-chained entries: their bytes, their records, and the stores that keep them.
//!
//! An [`Entry`] is a fixed binary [`Header`], a record (sealed JSON, one type per [`Kind`] in [`record`]), the blobs that
//! the record commits to, and a signature over the header's hash. A [`LedgerStore`] appends whole [`Batch`]es: it links,
//! compares registers and persists; it does not interpret records.

mod authority;
#[cfg(feature = "conformance")]
pub mod conformance;
mod entry;
mod header;
mod kind;
mod memory;
pub mod record;
#[cfg(feature = "redb")]
pub mod redb;
pub mod register;
mod store;

pub use authority::{AuthorityError, AuthorityState, Compromised, Reset};
pub use entry::{Draft, Entry, EntryError, StoredBlob};
pub use header::{FORMAT, HEADER_BYTES, Header, HeaderError};
pub use kind::Kind;
pub use memory::MemoryLedger;
pub use register::{Register, RegisterKey, RegisterOp};
pub use store::{Batch, Head, LedgerStore, Position, StoreError};

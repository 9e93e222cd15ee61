//! The golden vectors hold: what an implementor in another language checks against, and what no change may alter.
//!
//! Every vector is made anew and compared with its file byte for byte. `THYMOS_BLESS=1 cargo test --test golden` writes
//! the files; a change of one that was released is a change of the format.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on should stop there"
)]

mod authority;
mod canonical;
#[cfg(feature = "schema")]
mod delegated;
mod entries;
#[cfg(feature = "schema")]
mod export;
mod file;
mod fixture;
mod forged;
mod hashes;
mod ids;
#[cfg(feature = "schema")]
mod rotated;
mod run;
mod signatures;
#[cfg(feature = "schema")]
mod tools;
#[cfg(feature = "schema")]
mod undone;
mod worlds;
mod writs;

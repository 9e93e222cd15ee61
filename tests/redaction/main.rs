//! Secrets neither reach the ledger nor leave a tool, and nothing else is touched.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod kernel;

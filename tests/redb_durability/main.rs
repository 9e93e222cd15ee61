//! What the ledger in a file acknowledged survives crashes, failing devices and killed processes, and one process has it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test helper that goes wrong should stop the test"
)]

mod crash;
mod device;
mod files;
mod killed;
mod sharing;
mod workload;

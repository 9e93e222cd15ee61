//! What the ledger in a file acknowledged survives crashes, failing devices and killed processes, and one process has it.

mod crash;
mod device;
mod files;
mod killed;
mod workload;

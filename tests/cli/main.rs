//! The `thymos` command, as its users meet it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod approvals;
mod authority;
mod bench;
mod contracts;
mod delegation;
mod exports;
mod faults;
mod host;
mod job;
mod keys;
mod outputs;
mod pages;
mod processes;
mod rederive;
mod resolve;
mod rollback;
mod rotation;
mod routing;
mod secrets;
mod simulate;
mod skills;
mod snapshots;
mod usage;
mod whole;

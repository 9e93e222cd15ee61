//! The `thymos` command, as its users meet it.

mod authority;
mod exports;
mod host;
mod job;
mod keys;
mod processes;
mod usage;

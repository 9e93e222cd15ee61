//! What the work cannot do without, done by itself.

mod entry;
mod log;
mod rows;
mod signing;

pub(super) use entry::Parts;
pub(super) use log::Log;
pub(super) use rows::{Rows, Stored};
pub(super) use signing::Signing;

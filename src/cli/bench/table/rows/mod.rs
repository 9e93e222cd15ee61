//! The rows, a file for each group.

mod approval;
mod call;
mod command;
mod compile;
mod concurrent;
mod core;
mod disk;
mod durable;
mod flat;
mod fold;
mod memory;
mod replay;
mod writ;

pub(super) use self::core::core;
pub(super) use approval::approval;
pub(super) use call::call;
pub(super) use command::command;
pub(super) use compile::compile;
pub(super) use concurrent::concurrent;
pub(super) use disk::disk;
pub(super) use durable::durable;
pub(super) use flat::flat;
pub(super) use fold::fold;
pub(super) use memory::memory;
pub(super) use replay::replay;
pub(super) use writ::writ;

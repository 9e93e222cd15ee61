//! Stock tools: [`kv`], which touch only the world, and those of a [`Workspace`], which touch the files below one
//! directory.
//!
//! | tool | effect | touches | undone by |
//! |---|---|---|---|
//! | `kv_get` | read | world | |
//! | `kv_set` | write | world | `kv_set` with the old value, or `kv_delete` |
//! | `kv_delete` | write | world | `kv_set` with the old value |
//! | `list_files` | read | host | |
//! | `fs_read` | read | host | |
//! | `grep` | read | host | |
//! | `fs_write` | write | host | `fs_write` with the old content, or `null` |
//!
//! The last four need feature `tools`.

mod kv;
#[cfg(feature = "tools")]
mod workspace;

pub use kv::kv;
#[cfg(feature = "tools")]
pub use workspace::Workspace;

use super::{FnToolBuilder, tool};
use crate::contract::{Effect, Risk, ToolName};

#[expect(clippy::expect_used, reason = "the stock tools' names are constants, and the tests build every one")]
fn stock(name: &'static str, effect: Effect, risk: Risk) -> FnToolBuilder {
    tool(name, effect, risk).expect("a stock tool's name")
}

#[expect(clippy::expect_used, reason = "the stock tools' names are constants, and the tests build every one")]
fn stock_name(name: &'static str) -> ToolName {
    ToolName::new(name).expect("a stock tool's name")
}

//! What narrows a writ: policies in Rust and declarative rules, joined into one hashed set.
//!
//! Deny wins over require-approval, which wins over permit. No matching rule means permit, since the writ is the
//! authority and policy only narrows it. An engine that fails denies.

mod engine;
mod roster;

pub use engine::{PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput};
pub use roster::{Quorum, Roster};

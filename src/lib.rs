#![doc = include_str!("../README.md")]

pub mod approval;
pub mod canon;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cognition;
pub mod commit;
pub mod compile;
pub mod contract;
pub mod crypto;
pub mod delegation;
pub mod execute;
pub mod host;
pub mod intent;
pub mod ledger;
pub mod policy;
pub mod predicate;
pub mod proposal;
pub mod redact;
pub mod replay;
pub mod runtime;
pub mod tool;
pub mod world;
pub mod writ;

pub use cognition::Cognition;
pub use commit::Commit;
pub use intent::Intent;
pub use ledger::LedgerStore;
pub use policy::PolicyEngine;
pub use proposal::Proposal;
pub use runtime::{Run, Runtime, Submitted};
pub use tool::ToolContract;
pub use world::World;
pub use writ::WritChain;

#[cfg(doctest)]
#[doc = include_str!("../docs/approvals.md")]
mod the_page_on_approvals {}

#[cfg(doctest)]
#[doc = include_str!("../docs/delegation.md")]
mod the_page_on_delegation {}

#[cfg(doctest)]
#[doc = include_str!("../docs/undo.md")]
mod the_page_on_undoing {}

#[cfg(doctest)]
#[doc = include_str!("../docs/skills.md")]
mod the_page_on_skills {}

#[cfg(doctest)]
#[doc = include_str!("../docs/writs.md")]
mod the_page_on_writs {}

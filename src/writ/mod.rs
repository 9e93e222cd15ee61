//! The signed capability that is the sole source of authority, and chains of them.
//!
//! A [`WritBody`] says who may do what, for how long and at what cost. Its issuer signs it ([`SignedWrit`]). A writ
//! whose body names a parent is a delegation: its issuer is the parent's subject, and it is no wider than the parent in
//! any dimension. A chain from a root writ to the one in use is read as an [`UnverifiedChain`]; only
//! [`UnverifiedChain::verify`] makes a [`WritChain`] of it.

mod amounts;
mod body;
mod chain;
mod child;
mod limits;
mod mint;
mod pattern;
mod presented;
mod scope;
mod skill;
mod subset;

pub use amounts::{Amounts, Dimension};
pub use body::{Audience, Delegation, SignedWrit, WRIT_FORMAT, Window, WritBody};
pub use chain::{ChainError, UnverifiedChain, WritChain};
pub use child::{ChildBudget, ChildRequest};
pub use limits::{MAX_CHAIN_LINKS, MAX_NAME_BYTES, MAX_PINS, MAX_SCOPES, MAX_STORES};
pub use mint::{IssueError, WritBuilder};
pub use pattern::{PatternError, ToolPattern};
pub use presented::PresentedChain;
pub use scope::Scope;
pub use skill::{
    BoundSkill, Cap, MAX_INSTRUCTIONS_BYTES, MAX_SKILLS, Narrowing, Parameters, Skill, SkillFault, SkillName,
    SkillNameError, narrow,
};
pub use subset::Excess;

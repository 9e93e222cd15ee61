//! OpenThymos
pub mod canon;
pub mod cognition;
pub mod commit;
pub mod contract;
pub mod crypto;
pub mod host;
pub mod intent;
pub mod ledger;
pub mod policy;
pub mod predicate;
pub mod proposal;
pub mod tool;
pub mod world;
pub mod writ;

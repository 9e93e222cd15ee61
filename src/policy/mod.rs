//! What narrows a writ: policies in Rust and declarative rules, joined into one hashed set.
//!
//! Deny wins over require-approval, which wins over permit. No matching rule means permit, since the writ is the
//! authority and policy only narrows it. An engine that fails denies.
//!
//! Rules come in bundles, JSON that a policy issuer signs. A [`SignedBundle`] becomes a [`VerifiedBundle`] before it
//! joins a [`PolicySet`]; a bundle without a signature joins only as an [`UnsignedBundle`]. [`PolicySet::check`] refuses
//! rules that can never fire on the tools at hand, and [`PolicySet::evaluate`] judges a call.

mod arguments;
mod bundle;
mod check;
mod coordination;
mod definition;
mod engine;
mod evaluate;
mod field;
mod gates;
mod input;
mod roster;
mod rules;
mod set;
pub mod stock;

pub use bundle::{BundleError, SignedBundle, UnsignedBundle, VerifiedBundle};
pub use check::RuleFault;
pub use coordination::Coordination;
pub use definition::{BundleEntry, DefinitionError, PolicySetDefinition};
pub use engine::{ChildRun, PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput};
pub use evaluate::Evaluation;
pub use gates::Gates;
pub use roster::{MAX_APPROVERS, MAX_CHANNELS, Quorum, Roster, RosterError, SignedRoster, VerifiedRoster};
pub use rules::{Bundle, MAX_NAME_BYTES, MAX_REASON_BYTES, MAX_RULES, Rule};
pub use set::{PolicySet, PolicySetBuilder};

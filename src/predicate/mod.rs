//! Conditions over named fields: `{field, op, value}` joined by `all`, `any` and `not`, in three-valued logic.
//!
//! Writ scopes and policy rules share this language. A field that is absent, or of another type than the value it is
//! compared with, makes a leaf *unknown*. Unknown spreads as in Kleene's logic: `all` with a false member is false,
//! `any` with a true member is true, `not` of unknown is unknown. Each user decides what unknown means, never in favour
//! of the action.

mod evaluate;
mod field;
mod json;

pub use evaluate::{Fields, Truth};
pub use field::{FieldError, FieldPath};
pub use json::PredicateError;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A condition over fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// True when all members are; true when there are none.
    All(Vec<Predicate>),
    /// True when some member is; false when there are none.
    Any(Vec<Predicate>),
    /// True when the member is false.
    Not(Box<Predicate>),
    /// One comparison.
    Leaf(Leaf),
}

/// One comparison of a field with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// The field.
    pub field: FieldPath,
    /// How it is compared.
    pub op: Op,
    /// What it is compared with.
    pub value: Value,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal: same type, same value.
    Eq,
    /// Not equal: same type, another value.
    Ne,
    /// Greater: two numbers, or two strings by their UTF-8 bytes.
    Gt,
    /// Less.
    Lt,
    /// Greater or equal.
    Gte,
    /// Less or equal.
    Lte,
    /// A string contains the value, or an array has it as an element.
    Contains,
    /// A string starts with the value.
    StartsWith,
    /// The field equals an element of the value, which is an array.
    In,
}

impl Predicate {
    /// Calls `visit` for every leaf, from left to right.
    pub fn leaves<'a>(&'a self, visit: &mut dyn FnMut(&'a Leaf)) {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().for_each(|member| member.leaves(visit)),
            Self::Not(member) => member.leaves(visit),
            Self::Leaf(leaf) => visit(leaf),
        }
    }
}

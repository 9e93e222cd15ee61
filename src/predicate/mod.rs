//! Conditions over named fields: `{field, op, value}` joined by `all`, `any` and `not`, in three-valued logic.
//!
//! Writ scopes and policy rules share this language. A field that is absent, or of another type than the value it is
//! compared with, makes a leaf *unknown*. Unknown spreads as in Kleene's logic: `all` with a false member is false,
//! `any` with a true member is true, `not` of unknown is unknown. Each user decides what unknown means, never in favour
//! of the action.

mod evaluate;
mod field;
mod json;
mod limits;

pub(crate) use evaluate::order;
pub use evaluate::{Fields, Truth};
pub(crate) use field::descend;
pub use field::{FieldError, FieldPath};
pub use json::PredicateError;
pub use limits::{MAX_CONDITION_DEPTH, MAX_CONDITION_PARTS, MAX_FIELD_BYTES};

use serde::Serialize;
use serde_json::Value;

/// A condition over fields: as written, or over whatever its user resolved the fields' names to.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate<F = FieldPath> {
    /// True when all members are; true when there are none.
    All(Vec<Predicate<F>>),
    /// True when some member is; false when there are none.
    Any(Vec<Predicate<F>>),
    /// True when the member is false.
    Not(Box<Predicate<F>>),
    /// One comparison.
    Leaf(Leaf<F>),
}

/// One comparison of a field with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf<F = FieldPath> {
    /// The field.
    pub field: F,
    /// How it is compared.
    pub op: Op,
    /// What it is compared with.
    pub value: Value,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

impl Op {
    /// Every comparison with its name in JSON.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Eq, "eq"),
        (Self::Ne, "ne"),
        (Self::Gt, "gt"),
        (Self::Lt, "lt"),
        (Self::Gte, "gte"),
        (Self::Lte, "lte"),
        (Self::Contains, "contains"),
        (Self::StartsWith, "starts_with"),
        (Self::In, "in"),
    ];

    /// The comparison's name in JSON.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, name)| name)
    }
}

impl<F> Predicate<F> {
    /// The same condition over other fields, for users that resolve names once and evaluate often.
    pub fn map<G>(&self, resolve: &mut impl FnMut(&F) -> G) -> Predicate<G> {
        match self {
            Self::All(members) => Predicate::All(members.iter().map(|member| member.map(resolve)).collect()),
            Self::Any(members) => Predicate::Any(members.iter().map(|member| member.map(resolve)).collect()),
            Self::Not(member) => Predicate::Not(Box::new(member.map(resolve))),
            Self::Leaf(Leaf { field, op, value }) => {
                Predicate::Leaf(Leaf { field: resolve(field), op: *op, value: value.clone() })
            }
        }
    }

    /// Calls `visit` for every leaf, from left to right.
    pub fn leaves<'a>(&'a self, visit: &mut dyn FnMut(&'a Leaf<F>)) {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().for_each(|member| member.leaves(visit)),
            Self::Not(member) => member.leaves(visit),
            Self::Leaf(leaf) => visit(leaf),
        }
    }
}

//! Whether comparisons of one field can hold together. Says no only when they certainly cannot.

use std::cmp::Ordering;

use serde_json::Value;

use super::domain::{Domain, Types};
use crate::{
    policy::field::Field,
    predicate::{Leaf, Op, Truth, order},
};

/// A comparison, and whether it has to be true or false.
pub(super) type Literal<'a> = (&'a Leaf<Field>, bool);

/// Whether some value of the domain gives every comparison the truth that it has to have.
pub(super) fn satisfiable(domain: &Domain, literals: &[Literal<'_>]) -> bool {
    let types = literals.iter().fold(domain.types, |types, (leaf, wanted)| types.and(judged(leaf, *wanted)));
    if types == Types::NONE {
        return false;
    }
    let meets = |value: &Value, (leaf, wanted): &Literal<'_>| {
        leaf.test(value) == if *wanted { Truth::True } else { Truth::False }
    };
    if let Some(listed) = &domain.listed {
        let asks = |literal: &&Literal<'_>| literal.1 == (literal.0.op != Op::Ne);
        if !listed.iter().any(|value| literals.iter().filter(asks).all(|literal| meets(value, literal))) {
            return false;
        }
    }
    let few = [Value::Null, Value::Bool(false), Value::Bool(true)];
    let named = literals.iter().find_map(|literal| candidates(literal));
    let candidates = match (&domain.words, named) {
        (Some(words), _) => words.as_slice(),
        (None, Some(values)) => values,
        (None, None) if types.within(Types::NULL.or(Types::BOOLEAN)) => &few,
        (None, None) => return bounds_meet(literals) && starts_agree(literals),
    };
    let fits = |value: &Value| literals.iter().all(|literal| meets(value, literal));
    candidates.iter().any(|value| Types::of(value).within(types) && fits(value))
}

/// The types of values for which the comparison is `wanted`, and not unknown.
fn judged(leaf: &Leaf<Field>, wanted: bool) -> Types {
    match (leaf.op, &leaf.value) {
        (Op::Eq | Op::Ne, value) => Types::of(value),
        (Op::Gt | Op::Lt | Op::Gte | Op::Lte, Value::Number(_)) => Types::NUMBER,
        (Op::Gt | Op::Lt | Op::Gte | Op::Lte | Op::StartsWith, Value::String(_)) => Types::STRING,
        (Op::Contains, Value::String(_)) => Types::STRING.or(Types::ARRAY),
        (Op::Contains, _) => Types::ARRAY,
        (Op::In, Value::Array(items)) if items.is_empty() && !wanted => Types::ALL,
        (Op::In, Value::Array(items)) => items.iter().fold(Types::NONE, |types, item| types.or(Types::of(item))),
        (Op::Gt | Op::Lt | Op::Gte | Op::Lte | Op::StartsWith | Op::In, _) => Types::NONE,
    }
}

/// The only values that the comparison leaves, where it names them.
fn candidates<'a>((leaf, wanted): &Literal<'a>) -> Option<&'a [Value]> {
    match (leaf.op, wanted) {
        (Op::Eq, true) | (Op::Ne, false) => Some(std::slice::from_ref(&leaf.value)),
        (Op::In, true) => leaf.value.as_array().map(Vec::as_slice),
        _ => None,
    }
}

/// Whether the bounds leave something between them. All bounds are of one type by now.
fn bounds_meet(literals: &[Literal<'_>]) -> bool {
    // A bound is a value, and whether the value itself is out.
    let side = |above: bool| {
        literals.iter().filter_map(move |(leaf, wanted)| match (leaf.op, wanted) {
            (Op::Gt, true) | (Op::Lte, false) if above => Some((&leaf.value, true)),
            (Op::Gte, true) | (Op::Lt, false) if above => Some((&leaf.value, false)),
            (Op::Lt, true) | (Op::Gte, false) if !above => Some((&leaf.value, true)),
            (Op::Lte, true) | (Op::Gt, false) if !above => Some((&leaf.value, false)),
            _ => None,
        })
    };
    side(true).all(|(low, low_out)| {
        side(false).all(|(high, high_out)| match order(low, high) {
            Some(Ordering::Less) | None => true,
            Some(Ordering::Equal) => !low_out && !high_out,
            Some(Ordering::Greater) => false,
        })
    })
}

/// Whether one text can start with all that it has to start with.
fn starts_agree(literals: &[Literal<'_>]) -> bool {
    let starts: Vec<_> = literals
        .iter()
        .filter(|(leaf, wanted)| leaf.op == Op::StartsWith && *wanted)
        .filter_map(|(leaf, _)| leaf.value.as_str())
        .collect();
    starts.iter().all(|one| starts.iter().all(|other| one.starts_with(other) || other.starts_with(one)))
}

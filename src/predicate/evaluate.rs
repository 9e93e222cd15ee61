use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{FieldPath, Leaf, Op, Predicate};

/// The outcome of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// A field was absent or of another type, and the rest did not settle it.
    Unknown,
}

/// Where a condition's fields come from.
pub trait Fields<F = FieldPath> {
    /// The value of a field, or `None` when it is absent.
    fn field(&self, path: &F) -> Option<Cow<'_, Value>>;

    /// Whether a member of an `any` counts; one that does not is left out, as if it were not written. All do by default.
    fn considers(&self, _alternative: &Predicate<F>) -> bool {
        true
    }
}

impl<F> Predicate<F> {
    /// Evaluates the condition.
    pub fn evaluate(&self, fields: &dyn Fields<F>) -> Truth {
        match self {
            Self::All(members) => join(members.iter(), fields, Truth::False, Truth::True),
            Self::Any(members) => {
                let counted = members.iter().filter(|member| fields.considers(member));
                join(counted, fields, Truth::True, Truth::False)
            }
            Self::Not(member) => match member.evaluate(fields) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
            },
            Self::Leaf(leaf) => leaf.evaluate(fields),
        }
    }
}

fn join<'a, F: 'a>(
    members: impl Iterator<Item = &'a Predicate<F>>,
    fields: &dyn Fields<F>,
    settles: Truth,
    otherwise: Truth,
) -> Truth {
    let mut truth = otherwise;
    for member in members {
        match member.evaluate(fields) {
            found if found == settles => return settles,
            Truth::Unknown => truth = Truth::Unknown,
            _ => {}
        }
    }
    truth
}

impl<F> Leaf<F> {
    fn evaluate(&self, fields: &dyn Fields<F>) -> Truth {
        fields.field(&self.field).map_or(Truth::Unknown, |found| self.test(&found))
    }

    /// Compares a value that the field may have.
    pub(crate) fn test(&self, found: &Value) -> Truth {
        let order = || order(found, &self.value);
        let holds = match self.op {
            Op::Eq => equal(found, &self.value),
            Op::Ne => equal(found, &self.value).map(|equal| !equal),
            Op::Gt => order().map(Ordering::is_gt),
            Op::Lt => order().map(Ordering::is_lt),
            Op::Gte => order().map(Ordering::is_ge),
            Op::Lte => order().map(Ordering::is_le),
            Op::Contains => match (found, &self.value) {
                (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
                (Value::Array(items), value) => among(value, items),
                _ => None,
            },
            Op::StartsWith => match (found, &self.value) {
                (Value::String(text), Value::String(start)) => Some(text.starts_with(start.as_str())),
                _ => None,
            },
            Op::In => self.value.as_array().and_then(|items| among(found, items)),
        };
        match holds {
            Some(true) => Truth::True,
            Some(false) => Truth::False,
            None => Truth::Unknown,
        }
    }
}

/// Whether `value` equals an item; unknown when no item has its type, unless there are no items at all.
fn among(value: &Value, items: &[Value]) -> Option<bool> {
    let mut known = items.is_empty();
    for item in items {
        match equal(value, item) {
            Some(true) => return Some(true),
            Some(false) => known = true,
            None => {}
        }
    }
    known.then_some(false)
}

fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        // Sealed numbers are within ±(2^53 − 1), so doubles compare them exactly.
        (Value::Number(a), Value::Number(b)) => Some(a.as_f64()? == b.as_f64()?),
        (Value::Array(a), Value::Array(b)) => {
            Some(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b) == Some(true)))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, value)| b.get(key).is_some_and(|other| equal(value, other) == Some(true));
            Some(a.len() == b.len() && a.iter().all(same))
        }
        (Value::Null, Value::Null) => Some(true),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::String(a), Value::String(b)) => Some(a == b),
        _ => None,
    }
}

pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

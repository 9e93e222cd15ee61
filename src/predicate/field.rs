use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use super::MAX_FIELD_BYTES;
use crate::canon::shown;

/// A field's name that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: expected {expected} at byte {at}")]
pub struct FieldError {
    /// The name as given, cut after 160 characters.
    pub field: String,
    /// What was expected.
    pub expected: &'static str,
    /// Where.
    pub at: usize,
}

/// The name of a field: steps joined by dots, such as `args.amount` or `world.kv["a.b"].version`.
///
/// A step is a name of `[A-Za-z0-9_-]`, or a JSON string in brackets where it has other characters. A step into an array
/// is its index in decimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: String,
    steps: Vec<String>,
}

impl FieldPath {
    /// Reads a field's name.
    ///
    /// # Errors
    /// When it is empty, longer than [`MAX_FIELD_BYTES`], or a step is neither a plain name nor a JSON string in brackets.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let error = |rest: &str, expected| FieldError { field: shown(text), expected, at: text.len() - rest.len() };
        if text.len() > MAX_FIELD_BYTES {
            return Err(FieldError {
                field: shown(text),
                expected: "at most 512 bytes, found more",
                at: MAX_FIELD_BYTES,
            });
        }
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
            let (name, tail) = rest.split_at(end);
            if name.is_empty() {
                return Err(error(rest, "a name"));
            }
            steps.push(name.to_owned());
            rest = tail;
            while let Some(quoted) = rest.strip_prefix('[') {
                let mut strings = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
                let Some(Ok(step)) = strings.next() else {
                    return Err(error(quoted, "a JSON string"));
                };
                let after = quoted.get(strings.byte_offset()..).unwrap_or_default();
                rest = after.strip_prefix(']').ok_or_else(|| error(after, "`]`"))?;
                steps.push(step);
            }
            match rest.strip_prefix('.') {
                Some(next) => rest = next,
                None if rest.is_empty() => {
                    return Ok(Self { text: text.into(), steps });
                }
                None => return Err(error(rest, "`.`, `[` or the end")),
            }
        }
    }

    /// The steps, unquoted.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &str> {
        self.steps.iter().map(String::as_str)
    }

    /// The step at `index`.
    pub fn step(&self, index: usize) -> Option<&str> {
        self.steps.get(index).map(String::as_str)
    }

    /// Follows the steps after the first `skip` into a value.
    pub fn descend<'a>(&self, skip: usize, value: &'a Value) -> Option<&'a Value> {
        self.steps.get(skip..).and_then(|steps| descend(steps, value))
    }
}

/// Follows steps into a value: names into objects, decimal indices into arrays.
pub(crate) fn descend<'a>(steps: &[String], value: &'a Value) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

//! The JSON form: `{"field":…,"op":…,"value":…}`, `{"all":[…]}`, `{"any":[…]}`, `{"not":…}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::Value;

use super::{FieldPath, Leaf, Op, Predicate};
use crate::canon::shown;

/// JSON that is not one condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a condition is one of `all`, `any`, `not`, or `field` with `op` and `value`; found {found}")]
pub struct PredicateError {
    /// The members that were found.
    pub found: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    all: Option<Vec<Predicate>>,
    any: Option<Vec<Predicate>>,
    not: Option<Box<Predicate>>,
    field: Option<FieldPath>,
    op: Option<Op>,
    // Absent and null differ here: a leaf may compare with null.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(op, _)| op).ok_or_else(|| {
            let names = Self::ALL.map(|(_, known)| known).join(", ");
            D::Error::custom(format!("unknown operator `{}`: expected one of {names}", shown(&name)))
        })
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl TryFrom<Members> for Predicate {
    type Error = PredicateError;

    fn try_from(members: Members) -> Result<Self, PredicateError> {
        match members {
            Members { all: Some(all), any: None, not: None, field: None, op: None, value: None } => Ok(Self::All(all)),
            Members { all: None, any: Some(any), not: None, field: None, op: None, value: None } => Ok(Self::Any(any)),
            Members { all: None, any: None, not: Some(not), field: None, op: None, value: None } => Ok(Self::Not(not)),
            Members { all: None, any: None, not: None, field: Some(field), op: Some(op), value: Some(value) } => {
                Ok(Self::Leaf(Leaf { field, op, value }))
            }
            other => {
                let found = [
                    ("all", other.all.is_some()),
                    ("any", other.any.is_some()),
                    ("not", other.not.is_some()),
                    ("field", other.field.is_some()),
                    ("op", other.op.is_some()),
                    ("value", other.value.is_some()),
                ];
                let names = found.iter().filter(|(_, there)| *there).map(|(name, _)| format!("`{name}`"));
                let found = names.collect::<Vec<_>>().join(", ");
                Err(PredicateError { found: if found.is_empty() { "none of them".into() } else { found } })
            }
        }
    }
}

impl<'de> Deserialize<'de> for Predicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Members::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl Serialize for Predicate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(members) => map.serialize_entry("all", members)?,
            Self::Any(members) => map.serialize_entry("any", members)?,
            Self::Not(member) => map.serialize_entry("not", member)?,
            Self::Leaf(leaf) => {
                map.serialize_entry("field", &leaf.field)?;
                map.serialize_entry("op", &leaf.op)?;
                map.serialize_entry("value", &leaf.value)?;
            }
        }
        map.end()
    }
}

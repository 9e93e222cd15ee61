//! What values a field may have, as far as that is known before a call.

use serde_json::{Value, json};

use super::refute::Blame;
use crate::{
    contract::{Contract, Effect},
    intent::IntentKind,
    policy::{
        arguments::{Declared, resolve},
        field::{Field, Source, Text},
    },
};

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const NUMBER: Self = Self(4);
    pub(super) const STRING: Self = Self(8);
    pub(super) const ARRAY: Self = Self(16);
    pub(super) const OBJECT: Self = Self(32);
    pub(super) const ALL: Self = Self(63);

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// Those of a schema's `type`; all for words that it does not know.
    fn named(name: &Value) -> Self {
        match name.as_str() {
            Some("null") => Self::NULL,
            Some("boolean") => Self::BOOLEAN,
            Some("number" | "integer") => Self::NUMBER,
            Some("string") => Self::STRING,
            Some("array") => Self::ARRAY,
            Some("object") => Self::OBJECT,
            _ => Self::ALL,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl std::fmt::Display for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [
            (Self::NULL, "null"),
            (Self::BOOLEAN, "a boolean"),
            (Self::NUMBER, "a number"),
            (Self::STRING, "a string"),
            (Self::ARRAY, "an array"),
            (Self::OBJECT, "an object"),
        ];
        let names: Vec<_> = words.iter().filter(|(types, _)| types.within(*self)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(" or "))
    }
}

/// The values that a field may have: of these types, and one of these where they are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Domain {
    pub(super) types: Types,
    pub(super) values: Option<Vec<Value>>,
}

impl Domain {
    fn types(types: Types) -> Self {
        Self { types, values: None }
    }

    fn values(values: Vec<Value>) -> Self {
        let types = values.iter().fold(Types::NONE, |types, value| types.or(Types::of(value)));
        Self { types, values: Some(values) }
    }

    fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::values(words.into_iter().map(Value::from).collect())
    }
}

/// How much of a tool is taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Knowledge {
    Nothing,
    Name,
    Classes,
    Arguments,
    Types,
}

impl Knowledge {
    pub(super) const LEVELS: [Self; 4] = [Self::Name, Self::Classes, Self::Arguments, Self::Types];

    /// Says of a blame that the last tools dropped out for it.
    pub(super) fn explain(self, mut blame: Blame, tools: usize) -> Blame {
        if self == Self::Name {
            blame.reason = format!("no registered tool fits: {}", blame.reason);
        } else if tools > 1 {
            blame.reason = format!("none of the {tools} tools that it could judge fits: {}", blame.reason);
        }
        blame
    }
}

/// What is known of the calls that a rule judges.
pub(super) struct View<'a> {
    contract: Option<&'a Contract>,
    knowledge: Knowledge,
    declared: Option<Declared<'a>>,
    arguments: &'a [String],
}

impl<'a> View<'a> {
    /// Calls of any tool.
    pub(super) fn anywhere() -> Self {
        Self { contract: None, knowledge: Knowledge::Nothing, declared: None, arguments: &[] }
    }

    pub(super) fn of(contract: &'a Contract, knowledge: Knowledge, arguments: &'a [String]) -> Self {
        let declared = (knowledge >= Knowledge::Arguments).then(|| Declared::of(&contract.schema));
        Self { contract: Some(contract), knowledge, declared, arguments }
    }

    /// Whether calls may have the argument of that index.
    pub(super) fn has(&self, argument: usize) -> bool {
        match (&self.declared, self.arguments.get(argument)) {
            (Some(declared), Some(name)) => declared.has(name),
            _ => true,
        }
    }

    /// Why calls do not have the argument.
    pub(super) fn lacks(&self, argument: &str) -> String {
        let tool = self.contract.map_or("", |contract| contract.name.as_str());
        let names = self.declared.as_ref().map(Declared::names).unwrap_or_default();
        match names.as_slice() {
            [] => format!("tool `{tool}` has no argument `{argument}`, and no others"),
            names => format!("tool `{tool}` has no argument `{argument}`, but `{}`", names.join("`, `")),
        }
    }

    pub(super) fn domain(&self, field: &Field) -> Domain {
        match &field.source {
            Source::Args(steps) => self.argument(steps),
            Source::Text(text) => self.text(*text),
            Source::Version(_) => Domain::types(Types::NUMBER),
            Source::Value(..) => Domain::types(Types::ALL),
            Source::Nothing(_) => Domain::types(Types::NONE),
        }
    }

    fn text(&self, text: Text) -> Domain {
        let known = |level| self.contract.filter(|_| self.knowledge >= level);
        let classes = known(Knowledge::Classes);
        match (text, classes) {
            (Text::IntentKind, _) => Domain::words(IntentKind::ALL.iter().map(|kind| kind.as_str())),
            (Text::IntentTarget, _) => match known(Knowledge::Name) {
                Some(contract) => Domain::words([contract.name.as_str()]),
                None => Domain::types(Types::STRING),
            },
            (Text::ToolEffect, Some(contract)) => Domain::words([contract.effect.as_str()]),
            (Text::ToolRisk, Some(contract)) => Domain::words([contract.risk.as_str()]),
            (Text::ToolTouches, Some(contract)) => Domain::words([contract.touches.as_str()]),
            (Text::ToolVersion, Some(contract)) => Domain::words([contract.version.as_str()]),
            (Text::ToolEffect | Text::WritEffectCeiling, _) => {
                Domain::words(Effect::ALL.iter().map(|effect| effect.as_str()))
            }
            (Text::ToolRisk, None) => Domain::words(crate::contract::Risk::ALL.iter().map(|risk| risk.as_str())),
            (Text::ToolTouches, None) => {
                Domain::words(crate::contract::Touches::ALL.iter().map(|touches| touches.as_str()))
            }
            _ => Domain::types(Types::STRING),
        }
    }

    fn argument(&self, steps: &[String]) -> Domain {
        let root = match self.contract {
            Some(contract) if self.knowledge >= Knowledge::Types => &contract.schema,
            _ if steps.is_empty() => return Domain::types(Types::OBJECT),
            _ => return Domain::types(Types::ALL),
        };
        let mut schema = root;
        for step in steps {
            // `properties` binds objects only, so it says nothing where the value may be an array.
            let is_object = schema.get("type") == Some(&json!("object"));
            let below = schema.get("properties").filter(|_| is_object).and_then(|properties| properties.get(step));
            let Some(below) = below.and_then(|below| follow(root, below)) else {
                return Domain::types(Types::ALL);
            };
            schema = below;
        }
        let types = match schema.get("type") {
            Some(Value::Array(names)) => names.iter().fold(Types::NONE, |types, name| types.or(Types::named(name))),
            Some(name) => Types::named(name),
            None => Types::ALL,
        };
        let listed = schema.get("enum").and_then(Value::as_array).cloned();
        match schema.get("const").map(|value| vec![value.clone()]).or(listed) {
            Some(values) => Domain::values(values.into_iter().filter(|v| Types::of(v).within(types)).collect()),
            None => Domain::types(types),
        }
    }
}

/// The schema itself, or the one that it refers to; every part of either binds.
fn follow<'a>(root: &'a Value, mut schema: &'a Value) -> Option<&'a Value> {
    for _ in 0..8 {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) if schema.get("type").is_none() => schema = resolve(root, reference)?,
            _ => return Some(schema),
        }
    }
    None
}

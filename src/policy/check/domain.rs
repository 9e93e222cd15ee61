//! What values a field may have, as far as that is known before a call.

use serde_json::{Value, json};

use crate::{
    contract::{Contract, DELEGATE, Effect, Risk, Touches},
    intent::IntentKind,
    policy::{
        arguments::{Declared, resolve},
        field::{ChildField, Field, Source, Text},
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

/// The values that a field may have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Domain {
    pub(super) types: Types,
    /// The only values that there can be.
    pub(super) words: Option<Vec<Value>>,
    /// The only values that there are at the moment: registered tools, the members of a schema's `enum`. A rule may
    /// guard against others, but not ask for others.
    pub(super) listed: Option<Vec<Value>>,
}

impl Domain {
    fn types(types: Types) -> Self {
        Self { types, words: None, listed: None }
    }

    fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self { words: Some(words.into_iter().map(Value::from).collect()), ..Self::types(Types::STRING) }
    }

    fn listed(values: Vec<Value>) -> Self {
        let types = values.iter().fold(Types::NONE, |types, value| types.or(Types::of(value)));
        Self { listed: Some(values), ..Self::types(types) }
    }
}

/// What is known of the calls that a rule judges.
#[derive(Default)]
pub(super) struct View<'a> {
    /// The tools that may be called; any when absent.
    tools: Option<Vec<&'a Contract>>,
    /// The one tool's arguments, once they are taken into account.
    declared: Option<Declared<'a>>,
    /// The schema of the one tool, once types are taken into account.
    schema: Option<&'a Value>,
    /// The names of the arguments that rules read.
    arguments: &'a [String],
}

impl<'a> View<'a> {
    /// Calls of whatever tool.
    pub(super) fn anything() -> Self {
        Self::default()
    }

    /// Calls of one of these tools.
    pub(super) fn tools(tools: Vec<&'a Contract>) -> Self {
        Self { tools: Some(tools), ..Self::default() }
    }

    /// Calls of a tool with the arguments that it declares.
    pub(super) fn arguments(tool: &'a Contract, arguments: &'a [String]) -> Self {
        Self { declared: Some(Declared::of(&tool.schema)), arguments, ..Self::tools(vec![tool]) }
    }

    /// Calls of a tool with arguments of the types that it declares.
    pub(super) fn types(tool: &'a Contract, arguments: &'a [String]) -> Self {
        Self { schema: Some(&tool.schema), ..Self::arguments(tool, arguments) }
    }

    /// Whether calls may have the field: an argument of the tool, or a child in a delegation.
    pub(super) fn has(&self, field: &Field) -> bool {
        match (&field.source, &self.declared, field.argument.and_then(|argument| self.arguments.get(argument))) {
            (Source::Child(_), ..) => {
                self.tools.as_deref().is_none_or(|tools| tools.iter().any(|tool| tool.is_delegate()))
            }
            (_, Some(declared), Some(name)) => declared.has(name),
            _ => true,
        }
    }

    /// Why calls do not have the field.
    pub(super) fn lacks(&self, field: &Field) -> String {
        let Some(argument) = field.source.argument() else {
            return format!("`{}` is of delegations only, and no tool here is `{DELEGATE}`", field.path);
        };
        let tool = self.tools.as_deref().and_then(<[_]>::first).map_or("", |tool| tool.name.as_str());
        let names = self.declared.as_ref().map(Declared::names).unwrap_or_default();
        match names.as_slice() {
            [] => format!("tool `{tool}` has no argument `{argument}`, and no others"),
            names => format!("tool `{tool}` has no argument `{argument}`, but `{}`", names.join("`, `")),
        }
    }

    pub(super) fn domain(&self, field: &Field) -> Domain {
        match &field.source {
            Source::Args(steps) => self.argument(steps),
            Source::Child(field) => child(*field),
            Source::Text(text) => self.text(*text),
            Source::Version(_) => Domain::types(Types::NUMBER),
            Source::Value(..) => Domain::types(Types::ALL),
            Source::Nothing(_) => Domain::types(Types::NONE),
        }
    }

    fn text(&self, text: Text) -> Domain {
        match (text, &self.tools) {
            (Text::IntentKind, _) => Domain::words(IntentKind::ALL.iter().map(|kind| kind.as_str())),
            (Text::IntentTarget, Some(tools)) => {
                Domain::listed(tools.iter().map(|tool| tool.name.as_str().into()).collect())
            }
            (Text::ToolEffect | Text::WritEffectCeiling, _) => {
                Domain::words(Effect::ALL.iter().map(|effect| effect.as_str()))
            }
            (Text::ToolRisk, _) => Domain::words(Risk::ALL.iter().map(|risk| risk.as_str())),
            (Text::ToolTouches, _) => Domain::words(Touches::ALL.iter().map(|touches| touches.as_str())),
            _ => Domain::types(Types::STRING),
        }
    }

    fn argument(&self, steps: &[String]) -> Domain {
        let Some(root) = self.schema else {
            return Domain::types(if steps.is_empty() { Types::OBJECT } else { Types::ALL });
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
            Some(values) => Domain::listed(values.into_iter().filter(|v| Types::of(v).within(types)).collect()),
            None => Domain::types(types),
        }
    }
}

fn child(field: ChildField) -> Domain {
    match field {
        ChildField::EffectCeiling => Domain::words(Effect::ALL.iter().map(|effect| effect.as_str())),
        ChildField::Tools => Domain::types(Types::ARRAY),
        _ => Domain::types(Types::NUMBER),
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

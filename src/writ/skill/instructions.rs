use serde_json::{Map, Value};

use super::{MAX_INSTRUCTIONS_BYTES, Skill};
use crate::{
    canon::{LimitError, cut, shown},
    contract::{ArgumentFault, ParameterSchema, ParameterSchemaError},
};

/// Why a skill cannot be used, or not with these parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkillFault {
    /// More of something than there may be.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The schema of its parameters cannot be used.
    #[error(transparent)]
    Schema(#[from] ParameterSchemaError),
    /// The values break the schema.
    #[error("parameters: {0}")]
    Parameters(ArgumentFault),
    /// The instructions have a place for a parameter that has no value.
    #[error("the instructions need the parameter `{0}`, and it has no value")]
    Missing(String),
}

/// Values of a skill's parameters, as its schema wants them, with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters(Value);

impl Parameters {
    /// The values as JSON, an object.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.as_object().is_none_or(Map::is_empty)
    }
}

impl Skill {
    /// Takes values for the parameters, an object, and the schema's `default`s for what it does not have.
    ///
    /// # Errors
    /// When the skill itself cannot be used, the values break its schema, or the instructions need one that is not there.
    pub fn parameters(&self, values: Value) -> Result<Parameters, SkillFault> {
        self.check()?;
        let mut values = values;
        if let Value::Object(members) = &mut values {
            for (name, schema) in self.declared().into_iter().flatten() {
                if let (false, Some(default)) = (members.contains_key(name), schema.get("default")) {
                    members.insert(name.clone(), default.clone());
                }
            }
        }
        ParameterSchema::new(&self.parameters)?.check(&values).map_err(SkillFault::Parameters)?;
        let mut missing = None;
        let written = self.write(|name| {
            let value = values.get(name);
            if value.is_none() {
                missing.get_or_insert_with(|| shown(name));
            }
            value.map(plain).unwrap_or_default()
        });
        if let Some(name) = missing {
            return Err(SkillFault::Missing(name));
        }
        LimitError::check("bytes of instructions with their parameters", written.len(), MAX_INSTRUCTIONS_BYTES)?;
        Ok(Parameters(values))
    }

    /// The instructions with the values of their parameters. What has no value any more, since it was erased, is `[erased]`.
    ///
    /// They are gone through once: what a value holds is not looked at for places of other parameters.
    pub fn instructions_with(&self, values: &Value) -> String {
        let written = self.write(|name| values.get(name).map_or_else(|| "[erased]".to_owned(), plain));
        cut(written, MAX_INSTRUCTIONS_BYTES)
    }

    fn declared(&self) -> Option<&Map<String, Value>> {
        self.parameters.get("properties")?.as_object()
    }

    /// The declared parameter that stands behind an opening brace, and what follows its closing one.
    fn place<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (name, behind) = text.split_at_checked(text.find(['{', '}'])?)?;
        let behind = behind.strip_prefix('}').filter(|_| self.declared().is_some_and(|all| all.contains_key(name)))?;
        Some((name, behind))
    }

    /// The instructions with something in the place of each `{name}` of a declared parameter; other braces stay.
    fn write(&self, mut value: impl FnMut(&str) -> String) -> String {
        let (mut written, mut rest) = (String::with_capacity(self.instructions.len()), self.instructions.as_str());
        // What is too long already is not made longer.
        while let (Some((before, after)), true) = (rest.split_once('{'), written.len() <= MAX_INSTRUCTIONS_BYTES) {
            written.push_str(before);
            match self.place(after) {
                Some((name, behind)) => {
                    written.push_str(&value(name));
                    rest = behind;
                }
                None => {
                    written.push('{');
                    rest = after;
                }
            }
        }
        written.push_str(rest);
        written
    }
}

/// A value as a text has it: a text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

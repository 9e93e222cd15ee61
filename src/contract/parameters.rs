use serde_json::Value;

use super::{ArgumentFault, schema::Check};

/// A schema of parameters that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema of the parameters: {0}")]
pub struct ParameterSchemaError(pub String);

/// A schema that is no tool's, made ready to check values by the rules and within the bounds of a tool's.
#[derive(Debug)]
pub struct ParameterSchema<'a> {
    schema: &'a Value,
    check: Check,
}

impl<'a> ParameterSchema<'a> {
    /// Compiles a schema.
    ///
    /// # Errors
    /// As [`SealedContract::new`](super::SealedContract::new). Without the feature `schema` nothing would be checked but the shape,
    /// so only a schema that says nothing else is taken.
    pub fn new(schema: &'a Value) -> Result<Self, ParameterSchemaError> {
        if cfg!(not(feature = "schema")) && schema.as_object().is_none_or(|members| members.len() > 1) {
            return Err(ParameterSchemaError("a build without the feature `schema` cannot check them".into()));
        }
        let check = Check::new(schema).map_err(ParameterSchemaError)?;
        Ok(Self { schema, check })
    }

    /// Checks values, an object.
    ///
    /// # Errors
    /// The first place where they break the schema.
    pub fn check(&self, values: &Value) -> Result<(), ArgumentFault> {
        self.check.arguments(self.schema, values)
    }
}

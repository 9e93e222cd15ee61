use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ToolName, bounds::Bounds};
#[cfg(feature = "schema")]
use crate::canon::cut;

/// The most bytes of a pointer into arguments; it is cut there.
#[cfg(feature = "schema")]
const MAX_POINTER_BYTES: usize = 1_024;

/// A contract whose schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema of tool `{tool}`: {reason}")]
pub struct SchemaError {
    /// The tool.
    pub tool: ToolName,
    /// What is wrong.
    pub reason: String,
}

impl SchemaError {
    pub(super) fn new(tool: &ToolName, reason: impl std::fmt::Display) -> Self {
        Self { tool: tool.clone(), reason: reason.to_string() }
    }
}

/// Where and how arguments break their schema. Names keywords, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentFault {
    /// The schema keyword that failed, such as `type` or `required`; `size` where checking would take too long.
    pub keyword: String,
    /// JSON pointer (RFC 6901) into the arguments.
    pub pointer: String,
}

impl std::fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "`{pointer}` breaks `{}`", self.keyword)
    }
}

/// A schema made ready to check arguments.
pub(super) struct Check {
    bounds: Bounds,
    #[cfg(feature = "schema")]
    validator: jsonschema::Validator,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Check")
    }
}

impl Check {
    /// Compiles a schema; an error says what is wrong with it.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        if schema.get("type") != Some(&Value::from("object")) {
            return Err("expected an object schema, `\"type\": \"object\"` at its root".into());
        }
        let bounds = Bounds::of(schema)?;
        #[cfg(feature = "schema")]
        {
            let patterns = jsonschema::PatternOptions::regex().size_limit(super::bounds::MAX_PATTERN_MEMORY);
            let options =
                jsonschema::options().with_draft(jsonschema::Draft::Draft202012).with_pattern_options(patterns);
            let validator = options.build(schema).map_err(|reason| cut(reason.to_string(), MAX_POINTER_BYTES))?;
            Ok(Self { bounds, validator })
        }
        #[cfg(not(feature = "schema"))]
        Ok(Self { bounds })
    }

    pub(super) fn arguments(&self, schema: &Value, args: &Value) -> Result<(), ArgumentFault> {
        self.size(schema, args)?;
        #[cfg(feature = "schema")]
        if !self.validator.is_valid(args) {
            // The validator's order follows the schema's map, which a host's features may reorder: the least counts.
            let faults = self.validator.iter_errors(args).map(|error| ArgumentFault {
                pointer: cut(error.instance_path().to_string(), MAX_POINTER_BYTES),
                keyword: error.kind().keyword().to_owned(),
            });
            let least = faults.min_by(|a, b| (&a.pointer, &a.keyword).cmp(&(&b.pointer, &b.keyword)));
            return Err(least.unwrap_or_else(|| at_root("schema")));
        }
        object(args)
    }

    pub(super) fn shape(&self, schema: &Value, args: &Value) -> Result<(), ArgumentFault> {
        self.size(schema, args)?;
        object(args)
    }

    fn size(&self, schema: &Value, args: &Value) -> Result<(), ArgumentFault> {
        if self.bounds.allow(schema, args) { Ok(()) } else { Err(at_root("size")) }
    }
}

fn object(args: &Value) -> Result<(), ArgumentFault> {
    if args.is_object() { Ok(()) } else { Err(at_root("type")) }
}

fn at_root(keyword: &str) -> ArgumentFault {
    ArgumentFault { keyword: keyword.into(), pointer: String::new() }
}

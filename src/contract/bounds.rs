//! Whether a schema can be compiled and applied in bounded time and memory. A schema may come from anyone.

use serde_json::{Map, Value};

use crate::canon::{LimitError, with_canonical};

/// The most bytes that a schema may have, as sealed JSON.
pub const MAX_SCHEMA_BYTES: usize = 64 << 10;
/// The deepest nesting of schemas in a schema, references followed.
pub const MAX_SCHEMA_DEPTH: usize = 64;
/// The most schemas, listed values and names in a schema, references followed.
pub const MAX_SCHEMA_PARTS: usize = 8_192;
/// The most regular expressions in a schema, references followed.
pub const MAX_SCHEMA_PATTERNS: usize = 64;
/// The most bytes that a regular expression may have in memory.
#[cfg(feature = "schema")]
pub(super) const MAX_PATTERN_MEMORY: usize = 4 << 20;
/// The most steps that checking arguments may take: parts of the schema times values of the arguments, or, for a schema
/// that refers to itself, the schemas that are applied.
pub const MAX_CHECK_STEPS: usize = 1 << 22;
/// The deepest nesting of schemas that are applied, where a schema refers to itself.
const MAX_CHECK_DEPTH: usize = 512;

/// Keywords that hold schemas: how they hold them, and whether they apply to what lies below the value.
const HOLDERS: [(&str, Holds, bool); 21] = [
    ("$ref", Holds::Reference, false),
    ("allOf", Holds::List, false),
    ("anyOf", Holds::List, false),
    ("oneOf", Holds::List, false),
    ("not", Holds::One, false),
    ("if", Holds::One, false),
    ("then", Holds::One, false),
    ("else", Holds::One, false),
    ("dependentSchemas", Holds::Map, false),
    ("dependencies", Holds::Map, false),
    ("properties", Holds::Map, true),
    ("patternProperties", Holds::Map, true),
    ("additionalProperties", Holds::One, true),
    ("unevaluatedProperties", Holds::One, true),
    ("propertyNames", Holds::One, true),
    ("items", Holds::One, true),
    ("prefixItems", Holds::List, true),
    ("additionalItems", Holds::One, true),
    ("unevaluatedItems", Holds::One, true),
    ("contains", Holds::One, true),
    ("contentSchema", Holds::One, true),
];
/// Keywords that give a schema another name, or look for one that depends on the way.
const REFUSED: [&str; 5] = ["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"];

#[derive(Clone, Copy, PartialEq)]
enum Holds {
    One,
    List,
    Map,
    Reference,
}

/// What a schema costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    parts: usize,
    patterns: usize,
    recursive: bool,
}

impl Bounds {
    /// Measures a schema.
    pub(super) fn of(schema: &Value) -> Result<Self, String> {
        let bytes = with_canonical(schema, <[u8]>::len).map_err(|error| error.to_string())?;
        LimitError::check("bytes", bytes, MAX_SCHEMA_BYTES).map_err(|error| error.to_string())?;
        let mut walk = Walk { root: schema, bounds: Self::default(), open: Vec::new() };
        walk.schema(schema, 0, 0)?;
        Ok(walk.bounds)
    }

    /// Whether arguments can be checked in bounded time.
    pub(super) fn allow(&self, schema: &Value, args: &Value) -> bool {
        let mut left = MAX_CHECK_STEPS / self.parts.max(1);
        if self.recursive {
            return apply(schema, schema, args, 0, &mut MAX_CHECK_STEPS.clone()).is_some();
        }
        count(args, &mut left).is_some()
    }
}

/// Counts values, while there are any left.
fn count(value: &Value, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| count(item, left)),
        Value::Object(members) => members.values().try_for_each(|member| count(member, left)),
        _ => Some(()),
    }
}

struct Walk<'a> {
    root: &'a Value,
    bounds: Bounds,
    /// The references that are being followed, and how far below the first value each is applied.
    open: Vec<(&'a str, usize)>,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, schema: &'a Value, depth: usize, below: usize) -> Result<(), String> {
        LimitError::check("levels of schemas", depth, MAX_SCHEMA_DEPTH).map_err(|error| error.to_string())?;
        self.add(1, 0)?;
        let Value::Object(members) = schema else { return Ok(()) };
        if let Some(keyword) = REFUSED.iter().find(|keyword| members.contains_key(**keyword)) {
            return Err(format!("`{keyword}` is not supported: refer by `$ref` to a place such as `#/$defs/name`"));
        }
        if depth > 0 && members.contains_key("$id") {
            return Err("`$id` is supported only at the root".into());
        }
        let listed = |keyword| members.get(keyword).map_or(0, size);
        let patterns = match members.get("patternProperties") {
            Some(Value::Object(patterns)) => patterns.len(),
            _ => 0,
        };
        let listed: usize = ["enum", "const", "required", "dependentRequired"].into_iter().map(listed).sum();
        self.add(listed, patterns + usize::from(members.contains_key("pattern")))?;
        for (keyword, holds, descends) in HOLDERS {
            let Some(held) = members.get(keyword) else { continue };
            if holds == Holds::Reference {
                self.follow(held, depth, below)?;
                continue;
            }
            for schema in schemas(held, holds) {
                self.schema(schema, depth + 1, below + usize::from(descends))?;
            }
        }
        Ok(())
    }

    fn follow(&mut self, reference: &'a Value, depth: usize, below: usize) -> Result<(), String> {
        let Some(reference) = reference.as_str() else { return Err("`$ref` is not text".into()) };
        if let Some((_, from)) = self.open.iter().find(|(open, _)| *open == reference) {
            if *from == below {
                return Err(format!("`$ref` to `{}` leads back to itself", crate::canon::shown(reference)));
            }
            self.bounds.recursive = true;
            return self.add(1, 0);
        }
        let target = resolve(self.root, reference)?;
        self.open.push((reference, below));
        self.schema(target, depth + 1, below)?;
        self.open.pop();
        Ok(())
    }

    fn add(&mut self, parts: usize, patterns: usize) -> Result<(), String> {
        self.bounds.parts += parts;
        self.bounds.patterns += patterns;
        LimitError::check("parts, references followed", self.bounds.parts, MAX_SCHEMA_PARTS)
            .and_then(|()| LimitError::check("regular expressions", self.bounds.patterns, MAX_SCHEMA_PATTERNS))
            .map_err(|error| error.to_string())
    }
}

/// The schemas that a keyword holds.
fn schemas(held: &Value, holds: Holds) -> Vec<&Value> {
    match (held, holds) {
        (Value::Object(schemas), Holds::Map) => schemas.values().collect(),
        // `items` was a list once.
        (Value::Array(schemas), _) => schemas.iter().collect(),
        _ => vec![held],
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 1,
        Value::Object(members) => members.values().map(size).sum::<usize>() + 1,
        _ => 1,
    }
}

/// What a reference refers to: a place in the same schema, as a JSON pointer behind `#`.
fn resolve<'a>(root: &'a Value, reference: &str) -> Result<&'a Value, String> {
    let named = || crate::canon::shown(reference);
    let pointer = reference.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
    let pointer = pointer.filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
    let pointer = pointer.ok_or_else(|| format!("`$ref` to `{}`: expected a place such as `#/$defs/name`", named()))?;
    root.pointer(pointer).ok_or_else(|| format!("`$ref` to `{}`, which is not there", named()))
}

/// Goes the way that a check of a value may go at most; nothing when it is too long or too deep.
fn apply(root: &Value, schema: &Value, value: &Value, depth: usize, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    let (Value::Object(members), true) = (schema, depth < MAX_CHECK_DEPTH) else {
        return (depth < MAX_CHECK_DEPTH).then_some(());
    };
    let depth = depth + 1;
    for (keyword, holds, descends) in HOLDERS {
        let Some(held) = members.get(keyword) else { continue };
        match (holds, descends, value) {
            (Holds::Reference, ..) => {
                let target = held.as_str().and_then(|reference| resolve(root, reference).ok())?;
                apply(root, target, value, depth, left)?;
            }
            (_, false, _) => {
                schemas(held, holds).into_iter().try_for_each(|schema| apply(root, schema, value, depth, left))?;
            }
            (Holds::Map, true, Value::Object(below)) if keyword == "properties" => {
                properties(held, below).try_for_each(|(schema, value)| apply(root, schema, value, depth, left))?;
            }
            (_, true, Value::Object(below)) => {
                let mut each =
                    schemas(held, holds).into_iter().flat_map(|schema| below.values().map(move |v| (schema, v)));
                each.try_for_each(|(schema, value)| apply(root, schema, value, depth, left))?;
            }
            (_, true, Value::Array(below)) => {
                let mut each =
                    schemas(held, holds).into_iter().flat_map(|schema| below.iter().map(move |v| (schema, v)));
                each.try_for_each(|(schema, value)| apply(root, schema, value, depth, left))?;
            }
            _ => {}
        }
    }
    Some(())
}

fn properties<'a>(held: &'a Value, below: &'a Map<String, Value>) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    let schemas = held.as_object().into_iter().flatten();
    schemas.filter_map(|(name, schema)| Some((schema, below.get(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(schema: Value) -> String {
        Bounds::of(&schema).unwrap_err()
    }

    /// Each of `levels` definitions refers twice to the next.
    fn doubling(levels: usize) -> Value {
        let twice =
            |at: usize| json!({"anyOf": [{"$ref": format!("#/$defs/d{at}")}, {"$ref": format!("#/$defs/d{at}")}]});
        let mut definitions: Map<String, Value> = (0..levels).map(|at| (format!("d{at}"), twice(at + 1))).collect();
        definitions.insert(format!("d{levels}"), json!({"type": "object"}));
        json!({"type": "object", "$ref": "#/$defs/d0", "$defs": definitions})
    }

    #[test]
    fn a_schema_that_grows_when_it_is_followed_is_refused() {
        assert!(Bounds::of(&doubling(8)).is_ok());
        assert!(refused(doubling(30)).contains("parts, references followed, and the limit is 8192"));
        assert!(refused(json!({"$ref": "#"})).contains("leads back to itself"));
        assert!(
            refused(json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}))
                .contains("itself")
        );
        assert!(
            refused(json!({"properties": {"a": {"$ref": "https://example.org/schema"}}})).contains("expected a place")
        );
        assert!(refused(json!({"properties": {"a": {"$ref": "#/$defs/none"}}})).contains("not there"));
        assert!(refused(json!({"items": {"$dynamicRef": "#a"}})).contains("not supported"));
        assert!(refused(json!({"enum": ["x".repeat(MAX_SCHEMA_BYTES)]})).contains("bytes, and the limit is 65536"));
        let patterns: Map<String, Value> = (0..65).map(|at| (format!("^{at}$"), json!(true))).collect();
        assert!(refused(json!({"patternProperties": patterns})).contains("65 regular expressions"));
        let deep = (0..70).fold(json!({}), |schema, _| json!({"items": schema}));
        assert!(refused(deep).contains("levels of schemas"));
        // A name is no keyword.
        assert!(Bounds::of(&json!({"properties": {"$anchor": {}, "$id": {}, "$ref": {}}})).is_ok());
    }

    #[test]
    fn arguments_whose_check_would_take_too_long_are_refused() {
        let tree = json!({"$defs": {"t": {"properties": {"next": {"$ref": "#/$defs/t"}}}}, "$ref": "#/$defs/t"});
        let twice = json!({"$defs": {"t": {"allOf": [
            {"properties": {"next": {"$ref": "#/$defs/t"}}}, {"additionalProperties": {"$ref": "#/$defs/t"}},
        ]}}, "$ref": "#/$defs/t"});
        let deep = |depth| (0..depth).fold(json!(1), |args, _| json!({"next": args}));
        let allow = |schema: &Value, args: &Value| Bounds::of(schema).unwrap().allow(schema, args);
        assert!(allow(&tree, &deep(100)) && allow(&twice, &deep(12)));
        assert!(!allow(&twice, &deep(60)));
        let wide = json!({"enum": vec![1; 8_000]});
        assert!(allow(&wide, &json!(vec![1; 100])) && !allow(&wide, &json!(vec![1; 1_000])));
    }
}

//! Which arguments a tool has, as its schema and the call at hand tell.

use serde_json::{Map, Value};

/// The most schemas that are looked through for properties.
const MAX_SCHEMAS: usize = 256;
/// The deepest that schemas are looked through.
const MAX_DEPTH: usize = 16;

/// The arguments that a schema names.
pub(super) struct Declared<'a> {
    properties: Vec<&'a Map<String, Value>>,
    /// The schema could not be looked through, so any name may be an argument.
    open: bool,
}

impl<'a> Declared<'a> {
    pub(super) fn of(schema: &'a Value) -> Self {
        let mut declared = Self { properties: Vec::new(), open: false };
        declared.collect(schema, schema, MAX_DEPTH, &mut 0);
        declared
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.open || self.properties.iter().any(|properties| properties.contains_key(name))
    }

    /// The names, sorted; each once.
    pub(super) fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<_> = self.properties.iter().flat_map(|map| map.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn collect(&mut self, schema: &'a Value, root: &'a Value, depth: usize, seen: &mut usize) {
        *seen += 1;
        let Some(keywords) = schema.as_object() else { return };
        if depth == 0 || *seen > MAX_SCHEMAS {
            self.open = true;
            return;
        }
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => self.properties.push(properties),
                ("allOf" | "anyOf" | "oneOf", Value::Array(members)) => {
                    members.iter().for_each(|member| self.collect(member, root, depth - 1, seen));
                }
                ("dependentSchemas", Value::Object(members)) => {
                    members.values().for_each(|member| self.collect(member, root, depth - 1, seen));
                }
                ("if" | "then" | "else", member) => self.collect(member, root, depth - 1, seen),
                ("$ref", Value::String(reference)) => match resolve(root, reference) {
                    Some(member) => self.collect(member, root, depth - 1, seen),
                    None => self.open = true,
                },
                ("$dynamicRef", _) => self.open = true,
                _ => {}
            }
        }
    }
}

/// Whether a call has the argument: the tool's schema names it, or the call passes it.
pub(super) fn has_argument(schema: &Value, args: &Value, name: &str) -> bool {
    args.get(name).is_some() || Declared::of(schema).has(name)
}

/// The schema that a reference within `root` names.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

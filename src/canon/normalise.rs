use serde_json::Value;

use super::{MAX_DEPTH, MAX_INTEGER, below, write::RESERVED_KEY};

/// A tool's output made fit for sealing, and where it had to be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised {
    /// The value, sealable.
    pub value: Value,
    /// JSON pointers (RFC 6901) of the numbers that became decimal strings.
    pub pointers: Vec<String>,
}

/// Rewrites numbers that sealed JSON refuses as decimal strings, and says where.
///
/// Arguments with such numbers are refused; output cannot be refused after the fact.
pub fn normalise(value: Value) -> Normalised {
    let mut pointers = Vec::new();
    let value = walk(value, 0, &mut String::new(), &mut pointers);
    Normalised { value, pointers }
}

fn walk(value: Value, depth: usize, at: &mut String, pointers: &mut Vec<String>) -> Value {
    if depth > MAX_DEPTH {
        // It cannot be sealed anyway.
        return value;
    }
    let mut below = |step: &str, value: Value, pointers: &mut Vec<String>| {
        below(at, step, |at| walk(value, depth + 1, at, pointers))
    };
    match value {
        Value::Number(number) if !number.as_f64().is_some_and(|float| float.abs() <= MAX_INTEGER as f64) => {
            pointers.push(at.clone());
            Value::String(number.to_string())
        }
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            Value::Array(items.map(|(index, item)| below(&index.to_string(), item, pointers)).collect())
        }
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, field)| {
                    let field = below(&key, field, pointers);
                    (if key.starts_with(RESERVED_KEY) { format!("_{key}") } else { key }, field)
                })
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn large_numbers_become_strings_and_are_named() {
        let Normalised { value, pointers } = normalise(json!({"a/b": [1, 9_007_199_254_740_993_u64], "c": 1e300}));
        assert_eq!(value, json!({"a/b": [1, "9007199254740993"], "c": "1e+300"}));
        assert_eq!(pointers, ["/a~1b/1", "/c"]);
    }
}

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
pub fn normalise(mut value: Value) -> Normalised {
    let mut pointers = Vec::new();
    walk(&mut value, 0, &mut String::new(), &mut pointers);
    Normalised { value, pointers }
}

fn walk(value: &mut Value, depth: usize, at: &mut String, pointers: &mut Vec<String>) {
    if depth > MAX_DEPTH {
        // It cannot be sealed anyway.
        return;
    }
    match value {
        Value::Number(number) if !number.as_f64().is_some_and(|float| float.abs() <= MAX_INTEGER as f64) => {
            pointers.push(at.clone());
            *value = Value::String(number.to_string());
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                below(at, &index.to_string(), |at| walk(item, depth + 1, at, pointers));
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                below(at, key, |at| walk(field, depth + 1, at, pointers));
            }
            if fields.keys().any(|key| key.starts_with(RESERVED_KEY)) {
                let fit = |key: String| if key.starts_with(RESERVED_KEY) { format!("_{key}") } else { key };
                *fields = std::mem::take(fields).into_iter().map(|(key, field)| (fit(key), field)).collect();
            }
        }
        _ => {}
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
        let Normalised { value, pointers } = normalise(json!({"b": 1, (RESERVED_KEY): {"a": 1e300}}));
        assert_eq!(value, json!({"b": 1, format!("_{RESERVED_KEY}"): {"a": "1e+300"}}));
        assert_eq!(pointers, [format!("/{RESERVED_KEY}/a")]);
    }
}

use serde_json::{Map, Number, Value};

use super::{MAX_BLOB_BYTES, ParseError, key, parse};

/// A value as it is read back from `sealed`, the bytes that it was sealed as: `1.0` has become `1`, and members stand in
/// their order. Most values are so already, and are not read again.
pub(crate) fn settle(value: Value, sealed: &[u8]) -> Result<Value, ParseError> {
    if is_settled(&value) { Ok(value) } else { parse(sealed, MAX_BLOB_BYTES) }
}

fn is_settled(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_integer(number),
        Value::Array(items) => items.iter().all(is_settled),
        Value::Object(members) => is_sorted(members) && members.values().all(is_settled),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Whether it is an integer in its one form: `serde_json` may keep numbers as the text that they were read from.
fn is_integer(number: &Number) -> bool {
    let unsigned = || number.as_u64().map(Number::from);
    let signed = || number.as_i64().map(Number::from);
    unsigned().or_else(signed).is_some_and(|integer| integer == *number)
}

/// `serde_json` may keep members in the order in which they were added.
fn is_sorted(members: &Map<String, Value>) -> bool {
    members.keys().is_sorted_by(|a, b| key::compare(a, b).is_lt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon::canonical_value;
    use proptest::prelude::*;
    use serde_json::json;

    fn numbers() -> impl Strategy<Value = Value> {
        let floats = prop_oneof![any::<f64>(), (-9i32..9).prop_map(f64::from), Just(-0.0), Just(1e15), Just(0.5)];
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            floats.prop_map(Value::from),
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let texts = "[a-cé\u{e000}😀]{0,3}";
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), numbers(), texts.prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, move |below| {
            prop_oneof![
                prop::collection::vec(below.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((texts, below), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_settled_value_is_what_its_bytes_read_back_as(value in values()) {
            if let Ok(sealed) = canonical_value(&value) {
                let read = parse(&sealed, MAX_BLOB_BYTES).unwrap();
                let settled = settle(value, &sealed).unwrap();
                // Members count in their order, and numbers by how they are kept.
                prop_assert_eq!(format!("{settled:?}"), format!("{read:?}"));
            }
        }
    }

    #[test]
    fn plain_values_are_not_read_again() {
        assert!(is_settled(&json!({"a": [1, -1, "x", null, true], "b": {"c": u64::from(u32::MAX)}})));
        assert!(!is_settled(&json!({"a": [1.0]})) && !is_settled(&json!(-0.0)));
    }
}

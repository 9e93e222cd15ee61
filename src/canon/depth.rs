use serde_json::Value;

use super::{CanonError, MAX_DEPTH};

/// Refuses what is nested deeper than sealed JSON may be: to be asked before a value from elsewhere is walked.
pub(crate) fn check_depth(value: &Value) -> Result<(), CanonError> {
    if is_within(value, MAX_DEPTH) { Ok(()) } else { Err(CanonError::TooDeep) }
}

/// Whether a value has no more levels than this. It is walked no deeper.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_within(member, levels - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::canon::to_canonical;

    #[test]
    fn what_can_be_sealed_is_not_too_deep_and_nothing_else() {
        let lists = |levels: usize| (0..levels).fold(json!(0), |inner, _| json!([1, inner]));
        let objects = |levels: usize| (0..levels).fold(json!(0), |inner, _| json!({"a": inner, "b": {}}));
        for levels in [0, 1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 500] {
            for value in [lists(levels), objects(levels)] {
                assert_eq!(check_depth(&value), to_canonical(&value).map(drop), "{levels}");
            }
        }
    }
}

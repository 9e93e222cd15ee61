use serde_json::Value;

use super::{CanonError, MAX_DEPTH};

/// Refuses what is nested deeper than sealed JSON may be, without recursion: to be asked before a value from elsewhere is
/// walked.
pub(crate) fn check_depth(value: &Value) -> Result<(), CanonError> {
    let mut left = vec![(value, 0)];
    while let Some((value, around)) = left.pop() {
        let depth = around + 1;
        match value {
            Value::Array(_) | Value::Object(_) if depth > MAX_DEPTH => return Err(CanonError::TooDeep),
            Value::Array(items) => left.extend(items.iter().map(|item| (item, depth))),
            Value::Object(members) => left.extend(members.values().map(|member| (member, depth))),
            _ => {}
        }
    }
    Ok(())
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

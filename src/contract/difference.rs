use serde::Serialize;
use serde_json::Value;

use super::Contract;

/// A part of a contract that is not as it is in another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContractDifference {
    /// Where: a JSON pointer (RFC 6901) into the contract.
    pub pointer: String,
    /// What it was; absent when there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What it is; absent when there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
}

impl Contract {
    /// What of this contract is not as it was in an earlier one, member by member, into the schema.
    ///
    /// # Errors
    /// When a contract cannot be written as JSON.
    pub fn differences(&self, earlier: &Self) -> Result<Vec<ContractDifference>, serde_json::Error> {
        let (was, is) = (serde_json::to_value(earlier)?, serde_json::to_value(self)?);
        let mut differences = Vec::new();
        compare(String::new(), Some(&was), Some(&is), &mut differences);
        Ok(differences)
    }
}

fn compare(pointer: String, was: Option<&Value>, is: Option<&Value>, differences: &mut Vec<ContractDifference>) {
    match (was, is) {
        (Some(Value::Object(were)), Some(Value::Object(are))) => {
            let mut names: Vec<_> = were.keys().chain(are.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                compare(below, were.get(name), are.get(name), differences);
            }
        }
        (was, is) if was == is => {}
        (was, is) => differences.push(ContractDifference { pointer, was: was.cloned(), is: is.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(was: &Value, is: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
        let mut differences = Vec::new();
        compare(String::new(), Some(was), Some(is), &mut differences);
        differences.into_iter().map(|found| (found.pointer, found.was, found.is)).collect()
    }

    #[test]
    fn members_are_compared_and_all_else_as_a_whole() {
        let was = json!({"a": 1, "same": [1], "gone": null, "in": {"x/y~z": [1, 2]}, "was": {"deep": 1}});
        let is = json!({"a": "1", "same": [1], "in": {"x/y~z": [2, 1], "new": 0}, "was": 7});
        let expected = [
            ("/a".into(), Some(json!(1)), Some(json!("1"))),
            ("/gone".into(), Some(Value::Null), None),
            ("/in/new".into(), None, Some(json!(0))),
            ("/in/x~1y~0z".into(), Some(json!([1, 2])), Some(json!([2, 1]))),
            ("/was".into(), Some(json!({"deep": 1})), Some(json!(7))),
        ];
        assert_eq!(found(&was, &is), expected);
        assert_eq!(found(&is, &is), []);
    }
}

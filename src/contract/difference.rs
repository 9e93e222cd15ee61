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

use serde_json::{Map, Value};

use crate::canon::below;

/// The member that makes an object a handle to a secret.
const MEMBER: &str = "$secret";

/// The most bytes that a secret's name may have.
pub const MAX_SECRET_NAME: usize = 128;

/// An object with a member `$secret` that is no handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{pointer}` is no handle to a secret: expected `{{\"$secret\": name}}` alone, with 1 to {MAX_SECRET_NAME} of \
     A-Z a-z 0-9 _ . : / - as its name"
)]
pub struct HandleFault {
    /// JSON pointer (RFC 6901) into the arguments.
    pub pointer: String,
}

/// The name of the secret, where a value is a handle to one.
pub fn handle(value: &Value) -> Option<&str> {
    name(value.as_object()?)
}

fn name(members: &Map<String, Value>) -> Option<&str> {
    let name = members.get(MEMBER)?.as_str()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    let sound = members.len() == 1 && (1..=MAX_SECRET_NAME).contains(&name.len()) && name.bytes().all(fits);
    sound.then_some(name)
}

/// Arguments with `[secret:name]` in place of every handle; `None` when there are no handles.
///
/// # Errors
/// Where an object with a member `$secret` is no handle.
pub fn masked(args: &Value) -> Result<Option<Value>, HandleFault> {
    if !has_handles(args) {
        return Ok(None);
    }
    let mut masked = args.clone();
    mask(&mut masked, &mut String::new())?;
    Ok(Some(masked))
}

fn has_handles(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key(MEMBER) || members.values().any(has_handles),
        Value::Array(items) => items.iter().any(has_handles),
        _ => false,
    }
}

fn mask(value: &mut Value, at: &mut String) -> Result<(), HandleFault> {
    match value {
        Value::Object(members) if members.contains_key(MEMBER) => match name(members) {
            Some(name) => *value = Value::String(format!("[secret:{name}]")),
            None => return Err(HandleFault { pointer: at.clone() }),
        },
        Value::Object(members) => {
            for (key, member) in members {
                below(at, key, |at| mask(member, at))?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                below(at, &index.to_string(), |at| mask(item, at))?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn handles_are_masked_wherever_they_stand() {
        let args = json!({"a": {"$secret": "db/main"}, "b": [1, {"c": {"$secret": "x"}}], "d": "$secret"});
        let masked = masked(&args).unwrap().unwrap();
        assert_eq!(masked, json!({"a": "[secret:db/main]", "b": [1, {"c": "[secret:x]"}], "d": "$secret"}));
        assert_eq!(super::masked(&json!({"a": "$secret", "b": [null]})), Ok(None));
    }

    #[test]
    fn what_resembles_a_handle_is_refused_with_its_place() {
        let long = "n".repeat(MAX_SECRET_NAME + 1);
        for bad in [
            json!({"$secret": 1}),
            json!({"$secret": ""}),
            json!({"$secret": long}),
            json!({"$secret": "a b"}),
            json!({"$secret": "a", "or": "b"}),
            json!({"$secret": {"$secret": "a"}}),
        ] {
            let fault = masked(&json!({"a/b": [0, bad]})).unwrap_err();
            assert_eq!(fault.pointer, "/a~1b/1");
        }
    }
}

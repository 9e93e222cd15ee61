//! Secrets at the tool boundary: put into the arguments of a call, and taken out of all that comes back.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    conclude::Returned,
    guard::{Guarded, guard},
};
use crate::{
    canon::{CanonError, below},
    commit::{Change, Delta},
    contract::ToolName,
    host::Host,
    intent::{SealedIntent, handle},
    proposal::SecretFault,
    redact::{Findings, Redactor, Veil, placeholders},
    tool::ToolOutput,
    world::ResourceId,
};

/// The longest that a store may take for one secret.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// The sizes of a secret in bytes: a shorter one could not be found again in what a tool returns.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 4..=65_536;

/// The arguments that a tool is called with, secrets included, and the veil for what it returns. Only [`fill`] makes one.
pub struct Filled {
    pub(super) args: Value,
    pub(super) veil: Veil,
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filled({:?})", self.veil)
    }
}

/// Puts secrets into the arguments of an intent: those that handles name, from the host's store, and those that stood in
/// the intent itself when it was submitted, from `found`.
///
/// # Errors
/// The first place whose secret cannot be had, or that holds a placeholder which is not of this intent; an object two of whose
/// names would become one, once all in it is looked at.
pub async fn fill(
    intent: &SealedIntent,
    found: &Findings,
    redactor: &Redactor,
    host: &Host,
) -> Result<Filled, SecretFault> {
    let mut args = intent.args().clone();
    let mut names = Vec::new();
    if intent.has_handles() {
        names_in(&args, &mut String::new(), &mut names);
    }
    let mut handles: Vec<(String, _)> = Vec::with_capacity(names.len());
    for (name, pointer) in names {
        if handles.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let asked = async { host.secrets.secret(&name).await };
        match guard(asked, STORE_DEADLINE, None, &*host.timer).await {
            Guarded::Returned(Ok(secret)) if SECRET_BYTES.contains(&secret.expose().len()) => {
                handles.push((name, secret));
            }
            _ => return Err(SecretFault { pointer }),
        }
    }
    let veil = Veil::new(redactor.clone(), handles.iter().cloned(), found.iter());
    let secret = |name: &str| handles.iter().find(|(known, _)| known == name).map(|(_, secret)| secret.expose());
    if !handles.is_empty() || has_placeholders(&args) {
        put(&mut args, &mut String::new(), &secret, found)?;
    }
    Ok(Filled { args, veil })
}

/// Whether a value holds a placeholder.
fn has_placeholders(value: &Value) -> bool {
    let has_some = |text: &str| placeholders(text).next().is_some();
    match value {
        Value::String(text) => has_some(text),
        Value::Array(items) => items.iter().any(has_placeholders),
        Value::Object(members) => members.iter().any(|(key, member)| has_some(key) || has_placeholders(member)),
        _ => false,
    }
}

/// The handles of arguments, and where they stand.
fn names_in(value: &Value, at: &mut String, names: &mut Vec<(String, String)>) {
    match (handle(value), value) {
        (Some(name), _) => names.push((name.to_owned(), at.clone())),
        (None, Value::Object(members)) => {
            members.iter().for_each(|(key, member)| below(at, key, |at| names_in(member, at, names)));
        }
        (None, Value::Array(items)) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| below(at, &index.to_string(), |at| names_in(item, at, names)));
        }
        _ => {}
    }
}

fn put<'a>(
    value: &mut Value,
    at: &mut String,
    secret: &impl Fn(&str) -> Option<&'a str>,
    found: &Findings,
) -> Result<(), SecretFault> {
    let missing = |at: &str| SecretFault { pointer: at.to_owned() };
    if let Some(name) = handle(value) {
        *value = Value::from(secret(name).ok_or_else(|| missing(at))?);
        return Ok(());
    }
    match value {
        Value::String(text) => {
            if let Some(whole) = restored(text, found).ok_or_else(|| missing(at))? {
                *text = whole;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                below(at, &index.to_string(), |at| put(item, at, secret, found))?;
            }
        }
        Value::Object(members) => {
            let mut names = Vec::new();
            for (index, (key, member)) in members.iter_mut().enumerate() {
                let name = below(at, key, |at| {
                    put(member, at, secret, found)?;
                    restored(key, found).ok_or_else(|| missing(at))
                })?;
                names.extend(name.map(|name| (index, name)));
            }
            if !names.is_empty() {
                let mut names = names.into_iter().peekable();
                let mut filled = Map::new();
                for (index, (key, member)) in std::mem::take(members).into_iter().enumerate() {
                    let name = names.next_if(|(renamed, _)| *renamed == index).map_or(key, |(_, name)| name);
                    if filled.insert(name, member).is_some() {
                        return Err(missing(at));
                    }
                }
                *members = filled;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A text with secrets in place of placeholders: `None` when one is not of this intent, `Some(None)` without placeholders.
fn restored(text: &str, found: &Findings) -> Option<Option<String>> {
    let (mut whole, mut end) = (String::new(), 0);
    for place in placeholders(text) {
        whole.push_str(text.get(end..place.start)?);
        whole.push_str(found.plaintext(text.get(place.clone())?)?.expose());
        end = place.end;
    }
    if end == 0 {
        return Some(None);
    }
    whole.push_str(text.get(end..)?);
    // A secret that was found around a placeholder of somebody else's brings it back.
    let foreign = placeholders(&whole).next().is_some();
    (!foreign).then_some(Some(whole))
}

/// Hides a call's secrets in what its tool returned.
pub(super) fn hide(veil: &Veil, returned: Returned) -> Returned {
    match returned {
        Returned::Output(output) => match hide_output(veil, output) {
            Ok(output) => Returned::Output(output),
            Err(unfit) => Returned::Unfit(unfit.to_string()),
        },
        Returned::NotDone(message) => Returned::NotDone(veil.text(&message).into_owned()),
        Returned::Failed(message) => Returned::Failed(veil.text(&message).into_owned()),
        Returned::Panicked(message) => Returned::Panicked(veil.text(&message).into_owned()),
        other @ (Returned::Unfit(_) | Returned::TimedOut | Returned::Cancelled) => other,
    }
}

/// Why an output may not be recorded.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    /// What cannot hold a placeholder holds a secret.
    #[error("{0} holds a secret, and may not be recorded")]
    Secret(&'static str),
    #[error(transparent)]
    Value(#[from] CanonError),
}

fn hide_output(veil: &Veil, output: ToolOutput) -> Result<ToolOutput, Unfit> {
    let ToolOutput { output, delta, cost, undo } = output;
    let change = |change: Change| -> Result<Change, Unfit> {
        Ok(match change {
            Change::Create { resource, value } => {
                Change::Create { resource: hide_id(veil, resource)?, value: veil.value(value)? }
            }
            Change::Replace { resource, version, value } => {
                Change::Replace { resource: hide_id(veil, resource)?, version, value: veil.value(value)? }
            }
            Change::Delete { resource, version } => Change::Delete { resource: hide_id(veil, resource)?, version },
        })
    };
    let undo = match undo {
        Some((tool, args)) => Some((plain_name(veil, tool)?, veil.undo_args(args)?)),
        None => None,
    };
    let delta = Delta(delta.0.into_iter().map(change).collect::<Result<_, _>>()?);
    Ok(ToolOutput { output: veil.value(output)?, delta, cost, undo })
}

fn hide_id(veil: &Veil, resource: ResourceId) -> Result<ResourceId, Unfit> {
    let hidden = veil.text(resource.id());
    if veil.text(resource.kind()) != resource.kind() {
        return Err(Unfit::Secret("the kind of a resource"));
    }
    if hidden == resource.id() {
        return Ok(resource);
    }
    ResourceId::new(resource.kind(), &hidden).map_err(|_| Unfit::Secret("the id of a resource"))
}

fn plain_name(veil: &Veil, tool: ToolName) -> Result<ToolName, Unfit> {
    if veil.text(tool.as_str()) == tool.as_str() { Ok(tool) } else { Err(Unfit::Secret("the name of an undo's tool")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_get_their_secrets_back_and_two_never_become_one() {
        let plaintext = format!("ghp_{}", "Ab1".repeat(12));
        let mut given = json!({ (plaintext.clone()): 1, "b": [plaintext.as_str()] });
        let asked = given.clone();
        let found = Redactor::default().value(&mut given).unwrap();
        assert_ne!(given, asked);
        let put = |value: &mut Value| put(value, &mut String::new(), &|_: &str| None, &found);
        assert!(put(&mut given).is_ok());
        assert_eq!(given, asked);

        let placeholder = &found.iter().next().unwrap().placeholder;
        let mut both = json!({ "in": { (placeholder.as_str()): 1, (plaintext.as_str()): 2 } });
        assert_eq!(put(&mut both), Err(SecretFault { pointer: "/in".into() }));
    }
}

use serde_json::{Map, Value};

use super::{
    finding::Findings,
    names::{Naming, naming},
    placeholder,
    redactor::Redactor,
    strength::{is_stand_in, is_strong},
};

/// The rule's name for JSON members that are secret by name.
const MEMBER: &str = "member";

/// The member of a handle to a secret: its value is a name.
const HANDLE: &str = "$secret";

/// The least entropy of a member whose name only ends as that of a secret.
const ENTROPY: f64 = 2.3;

pub(super) fn redact(redactor: &Redactor, value: &mut Value, findings: &mut Findings) {
    match value {
        Value::String(text) => {
            let (redacted, found) = redactor.text(text);
            if !found.is_empty() {
                *text = redacted.into_owned();
                findings.extend(found);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(redactor, item, findings)),
        Value::Object(members) => {
            rename(members, |name| {
                let (redacted, found) = redactor.text(name);
                let redacted = (!found.is_empty()).then(|| redacted.into_owned());
                findings.extend(found);
                redacted
            });
            for (name, member) in members.iter_mut() {
                if let (false, Some(naming)) = (redactor.is_empty() || name == HANDLE, naming(name)) {
                    hide_named(redactor, naming, member, findings);
                }
                redact(redactor, member, findings);
            }
        }
        _ => {}
    }
}

/// Hides the texts of a member, and of the array that it may be. An object has names of its own.
fn hide_named(redactor: &Redactor, naming: Naming, member: &mut Value, findings: &mut Findings) {
    match member {
        Value::String(text) => {
            let secret = match naming {
                // What only stands for a secret stays, unless a rule says that it is one.
                Naming::Whole => {
                    !placeholder::is_all(text) && (!is_stand_in(text) || !redactor.text(text).1.is_empty())
                }
                Naming::Ending => {
                    is_strong(text, ENTROPY) && !is_stand_in(text) && placeholder::placeholders(text).next().is_none()
                }
            };
            if secret {
                *text = redactor.hide(MEMBER, text, findings);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_named(redactor, naming, item, findings)),
        _ => {}
    }
}

/// Gives members new names, in their order; no member is lost when two names become one.
pub(super) fn rename(members: &mut Map<String, Value>, mut new_name: impl FnMut(&str) -> Option<String>) {
    // Nearly always no name changes.
    let names = members.keys().enumerate().filter_map(|(at, name)| Some((at, new_name(name)?)));
    let mut names = names.collect::<Vec<_>>().into_iter().peekable();
    if names.len() == 0 {
        return;
    }
    let mut renamed = Map::new();
    for (at, (old, member)) in std::mem::take(members).into_iter().enumerate() {
        let mut name = names.next_if(|(renamed, _)| *renamed == at).map_or(old, |(_, new)| new);
        while renamed.contains_key(&name) {
            name.push('_');
        }
        renamed.insert(name, member);
    }
    *members = renamed;
}

use std::{borrow::Cow, sync::Arc};

use serde_json::{Value, json};

use super::{finding::Finding, redactor::Redactor, value::rename};
use crate::{
    canon::{CanonError, check_depth},
    crypto::Secret,
};

/// The fewest characters of a secret that is looked for inside longer texts: shorter ones are in every text.
pub(super) const MIN_CHARS: usize = 4;

/// The rule's name for secrets that were given by handle.
const HANDLE: &str = "secret";

/// Hides the secrets that one call was given, by exact match, and then whatever the rules find.
#[derive(Clone)]
pub struct Veil {
    redactor: Redactor,
    hidden: Arc<[Hidden]>,
    /// What is looked for, longest first, and which of the hidden it is.
    forms: Arc<[(Secret, usize)]>,
}

/// One secret of a call.
#[derive(Debug, Clone)]
struct Hidden {
    plaintext: Secret,
    placeholder: String,
    /// The name of the handle that it was given for.
    handle: Option<String>,
}

impl Veil {
    /// Hides the secrets that were given for handles, by name, and those that stood in the arguments.
    pub fn new<'a>(
        redactor: Redactor,
        handles: impl IntoIterator<Item = (String, Secret)>,
        found: impl IntoIterator<Item = &'a Finding>,
    ) -> Self {
        let by_handle = handles.into_iter().map(|(name, plaintext)| Hidden {
            placeholder: redactor.placeholder(HANDLE, plaintext.expose()),
            plaintext,
            handle: Some(name),
        });
        let found = found.into_iter().map(|finding| Hidden {
            plaintext: finding.plaintext.clone(),
            placeholder: finding.placeholder.clone(),
            handle: None,
        });
        let hidden: Vec<_> = by_handle.chain(found).collect();
        if hidden.is_empty() {
            return Self { redactor, hidden: Arc::default(), forms: Arc::default() };
        }
        let forms = forms(&hidden).into();
        Self { redactor, hidden: hidden.into(), forms }
    }

    /// Hides secrets in a text.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.exact(text) {
            Cow::Borrowed(text) => self.redactor.text(text).0,
            Cow::Owned(exact) => Cow::Owned(self.redactor.text(&exact).0.into_owned()),
        }
    }

    /// Hides secrets in a value, its keys and numbers too.
    ///
    /// # Errors
    /// When the value is nested deeper than can be sealed.
    pub fn value(&self, value: Value) -> Result<Value, CanonError> {
        self.hide(value, false)
    }

    /// Hides secrets in the arguments of an undo: a text that is a secret given by handle becomes the handle again.
    ///
    /// # Errors
    /// When they are nested deeper than can be sealed.
    pub fn undo_args(&self, args: Value) -> Result<Value, CanonError> {
        self.hide(args, true)
    }

    fn hide(&self, mut value: Value, handles: bool) -> Result<Value, CanonError> {
        check_depth(&value)?;
        self.walk(&mut value, handles);
        self.redactor.value(&mut value)?;
        Ok(value)
    }

    fn walk(&self, value: &mut Value, handles: bool) {
        if self.hidden.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                let whole = self.hidden.iter().find(|hidden| hidden.plaintext.expose() == text);
                match whole.map(|hidden| (hidden, hidden.handle.as_ref())) {
                    Some((_, Some(name))) if handles => *value = json!({ "$secret": name }),
                    Some((hidden, _)) => *text = hidden.placeholder.clone(),
                    None => {
                        if let Cow::Owned(exact) = self.exact(text) {
                            *text = exact;
                        }
                    }
                }
            }
            Value::Number(number) => {
                let text = number.to_string();
                if let Cow::Owned(exact) = self.exact(&text) {
                    *value = Value::String(exact);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item, handles)),
            Value::Object(members) => {
                members.iter_mut().for_each(|(_, member)| self.walk(member, handles));
                rename(members, |name| match self.exact(name) {
                    Cow::Owned(exact) => Some(exact),
                    Cow::Borrowed(_) => None,
                });
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// A text with placeholders for what is hidden in it; as it was, where nothing is.
    fn exact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut hidden = Cow::Borrowed(text);
        for (form, owner) in self.forms.iter() {
            if let (true, Some(owner)) = (hidden.contains(form.expose()), self.hidden.get(*owner)) {
                hidden = Cow::Owned(hidden.replace(form.expose(), &owner.placeholder));
            }
        }
        hidden
    }
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Veil(of {} secrets)", self.hidden.len())
    }
}

/// The secrets and the forms that they take in JSON and in URLs, longest first: one may be part of another.
fn forms(hidden: &[Hidden]) -> Vec<(Secret, usize)> {
    let mut forms = Vec::new();
    for (index, secret) in hidden.iter().enumerate() {
        let plain = secret.plaintext.expose();
        if plain.chars().count() < MIN_CHARS {
            continue;
        }
        let quoted = Value::from(plain).to_string();
        let escaped = quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
        let others = [escaped, percent_encoded(plain)].into_iter().filter(|form| form != plain);
        forms.extend(others.map(|form| (Secret::new(form), index)));
        forms.push((secret.plaintext.clone(), index));
    }
    forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.expose().len()));
    forms
}

/// RFC 3986: all but the unreserved characters by their bytes.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

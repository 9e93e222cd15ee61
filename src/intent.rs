//! What cognition asks for: a request without authority.

mod handle;

pub use handle::{HandleFault, MAX_SECRET_NAME, handle, masked};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    canon::{Blob, CanonError, Commitment, IntentId, NamedBlob, Nonce, Salt, domain, settle, words},
    contract::{DELEGATE, NameError, ToolName},
    host::{Entropy, EntropyError},
};

/// What kind of request an intent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentKind {
    /// Call a tool.
    Act,
    /// Call a tool that changes nothing.
    Query,
    /// Hand part of the task to a child run.
    Delegate,
    /// Turn something remembered in a run into lasting memory.
    MemoryPromote,
}
words!(IntentKind, "intent kind", {
    Act = "act", Query = "query", Delegate = "delegate", MemoryPromote = "memory_promote",
});

/// A request as it is composed: who asks for what, and why. It grants nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// Who asks, as they name themselves.
    pub author: String,
    /// What kind of request it is.
    pub kind: IntentKind,
    /// The tool.
    pub target: String,
    /// The tool's arguments.
    pub args: Value,
    /// Why, in the author's words; empty when none was given.
    pub rationale: String,
}

impl Intent {
    /// A request to call a tool.
    pub fn act(target: impl Into<String>, args: Value) -> Self {
        Self { author: "host".into(), kind: IntentKind::Act, target: target.into(), args, rationale: String::new() }
    }

    /// A request to call a tool that changes nothing.
    pub fn query(target: impl Into<String>, args: Value) -> Self {
        Self { kind: IntentKind::Query, ..Self::act(target, args) }
    }

    /// A request to hand part of the task to a child run: see [`ChildRequest`](crate::writ::ChildRequest) for the arguments.
    pub fn delegate(args: Value) -> Self {
        Self { kind: IntentKind::Delegate, ..Self::act(DELEGATE, args) }
    }

    /// Names the author.
    #[must_use]
    pub fn by(mut self, author: impl Into<String>) -> Self {
        self.author = author.into();
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, rationale: impl Into<String>) -> Self {
        self.rationale = rationale.into();
        self
    }

    /// Fixes the request: draws its nonce and salts, and commits to its values.
    ///
    /// # Errors
    /// When the target cannot name a tool, the arguments cannot be sealed, or no randomness can be had.
    pub fn seal(self, entropy: &dyn Entropy) -> Result<SealedIntent, IntentError> {
        let target = ToolName::new(self.target)?;
        let (args_salt, rationale_salt, nonce) = if self.rationale.is_empty() {
            let [args, nonce] = draw(entropy)?;
            (args, None, nonce)
        } else {
            let [args, rationale, nonce] = draw(entropy)?;
            (args, Some(rationale), nonce)
        };
        let args_blob = NamedBlob::seal(&self.args, Salt(args_salt))?;
        let args = settle(self.args, &args_blob.bytes)?;
        let rationale = Value::String(self.rationale);
        let rationale_blob = rationale_salt.map(|salt| NamedBlob::seal(&rationale, Salt(salt))).transpose()?;
        let record = IntentRecord {
            args: args_blob.commitment(),
            author: first_chars(self.author, MAX_AUTHOR),
            kind: self.kind,
            nonce: Nonce(nonce),
            rationale: rationale_blob.as_ref().map(NamedBlob::commitment),
            target,
        };
        SealedIntent::new(record, args, args_blob, rationale_blob)
    }
}

fn draw<const N: usize>(entropy: &dyn Entropy) -> Result<[[u8; 16]; N], EntropyError> {
    let mut drawn = [[0; 16]; N];
    entropy.fill_each(&mut drawn).map(|()| drawn)
}

fn first_chars(mut text: String, count: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(count) {
        text.truncate(end);
    }
    text
}

/// The most characters of an author's name that are kept.
const MAX_AUTHOR: usize = 128;

/// A request that cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntentError {
    /// The target cannot name a tool.
    #[error(transparent)]
    Target(#[from] NameError),
    /// A value cannot be sealed.
    #[error("arguments: {0}")]
    Value(#[from] CanonError),
    /// Stored arguments are not sealed JSON.
    #[error("arguments: {0}")]
    Json(#[from] crate::canon::ParseError),
    /// Randomness could not be had.
    #[error("random source: {0}")]
    Entropy(String),
    /// A blob does not match the commitment that names it.
    #[error("a value does not match its commitment {0}")]
    Commitment(Commitment),
}

impl From<EntropyError> for IntentError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error.0)
    }
}

/// An intent as records hold it: values by commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentRecord {
    /// Commits to the arguments.
    pub args: Commitment,
    /// Who asks.
    pub author: String,
    /// What kind of request it is.
    pub kind: IntentKind,
    /// Makes equal requests different intents.
    pub nonce: Nonce,
    /// Commits to the rationale, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<Commitment>,
    /// The tool.
    pub target: ToolName,
}

impl IntentRecord {
    /// The intent's id.
    ///
    /// # Errors
    /// Never for a record read from a ledger; the signature is that of every sealing.
    pub fn id(&self) -> Result<IntentId, CanonError> {
        Ok(IntentId(domain::INTENT.hash_sealed(self)?))
    }
}

/// A fixed request, with its values at hand. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedIntent {
    sealed: Arc<Sealed>,
    recorded: bool,
}

#[derive(Debug, PartialEq)]
struct Sealed {
    record: IntentRecord,
    id: IntentId,
    args: Value,
    /// The arguments without handles, where they have some.
    masked: Result<Option<Value>, HandleFault>,
    args_blob: NamedBlob,
    rationale_blob: Option<NamedBlob>,
}

impl SealedIntent {
    /// Joins a record with the blobs that it names.
    ///
    /// # Errors
    /// When a blob does not match its commitment, or the arguments are not sealed JSON.
    pub fn open(record: IntentRecord, args: Blob, rationale: Option<Blob>) -> Result<Self, IntentError> {
        let rationale = rationale.map(NamedBlob::from);
        if let Some(commitment) = record.rationale
            && rationale.as_ref().map(NamedBlob::commitment) != record.rationale
        {
            return Err(IntentError::Commitment(commitment));
        }
        Self::joined(record, args, rationale)
    }

    /// Joins a record with its arguments alone: the part of an intent that decisions rest on.
    ///
    /// # Errors
    /// When the blob does not match its commitment, or the arguments are not sealed JSON.
    pub fn with_args(record: IntentRecord, args: Blob) -> Result<Self, IntentError> {
        Self::joined(record, args, None)
    }

    fn joined(record: IntentRecord, args: Blob, rationale: Option<NamedBlob>) -> Result<Self, IntentError> {
        let args = NamedBlob::from(args);
        if args.commitment() != record.args {
            return Err(IntentError::Commitment(record.args));
        }
        let value = args.value()?;
        Self::new(record, value, args, rationale)
    }

    // INVARIANT: the record names the blobs, and `args` is what `args_blob` reads back as.
    fn new(
        record: IntentRecord,
        args: Value,
        args_blob: NamedBlob,
        rationale_blob: Option<NamedBlob>,
    ) -> Result<Self, IntentError> {
        let (id, masked) = (record.id()?, handle::masked(&args));
        let sealed = Sealed { record, id, args, masked, args_blob, rationale_blob };
        Ok(Self { sealed: Arc::new(sealed), recorded: false })
    }

    /// The intent's id.
    pub fn id(&self) -> IntentId {
        self.sealed.id
    }

    /// The record.
    pub fn record(&self) -> &IntentRecord {
        &self.sealed.record
    }

    /// The arguments, as they are read back from what was sealed.
    pub fn args(&self) -> &Value {
        &self.sealed.args
    }

    /// A text of the arguments as a value of its own, under a salt that follows from theirs.
    ///
    /// # Errors
    /// When it is larger than a value may be.
    pub fn task(&self, task: &str) -> Result<Blob, CanonError> {
        let salt = domain::TASK_SALT.hash(&[&self.sealed.args_blob.salt.0]);
        let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = salt;
        Blob::seal(&Value::from(task), Salt(salt))
    }

    /// The arguments as schemas and a tool's hooks see them: `[secret:name]` in place of every handle to a secret.
    ///
    /// # Errors
    /// Where an object with a member `$secret` is no handle.
    pub fn masked_args(&self) -> Result<&Value, &HandleFault> {
        self.sealed.masked.as_ref().map(|masked| masked.as_ref().unwrap_or(&self.sealed.args))
    }

    /// Whether an object in the arguments has a member `$secret`.
    pub(crate) fn has_handles(&self) -> bool {
        !matches!(self.sealed.masked, Ok(None))
    }

    /// Why, in the author's words, where that was said.
    pub fn rationale(&self) -> Option<String> {
        match self.sealed.rationale_blob.as_ref()?.value() {
            Ok(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The blobs that the record names and that no entry holds yet.
    pub fn blobs(&self) -> impl Iterator<Item = &NamedBlob> {
        let Sealed { args_blob, rationale_blob, .. } = &*self.sealed;
        std::iter::once(args_blob).chain(rationale_blob).filter(|_| !self.recorded)
    }

    /// Says that an entry of the trajectory holds the blobs, so that later ones need not.
    #[must_use]
    pub(crate) fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }
}

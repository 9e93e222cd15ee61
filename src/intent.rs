//! What cognition asks for: a request without authority.

mod handle;

pub(crate) use handle::below;
pub use handle::{HandleFault, MAX_SECRET_NAME, handle, masked};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    canon::{Blob, CanonError, Commitment, IntentId, Nonce, Salt, domain, to_canonical, words},
    contract::{NameError, ToolName},
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
        let salt = || {
            let mut salt = Salt([0; 16]);
            entropy.fill(&mut salt.0).map(|()| salt)
        };
        let target = ToolName::new(self.target)?;
        let args_blob = Blob::seal(&self.args, salt()?)?;
        let rationale_blob = match self.rationale {
            text if text.is_empty() => None,
            text => Some(Blob::seal(&Value::String(text), salt()?)?),
        };
        let mut nonce = Nonce([0; 16]);
        entropy.fill(&mut nonce.0)?;
        let record = IntentRecord {
            args: args_blob.commitment(),
            author: self.author.chars().take(MAX_AUTHOR).collect(),
            kind: self.kind,
            nonce,
            rationale: rationale_blob.as_ref().map(Blob::commitment),
            target,
        };
        SealedIntent::open(record, args_blob, rationale_blob)
    }
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
        Ok(IntentId(domain::INTENT.hash(&[&to_canonical(self)?])))
    }
}

/// A fixed request, with its values at hand.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedIntent {
    record: IntentRecord,
    id: IntentId,
    args: Value,
    /// The arguments without handles, where they have some.
    masked: Result<Option<Value>, HandleFault>,
    args_blob: Blob,
    rationale_blob: Option<Blob>,
    recorded: bool,
}

impl SealedIntent {
    /// Joins a record with the blobs that it names.
    ///
    /// # Errors
    /// When a blob does not match its commitment, or the arguments are not sealed JSON.
    pub fn open(record: IntentRecord, args: Blob, rationale: Option<Blob>) -> Result<Self, IntentError> {
        if let Some(commitment) = record.rationale
            && rationale.as_ref().map(Blob::commitment) != record.rationale
        {
            return Err(IntentError::Commitment(commitment));
        }
        Ok(Self { rationale_blob: rationale, ..Self::with_args(record, args)? })
    }

    /// Joins a record with its arguments alone: the part of an intent that decisions rest on.
    ///
    /// # Errors
    /// When the blob does not match its commitment, or the arguments are not sealed JSON.
    pub fn with_args(record: IntentRecord, args: Blob) -> Result<Self, IntentError> {
        if args.commitment() != record.args {
            return Err(IntentError::Commitment(record.args));
        }
        let value = args.value()?;
        Ok(Self {
            id: record.id()?,
            masked: handle::masked(&value),
            args: value,
            args_blob: args,
            rationale_blob: None,
            record,
            recorded: false,
        })
    }

    /// The intent's id.
    pub fn id(&self) -> IntentId {
        self.id
    }

    /// The record.
    pub fn record(&self) -> &IntentRecord {
        &self.record
    }

    /// The arguments, as sealing read them back.
    pub fn args(&self) -> &Value {
        &self.args
    }

    /// The arguments as schemas and a tool's hooks see them: `[secret:name]` in place of every handle to a secret.
    ///
    /// # Errors
    /// Where an object with a member `$secret` is no handle.
    pub fn masked_args(&self) -> Result<&Value, &HandleFault> {
        self.masked.as_ref().map(|masked| masked.as_ref().unwrap_or(&self.args))
    }

    /// Why, in the author's words, where that was said.
    pub fn rationale(&self) -> Option<String> {
        match self.rationale_blob.as_ref()?.value() {
            Ok(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The blobs that the record names and that no entry holds yet.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        std::iter::once(&self.args_blob).chain(&self.rationale_blob).filter(|_| !self.recorded)
    }

    /// Says that an entry of the trajectory holds the blobs, so that later ones need not.
    #[must_use]
    pub(crate) fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }
}

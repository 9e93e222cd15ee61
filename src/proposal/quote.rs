use serde::{Deserialize, Serialize};

use crate::{
    canon::{BusinessKeyHash, Commitment, FileHash},
    contract::ArgumentFault,
    crypto::NamedKey,
    world::ResourceId,
    writ::Amounts,
};

/// What a tool says of a call before it is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quote {
    /// What the tool's own types say against the arguments. Asserted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<ArgumentFault>,
    /// What the runtime says of the child that is asked for; of a delegation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<Box<ChildQuote>>,
    /// Whether this call could be undone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub compensable: bool,
    /// What the call costs at most.
    pub cost: Amounts,
    /// The business key under which the effect may happen once, hashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<BusinessKeyHash>,
    /// The precondition that does not hold. Asserted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precondition: Option<PreconditionFault>,
    /// The version of the host state that the call is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<FileHash>,
    /// The resources that the tool will be given, at the versions that they had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// The argument whose secret could not be had when the call was about to be made. Asserted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretFault>,
}

/// What there is around a child before it is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildQuote {
    /// How many children the run has had so far.
    pub children: u64,
    /// How many runs there are below the one at the top of the lineage.
    pub descendants: u64,
    /// Which generation the child would be; the first is below the run at the top.
    pub generation: u32,
    /// The key that the child would act with.
    pub subject: NamedKey,
}

/// A resource as it was when a call was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The resource.
    pub resource: ResourceId,
    /// Commits to its value; absent when there was no such resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Commitment>,
    /// Its version; 0 when there was no such resource.
    pub version: u64,
}

/// A precondition that does not hold: the tool's code for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreconditionFault {
    /// A short stable code, such as `not_found`; never a value.
    pub code: String,
}

/// An argument that needs a secret which cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFault {
    /// JSON pointer (RFC 6901) into the arguments.
    pub pointer: String,
}

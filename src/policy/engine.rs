use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    contract::SealedContract,
    intent::SealedIntent,
    proposal::{ChildQuote, Verdict},
    world::World,
    writ::{WritBody, WritChain},
};

/// What a policy sees. Plain data: no clock, no network, nothing to change.
#[derive(Clone, Copy)]
pub struct PolicyInput<'a> {
    /// The intent and its arguments.
    pub intent: &'a SealedIntent,
    /// The whole writ chain.
    pub chain: &'a WritChain,
    /// The child run that is asked for, where it is a delegation.
    pub child: Option<ChildRun<'a>>,
    /// The contract of the tool.
    pub contract: &'a SealedContract,
    /// The world that the proposal is compiled against.
    pub world: &'a World,
}

/// A child run that is asked for.
#[derive(Clone, Copy)]
pub struct ChildRun<'a> {
    /// What there is around it.
    pub quote: &'a ChildQuote,
    /// What it would be granted.
    pub writ: &'a WritBody,
}

impl<'a> PolicyInput<'a> {
    /// The writ in use.
    pub fn writ(&self) -> &'a WritBody {
        self.chain.leaf()
    }

    /// The arguments.
    pub fn args(&self) -> &'a Value {
        self.intent.args()
    }
}

/// Names a policy in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDescriptor {
    /// A hash or text of its configuration: two engines that decide differently must differ here.
    pub config: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A policy could not decide. That denies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

/// A policy written in Rust.
///
/// # Contract
/// `evaluate` is a pure function of its input: no clock, randomness, network or floats. Its verdict is recorded as
/// *asserted*, since a ledger cannot hold the code. Rules in JSON are derived again by anyone; prefer them.
pub trait PolicyEngine: Send + Sync {
    /// How the ledger names it.
    fn descriptor(&self) -> PolicyDescriptor;

    /// Decides.
    ///
    /// # Errors
    /// When it cannot; the proposal is denied then.
    fn evaluate(&self, input: &PolicyInput<'_>) -> Result<Verdict, PolicyError>;
}

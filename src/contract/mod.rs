//! What a tool declares of itself: plain data, hashed, shown to models and checked by `compile`.

mod bounds;
mod class;
mod delegate;
mod difference;
mod name;
mod parameters;
mod schema;
mod set;

pub use bounds::{MAX_CHECK_STEPS, MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, MAX_SCHEMA_PARTS, MAX_SCHEMA_PATTERNS};
pub use class::{Effect, Risk, Touches};
pub use delegate::DELEGATE;
pub use difference::ContractDifference;
pub(crate) use name::is_name_byte;
pub use name::{NameError, ToolName};
pub use parameters::{ParameterSchema, ParameterSchemaError};
pub use schema::{ArgumentFault, SchemaError};
pub use set::{ContractSet, DuplicateTool};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canon::{CanonError, ContractHash, domain};

/// What a tool declares: the part that its hash covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Whether the tool can undo what it did; a single call may still say that it cannot.
    pub compensable: bool,
    /// What the tool does, for the model that chooses it.
    pub description: String,
    /// What kind of effect it has.
    pub effect: Effect,
    /// The name that writs, policies and models use.
    pub name: ToolName,
    /// How much is at stake.
    pub risk: Risk,
    /// JSON Schema (2020-12) of the arguments, an object schema.
    pub schema: Value,
    /// Whether it touches only the world, or the host too.
    pub touches: Touches,
    /// The tool's own version.
    pub version: String,
}

impl Contract {
    /// The hash of all that the contract declares.
    ///
    /// # Errors
    /// When the schema is not sealable JSON.
    pub fn hash(&self) -> Result<ContractHash, CanonError> {
        Ok(ContractHash(domain::CONTRACT.hash_sealed(self)?))
    }

    /// Whether dispatch records, at-most-once and in-doubt apply: it touches the host at Write or above.
    pub fn has_host_effect(&self) -> bool {
        self.touches == Touches::Host && self.effect >= Effect::Write
    }
}

/// A contract with its hash and its compiled argument check.
#[derive(Debug, Clone)]
pub struct SealedContract(Arc<Sealed>);

#[derive(Debug)]
struct Sealed {
    contract: Contract,
    hash: ContractHash,
    check: schema::Check,
}

impl SealedContract {
    /// Hashes a contract and compiles its schema.
    ///
    /// # Errors
    /// When the contract contradicts itself, or the schema is not sealable JSON, not an object schema, larger
    /// than a schema may be, or (with feature `schema`) not a valid schema.
    pub fn new(contract: Contract) -> Result<Self, SchemaError> {
        if contract.touches == Touches::World && contract.effect > Effect::Write {
            let reason = format!("a tool of effect `{}` touches more than the world", contract.effect);
            return Err(SchemaError::new(&contract.name, reason));
        }
        let check = schema::Check::new(&contract.schema).map_err(|reason| SchemaError::new(&contract.name, reason))?;
        let hash = contract.hash().map_err(|error| SchemaError::new(&contract.name, error))?;
        Ok(Self(Arc::new(Sealed { contract, hash, check })))
    }

    /// The contract's hash.
    pub fn hash(&self) -> ContractHash {
        self.0.hash
    }

    /// Checks arguments against the schema; without feature `schema`, only their [shape](Self::check_shape).
    ///
    /// # Errors
    /// The first place where the arguments break the schema.
    pub fn check_arguments(&self, args: &Value) -> Result<(), ArgumentFault> {
        self.0.check.arguments(&self.0.contract.schema, args)
    }

    /// Checks only that arguments are an object, and that the schema could be applied to them in bounded time.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_shape(&self, args: &Value) -> Result<(), ArgumentFault> {
        self.0.check.shape(&self.0.contract.schema, args)
    }
}

impl std::ops::Deref for SealedContract {
    type Target = Contract;
    fn deref(&self) -> &Contract {
        &self.0.contract
    }
}

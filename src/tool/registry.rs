use std::{collections::BTreeMap, sync::Arc};

use super::{ToolContract, delegate::Delegate};
use crate::contract::{ContractSet, DELEGATE, DuplicateTool, SchemaError, SealedContract, ToolName};

/// Why a tool cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// There is a tool of that name.
    #[error(transparent)]
    Duplicate(#[from] DuplicateTool),
    /// Nothing would check its arguments: the build has no feature `schema`, and the tool does not check them itself.
    #[error(
        "tool `{name}` has only a schema for its arguments, and this build cannot check schemas: enable feature `schema`"
    )]
    Unchecked {
        /// The tool.
        name: ToolName,
    },
    /// The name is that of the contract which the kernel itself carries out.
    #[error("no tool can be named `{DELEGATE}`: it is the contract that hands work to a child run")]
    Reserved,
    /// Its schema cannot be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// The tools that the runtime executes, with their contracts as they were when they were registered.
#[derive(Clone, Default)]
pub struct ToolRegistry {
    contracts: ContractSet,
    tools: BTreeMap<ToolName, Arc<dyn ToolContract>>,
}

impl ToolRegistry {
    /// Registers a tool.
    ///
    /// # Errors
    /// When its name is taken, or its schema cannot be used.
    pub fn register(&mut self, tool: Arc<dyn ToolContract>) -> Result<(), RegisterError> {
        let contract = SealedContract::new(tool.contract())?;
        if contract.is_delegate() {
            return Err(RegisterError::Reserved);
        }
        self.add(contract, tool)
    }

    /// Registers the contract of delegations.
    ///
    /// # Errors
    /// When it is registered already.
    pub fn register_delegation(&mut self) -> Result<(), RegisterError> {
        let contract = SealedContract::new(Delegate.contract())?;
        self.add(contract, Arc::new(Delegate))
    }

    fn add(&mut self, contract: SealedContract, tool: Arc<dyn ToolContract>) -> Result<(), RegisterError> {
        let name = contract.name.clone();
        if cfg!(not(feature = "schema")) && !tool.checks_arguments() {
            return Err(RegisterError::Unchecked { name });
        }
        self.contracts.insert(contract)?;
        self.tools.insert(name, tool);
        Ok(())
    }

    /// The contracts of all tools.
    pub fn contracts(&self) -> &ContractSet {
        &self.contracts
    }

    /// The tool of that name.
    pub fn get(&self, name: &ToolName) -> Option<&Arc<dyn ToolContract>> {
        self.tools.get(name)
    }
}

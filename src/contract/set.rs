use std::collections::BTreeMap;

use super::{SealedContract, ToolName};
use crate::canon::ContractHash;

/// Two tools of one name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tool `{name}` is registered twice")]
pub struct DuplicateTool {
    /// The name.
    pub name: ToolName,
}

/// The contracts that proposals are compiled against, by name.
#[derive(Debug, Clone, Default)]
pub struct ContractSet {
    by_name: BTreeMap<ToolName, SealedContract>,
}

impl ContractSet {
    /// Adds a contract.
    ///
    /// # Errors
    /// When there is one of that name: a tool cannot shadow another.
    pub fn insert(&mut self, contract: SealedContract) -> Result<(), DuplicateTool> {
        let name = contract.name.clone();
        if self.by_name.contains_key(&name) {
            return Err(DuplicateTool { name });
        }
        self.by_name.insert(name, contract);
        Ok(())
    }

    /// The contract of that name.
    pub fn get(&self, name: &str) -> Option<&SealedContract> {
        self.by_name.get(name)
    }

    /// All contracts, by name.
    pub fn iter(&self) -> impl Iterator<Item = &SealedContract> {
        self.by_name.values()
    }

    /// Their hashes, by name.
    pub fn hashes(&self) -> Vec<ContractHash> {
        self.iter().map(SealedContract::hash).collect()
    }
}

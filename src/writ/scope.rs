use serde::{Deserialize, Serialize};

use super::{MAX_PINS, ToolPattern};
use crate::{
    canon::{ContractHash, at_most_if_any},
    contract::{SealedContract, ToolName},
    predicate::Predicate,
};

/// One thing that a writ allows: tools by pattern, under conditions on their arguments, at pinned contracts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The contracts that the tools may have; any when absent.
    #[serde(default, deserialize_with = "at_most_if_any::<_, _, MAX_PINS>", skip_serializing_if = "Option::is_none")]
    pub contracts: Option<Vec<ContractHash>>,
    /// The tools.
    pub tool: ToolPattern,
    /// A condition over `args.…`; anything but true refuses. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Predicate>,
}

impl Scope {
    /// Allows the tools of a pattern, whatever their arguments.
    pub fn tools(tool: ToolPattern) -> Self {
        Self { contracts: None, tool, when: None }
    }

    /// Whether the scope covers a tool of that name at that contract, conditions aside.
    pub fn covers(&self, tool: &ToolName, contract: Option<&SealedContract>) -> bool {
        self.tool.matches(tool)
            && match (&self.contracts, contract) {
                (Some(pinned), Some(contract)) => pinned.contains(&contract.hash()),
                // An unregistered tool has no contract to differ: the registry refuses it.
                _ => true,
            }
    }
}

use serde::Deserialize;
use serde_json::Value;

use super::{Amounts, Delegation, Scope, ToolPattern, WritBody};
use crate::{
    canon::{Nonce, WritId},
    contract::{ArgumentFault, Effect},
    crypto::NamedKey,
};

/// What a run asks for when it hands part of its task to a child: the arguments of the contract `delegate`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildRequest {
    /// The most that the child may spend. What is not named is as much as the parent was granted: it counts against the parent
    /// all the same.
    #[serde(default)]
    pub budget: ChildBudget,
    /// How many generations the child may have below it.
    #[serde(default)]
    pub depth: u32,
    /// The greatest effect that the child's tools may have.
    #[serde(default = "least_effect")]
    pub effects: Effect,
    /// What the child is to do.
    pub task: String,
    /// The tools that the child may call.
    pub tools: Vec<ToolPattern>,
}

/// A budget, as far as it is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChildBudget {
    /// Tokens of models.
    pub tokens: Option<u64>,
    /// Calls of tools.
    pub tool_calls: Option<u64>,
    /// Money in thousandths of a US cent.
    pub usd_millicents: Option<u64>,
    /// Summed execution time in milliseconds.
    pub wall_clock_ms: Option<u64>,
}

fn least_effect() -> Effect {
    Effect::Read
}

impl ChildRequest {
    /// Reads the arguments of a delegation.
    ///
    /// # Errors
    /// When they are not of that form.
    pub fn from_args(args: &Value) -> Result<Self, ArgumentFault> {
        Self::deserialize(args).map_err(|_| ArgumentFault { keyword: "deserialize".into(), pointer: String::new() })
    }

    /// The writ that is asked for, below `parent`. Pins are those of the parent's scope that covers a tool; the parent's conditions
    /// bind without being repeated. Whether it is within the parent is not judged.
    pub fn writ(&self, (id, parent): (WritId, &WritBody), subject: NamedKey, nonce: Nonce) -> WritBody {
        let ChildBudget { tokens, tool_calls, usd_millicents, wall_clock_ms } = self.budget;
        let scope = |tool: &ToolPattern| {
            let covering = parent.scopes.iter().filter(|scope| scope.tool.covers(tool));
            let pins = covering.map(|scope| scope.contracts.clone()).min_by_key(Option::is_some);
            Scope { contracts: pins.flatten(), tool: tool.clone(), when: None }
        };
        WritBody {
            budget: Amounts {
                tokens: tokens.unwrap_or(parent.budget.tokens),
                tool_calls: tool_calls.unwrap_or(parent.budget.tool_calls),
                usd_millicents: usd_millicents.unwrap_or(parent.budget.usd_millicents),
                wall_clock_ms: wall_clock_ms.unwrap_or(parent.budget.wall_clock_ms),
            },
            delegation: Delegation { depth: self.depth, may_subdivide: self.depth > 0 },
            effect_ceiling: self.effects,
            issuer: parent.subject.clone(),
            nonce,
            parent: Some(id),
            scopes: self.tools.iter().map(scope).collect(),
            subject,
            ..parent.clone()
        }
    }
}

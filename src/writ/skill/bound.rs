use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cap, Skill};
use crate::{
    canon::Commitment,
    contract::{Effect, ToolName},
    writ::{Amounts, Dimension, ToolPattern, WritBody},
};

/// A skill that a run is bound to, from an entry of the run on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundSkill {
    /// Commits to the values of its parameters, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Commitment>,
    /// The seq of the entry that bound it, beside which they stand.
    pub seq: u64,
    /// The definition.
    pub skill: Arc<Skill>,
    /// What the run had spent until then.
    pub spent_before: Amounts,
}

/// What a bound skill still lets a run do.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrowing {
    /// What is left of its cap.
    pub left: Cap,
    /// The definition.
    pub skill: Arc<Skill>,
}

/// What bound skills still let a run do that has used so much: spent, and held for what is under way. What was held when a skill
/// was bound counts as spent after it.
pub fn narrow(bound: &[BoundSkill], used: &Amounts) -> Vec<Narrowing> {
    let left = |bound: &BoundSkill| Narrowing {
        left: bound.skill.budget.minus(&used.minus(&bound.spent_before)),
        skill: Arc::clone(&bound.skill),
    };
    bound.iter().map(left).collect()
}

impl Narrowing {
    /// The first dimension in which a cost is more than what is left.
    pub fn exceeded_by(&self, cost: &Amounts) -> Option<Dimension> {
        cost.exceeds(&self.left.most())
    }

    /// What of a child's writ is more than it lets a run hand down beside `cost`: `tools`, `effects`, or a dimension of its budget.
    pub fn exceeded_by_child(&self, child: &WritBody, cost: &Amounts) -> Option<&'static str> {
        let allowed = |tool: &ToolPattern| self.skill.tools.iter().any(|allowed| allowed.covers(tool));
        if !child.scopes.iter().all(|scope| allowed(&scope.tool)) {
            return Some("tools");
        }
        if child.effect_ceiling > self.skill.effect_ceiling {
            return Some("effects");
        }
        child.budget.exceeds(&self.left.minus(cost).most()).map(Dimension::as_str)
    }

    /// Whether it lets a tool of that effect be called at that cost.
    pub fn allows(&self, tool: &ToolName, effect: Effect, cost: &Amounts) -> bool {
        self.skill.covers(tool) && effect <= self.skill.effect_ceiling && self.exceeded_by(cost).is_none()
    }
}

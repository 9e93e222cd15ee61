use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Amounts, MAX_SCOPES, ToolPattern};
use crate::{
    canon::{CanonError, SkillHash, at_most, domain},
    contract::Effect,
};

/// A versioned bundle of instructions and limits that narrows the run it is bound to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// The most that a run bound to it may spend.
    pub budget: Amounts,
    /// The greatest effect that a tool may have.
    pub effect_ceiling: Effect,
    /// What the model is told.
    pub instructions: String,
    /// The skill's name.
    pub name: String,
    /// JSON Schema of the skill's parameters.
    pub parameters: Value,
    /// The tools that may be called.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SCOPES>")]
    pub tools: Vec<ToolPattern>,
    /// The skill's version.
    pub version: String,
}

impl Skill {
    /// The hash of the whole definition.
    ///
    /// # Errors
    /// When the parameters' schema cannot be sealed.
    pub fn hash(&self) -> Result<SkillHash, CanonError> {
        Ok(SkillHash(domain::SKILL.hash_sealed(self)?))
    }
}

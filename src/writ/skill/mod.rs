//! Skills: versioned bundles of instructions and limits that narrow the run they are bound to.

mod bound;
mod cap;
mod instructions;
mod name;

pub use bound::{BoundSkill, Narrowing, narrow};
pub use cap::Cap;
pub use instructions::{Parameters, SkillFault};
pub use name::{SkillName, SkillNameError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MAX_SCOPES, ToolPattern};
use crate::{
    canon::{CanonError, LimitError, SkillHash, at_most, domain},
    contract::{Effect, ParameterSchema, ToolName},
};

/// The most bytes that the instructions of a skill may have, before and after its parameters are put in.
pub const MAX_INSTRUCTIONS_BYTES: usize = 64 << 10;
/// The most skills that a run may be bound to.
pub const MAX_SKILLS: usize = 16;

/// A versioned bundle of instructions and limits that narrows the run it is bound to. It grants nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// The most that a run may spend from the binding on, in the dimensions that are named.
    pub budget: Cap,
    /// The greatest effect that a tool may have.
    pub effect_ceiling: Effect,
    /// What the model is told, with `{name}` where a parameter's value goes.
    pub instructions: String,
    /// The skill's name.
    pub name: SkillName,
    /// JSON Schema of the skill's parameters, an object schema.
    pub parameters: Value,
    /// The tools that may be called; none where it is empty.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SCOPES>")]
    pub tools: Vec<ToolPattern>,
    /// The skill's version, from 1.
    pub version: std::num::NonZeroU32,
}

impl Skill {
    /// The hash of the whole definition.
    ///
    /// # Errors
    /// When the parameters' schema cannot be sealed.
    pub fn hash(&self) -> Result<SkillHash, CanonError> {
        Ok(SkillHash(domain::SKILL.hash_sealed(self)?))
    }

    /// Name and version, as people and refusals write them: `name@version`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Whether a tool may be called.
    pub fn covers(&self, tool: &ToolName) -> bool {
        self.tools.iter().any(|pattern| pattern.matches(tool))
    }

    /// Checks what the definition's types do not say: that it is not too large, and that its schema can be used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), SkillFault> {
        LimitError::check("bytes of instructions", self.instructions.len(), MAX_INSTRUCTIONS_BYTES)?;
        LimitError::check("tools", self.tools.len(), MAX_SCOPES)?;
        ParameterSchema::new(&self.parameters)?;
        Ok(())
    }
}

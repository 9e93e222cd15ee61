//! What bound skills allow, behind what the writs grant: the stages `scope`, `effect` and `budget` have both parts.

use crate::{
    compile::Inputs,
    contract::SealedContract,
    proposal::{Code, Refusal, Stage},
    writ::{Amounts, Narrowing},
};

/// Every skill has to have a pattern that covers the tool.
pub(super) fn check_scope(inputs: &Inputs<'_>) -> Result<(), Refusal> {
    let tool = &inputs.intent.record().target;
    match inputs.skills.iter().find(|narrowing| !narrowing.skill.covers(tool)) {
        Some(Narrowing { skill, .. }) => {
            let tools: Vec<_> = skill.tools.iter().map(ToString::to_string).collect();
            let tools = if tools.is_empty() { "nothing".to_owned() } else { tools.join(" ") };
            Err(refuse(Stage::Scope, Code::OutOfScope, skill.reference()).asked(tool).allowed(tools))
        }
        None => Ok(()),
    }
}

/// The effect has to be at or below every skill's ceiling.
pub(super) fn check_effect(inputs: &Inputs<'_>, contract: &SealedContract) -> Result<(), Refusal> {
    match inputs.skills.iter().map(|narrowing| &narrowing.skill).find(|skill| contract.effect > skill.effect_ceiling) {
        Some(skill) => {
            let refusal = refuse(Stage::Effect, Code::EffectAboveCeiling, skill.reference());
            Err(refusal.asked(contract.effect).allowed(skill.effect_ceiling))
        }
        None => Ok(()),
    }
}

/// Every skill's cap has to have enough left in every dimension that it limits.
pub(super) fn check_budget(inputs: &Inputs<'_>, cost: &Amounts) -> Result<(), Refusal> {
    for narrowing in inputs.skills {
        if let Some(dimension) = narrowing.exceeded_by(cost) {
            let at = format!("{}/{}", narrowing.skill.reference(), dimension.as_str());
            let refusal = refuse(Stage::Budget, Code::BudgetExceeded, at);
            return Err(refusal.asked(cost.get(dimension)).allowed(narrowing.left.most().get(dimension)));
        }
    }
    Ok(())
}

fn refuse(stage: Stage, code: Code, skill: String) -> Refusal {
    Refusal::new(stage, code).at_skill(skill)
}

use crate::{
    compile::Inputs,
    contract::{Effect, SealedContract},
    proposal::{Code, Refusal, Stage},
};

/// How far the clock may be behind the latest time on record before effects stop.
const CLOCK_TOLERANCE_MS: u64 = 60_000;

pub(super) fn check(inputs: &Inputs<'_>, contract: &SealedContract) -> Result<(), Refusal> {
    for (index, (_, writ)) in inputs.standing.chain.links().enumerate() {
        if contract.effect > writ.effect_ceiling {
            let refusal = Refusal::new(Stage::Effect, Code::EffectAboveCeiling).at(index);
            return Err(refusal.asked(contract.effect).allowed(writ.effect_ceiling));
        }
    }
    if inputs.branch && contract.has_host_effect() {
        return Err(Refusal::new(Stage::Effect, Code::NotInBranch).asked(contract.effect));
    }
    let behind = inputs.standing.now_ms.saturating_sub(inputs.standing.clock_ms);
    if contract.effect >= Effect::Write && behind > CLOCK_TOLERANCE_MS {
        return Err(Refusal::new(Stage::Effect, Code::ClockBehind).asked(behind).allowed(CLOCK_TOLERANCE_MS));
    }
    Ok(())
}

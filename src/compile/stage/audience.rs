use crate::{
    compile::Standing,
    proposal::{Code, Refusal, Stage},
};

pub(super) fn check(standing: &Standing<'_>) -> Result<(), Refusal> {
    let tenant = &standing.chain.leaf().tenant;
    for (index, (_, writ)) in standing.chain.links().enumerate() {
        if !writ.audience.includes(standing.store) {
            return Err(Refusal::new(Stage::Audience, Code::WrongAudience).at(index).asked(standing.store));
        }
        if writ.tenant != *tenant {
            return Err(Refusal::new(Stage::Audience, Code::WrongTenant).at(index).asked(tenant).allowed(&writ.tenant));
        }
    }
    Ok(())
}

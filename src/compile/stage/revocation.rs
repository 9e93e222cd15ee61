use crate::{
    compile::Standing,
    proposal::{Code, Refusal, Stage},
};

/// A revoked link voids everything below it.
pub(super) fn check(standing: &Standing<'_>) -> Result<(), Refusal> {
    let mut links = standing.chain.links().enumerate();
    match links.find(|(_, (id, _))| standing.revoked.contains(id)) {
        Some((index, (id, _))) => Err(Refusal::new(Stage::Revocation, Code::Revoked).at(index).asked(id)),
        None => Ok(()),
    }
}

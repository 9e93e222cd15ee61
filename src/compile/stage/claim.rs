use crate::proposal::{Claim, ClaimState, Code, Refusal, Stage};

/// One business key, one effect: a call whose key is taken waits for nobody, it is refused.
pub(super) fn check(claim: Option<&Claim>) -> Result<(), Refusal> {
    let Some(claim) = claim else { return Ok(()) };
    let code = match claim.state {
        ClaimState::InDoubt => Code::InDoubt,
        ClaimState::Done => Code::AlreadyDone,
    };
    Err(Refusal::new(Stage::Preconditions, code).at(claim))
}

use crate::{
    compile::Standing,
    proposal::{Code, Refusal, Stage},
};

/// Expiry is judged by the later of clock and record, so that a clock set back revives nothing; beginnings by the clock.
pub(super) fn check(standing: &Standing<'_>) -> Result<(), Refusal> {
    for (index, (_, writ)) in standing.chain.links().enumerate() {
        let refuse = |code| Refusal::new(Stage::Window, code).at(index);
        if standing.now_ms > writ.window.expires_at_ms {
            return Err(refuse(Code::Expired).asked(standing.now_ms).allowed(writ.window.expires_at_ms));
        }
        if standing.clock_ms < writ.window.not_before_ms {
            return Err(refuse(Code::NotYetValid).asked(standing.clock_ms).allowed(writ.window.not_before_ms));
        }
    }
    Ok(())
}

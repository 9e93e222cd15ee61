use crate::{
    compile::Inputs,
    proposal::{Code, Quote, Refusal, Stage},
};

/// What was approved was approved as it stood then: nothing that was read may have moved on.
pub(super) fn check(inputs: &Inputs<'_>, quote: &Quote) -> Result<(), Refusal> {
    let Some(earlier) = inputs.earlier.and_then(|earlier| earlier.decision.quote.as_ref()) else { return Ok(()) };
    if let Some(read) = earlier.reads.iter().find(|read| !quote.reads.contains(read)) {
        return Err(Refusal::new(Stage::Reads, Code::ReadChanged).at(&read.resource).allowed(read.version));
    }
    if earlier.probe != quote.probe {
        return Err(Refusal::new(Stage::Reads, Code::ProbeChanged));
    }
    Ok(())
}

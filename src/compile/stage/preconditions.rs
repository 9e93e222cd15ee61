use crate::proposal::{Code, Quote, Refusal, Stage};

pub(super) fn check(quote: &Quote) -> Result<(), Refusal> {
    if let Some(fault) = &quote.secret {
        return Err(Refusal::new(Stage::Preconditions, Code::SecretUnavailable).at(&fault.pointer));
    }
    match &quote.precondition {
        Some(fault) => Err(Refusal::new(Stage::Preconditions, Code::PreconditionFailed).asked(&fault.code)),
        None => Ok(()),
    }
}

pub(in crate::compile) fn quote_unavailable() -> Refusal {
    Refusal::new(Stage::Preconditions, Code::QuoteUnavailable)
}

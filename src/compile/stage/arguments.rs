use std::borrow::Cow;

use serde_json::Value;

use crate::{
    compile::Inputs,
    contract::{ArgumentFault, SealedContract},
    predicate::{FieldPath, Fields, Truth},
    proposal::{Code, Quote, Refusal, Stage},
    writ::WritBody,
};

pub(super) fn check_schema(inputs: &Inputs<'_>, contract: &SealedContract) -> Result<(), Refusal> {
    let malformed = |pointer: &str| ArgumentFault { keyword: "$secret".into(), pointer: pointer.into() };
    let args = inputs.intent.masked_args();
    let args = args.map_err(|fault| refuse(Code::ArgumentsMalformed, &malformed(&fault.pointer)))?;
    let checked = if inputs.asserts_schema() { contract.check_shape(args) } else { contract.check_arguments(args) };
    checked.map_err(|fault| refuse(Code::SchemaViolation, &fault))
}

/// What the tool's own types said, where it was asked.
pub(super) fn check_asserted(quote: &Quote) -> Result<(), Refusal> {
    quote.arguments.as_ref().map_or(Ok(()), |fault| Err(refuse(Code::ArgumentsMalformed, fault)))
}

fn refuse(code: Code, fault: &ArgumentFault) -> Refusal {
    Refusal::new(Stage::Schema, code).at(&fault.pointer).allowed(&fault.keyword)
}

/// Every link needs a scope that covers the tool and whose condition is true, not merely unknown.
pub(super) fn check_conditions(inputs: &Inputs<'_>, contract: &SealedContract) -> Result<(), Refusal> {
    let args = Arguments(inputs.intent.args());
    let met = |writ: &WritBody| {
        let mut scopes = writ.scopes.iter().filter(|scope| scope.covers(&contract.name, Some(contract)));
        scopes.any(|scope| scope.when.as_ref().is_none_or(|when| when.evaluate(&args) == Truth::True))
    };
    match inputs.standing.chain.links().enumerate().find(|(_, (_, writ))| !met(writ)) {
        Some((index, _)) => Err(Refusal::new(Stage::Conditions, Code::ConditionNotMet).at(index).asked(&contract.name)),
        None => Ok(()),
    }
}

/// The fields that a scope's condition may read: `args.…`.
struct Arguments<'a>(&'a Value);

impl Fields for Arguments<'_> {
    fn field(&self, path: &FieldPath) -> Option<Cow<'_, Value>> {
        (path.step(0) == Some("args")).then(|| path.descend(1, self.0).map(Cow::Borrowed)).flatten()
    }
}

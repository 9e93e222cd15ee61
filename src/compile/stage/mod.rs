//! The stages of a compile, one file each, in the order in which they are passed.

mod approvals;
mod arguments;
mod audience;
mod budget;
mod chain;
mod claim;
mod delegation;
mod effect;
mod gates;
mod kind;
mod policy;
mod preconditions;
mod reads;
mod registry;
mod revocation;
mod scope;
mod skill;
mod window;

pub(super) use delegation::child;
pub(super) use preconditions::quote_unavailable;
pub(super) use registry::unknown_tool;

use crate::{
    compile::{Asked, Child, Inputs, Standing},
    contract::SealedContract,
    proposal::{PolicyTrace, Refusal, Status},
    writ::Amounts,
};

/// The stages that look at the writ chain alone.
pub(super) fn standing(standing: &Standing<'_>) -> Result<(), Refusal> {
    chain::check(standing)?;
    audience::check(standing)?;
    revocation::check(standing)?;
    window::check(standing)
}

/// The stages that need neither the tool nor a reservation. `cost` is what the budget is judged by.
pub(super) fn admission(inputs: &Inputs<'_>, contract: Option<&SealedContract>, cost: &Amounts) -> Result<(), Refusal> {
    kind::check(inputs, contract)?;
    standing(&inputs.standing)?;
    scope::check(inputs, contract)?;
    skill::check_scope(inputs)?;
    let contract = registry::check(inputs, contract)?;
    effect::check(inputs, contract)?;
    skill::check_effect(inputs, contract)?;
    budget::check(inputs.balances, cost)?;
    skill::check_budget(inputs, cost)?;
    arguments::check_schema(inputs, contract)?;
    arguments::check_conditions(inputs, contract)
}

/// How the stages after admission ended, and what the policies said.
pub(super) struct Judged {
    pub(super) outcome: Result<Status, Refusal>,
    pub(super) trace: PolicyTrace,
}

/// The stages after admission. The budget is judged again, now with the quoted cost.
pub(super) fn judgement(
    inputs: &Inputs<'_>,
    contract: &SealedContract,
    asked: &Asked,
    child: &Result<Option<Box<Child>>, Refusal>,
    balances: &[Amounts],
) -> Judged {
    let mut trace = PolicyTrace::default();
    let outcome = judge(inputs, contract, asked, child, balances, &mut trace);
    Judged { outcome, trace }
}

fn judge(
    inputs: &Inputs<'_>,
    contract: &SealedContract,
    Asked { claim, quote }: &Asked,
    child: &Result<Option<Box<Child>>, Refusal>,
    balances: &[Amounts],
    trace: &mut PolicyTrace,
) -> Result<Status, Refusal> {
    budget::check(balances, &quote.cost)?;
    skill::check_budget(inputs, &quote.cost)?;
    arguments::check_asserted(quote)?;
    claim::check(claim.as_ref())?;
    preconditions::check(quote)?;
    reads::check(inputs, quote)?;
    let child = child.as_ref().map_err(Refusal::clone)?.as_deref();
    delegation::check(inputs, quote, child)?;
    let mut asked = Vec::new();
    asked.extend(policy::check(inputs, contract, (quote, child), trace)?);
    asked.extend(gates::risk(inputs, contract));
    asked.extend(gates::compensation(inputs, contract, quote));
    approvals::check(inputs, quote, trace, asked)
}

/// An approval that a stage asks for.
struct Request {
    channel: String,
    reason: String,
}

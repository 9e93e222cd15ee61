//! Intent → Proposal: a pure function over plain data, in named stages.
//!
//! Same inputs, same output, byte for byte. Time, revocations and balances are inputs, so a decision can be derived
//! again from a ledger alone. Nothing here can reach a tool, a store or a clock.
//!
//! A compile has two halves. [`admit`] passes the stages that need nothing but the intent and its authority. Only an
//! [`Admitted`] intent is worth asking its tool for a quote; [`Admitted::decide`] passes the rest. [`compile`] does both.

mod child;
mod inputs;
mod stage;
mod staged;

pub use child::Child;
pub use inputs::{Asked, Inputs, Standing};
pub use staged::Staged;

use std::sync::Arc;

use crate::{
    canon::CanonError,
    contract::SealedContract,
    proposal::{Decision, Plan, PolicyTrace, Proposal, Refusal, Resolved, Status},
    writ::Amounts,
};

/// The version of the compiler's semantics: raised whenever any decision changes for the same inputs.
pub const COMPILER: u32 = 1;

/// What became of an intent.
#[derive(Debug)]
pub enum Compiled {
    /// It may be carried out.
    Staged(Staged),
    /// It waits for approval.
    Suspended(Arc<Proposal>),
    /// It is refused.
    Rejected(Arc<Proposal>),
}

impl Compiled {
    /// The intent with what was decided about it.
    pub fn into_proposal(self) -> Arc<Proposal> {
        match self {
            Self::Staged(staged) => staged.into_proposal(),
            Self::Suspended(proposal) | Self::Rejected(proposal) => proposal,
        }
    }
}

/// An intent that has passed the stages before its tool is asked.
#[derive(Debug)]
pub struct Admitted<'a> {
    inputs: &'a Inputs<'a>,
    contract: SealedContract,
    /// What it resolved to; a delegation does so when it is decided.
    resolved: Option<Resolved>,
}

/// Compiles an intent: all stages, with what was found out about it, if its tool was asked.
///
/// # Errors
/// When something that was to be recorded cannot be sealed; nothing may be done then.
pub fn compile(inputs: &Inputs<'_>, asked: Option<Asked>) -> Result<Compiled, CanonError> {
    // With a quote at hand the budget is judged by what was quoted, as it was when the tool was asked: between admission
    // and decision another run may have spent what was left.
    let cost = if asked.is_some() { Amounts::ZERO } else { Amounts::ONE_CALL };
    match (admit_at(inputs, &cost)?, asked) {
        (Ok(admitted), Some(asked)) => admitted.decide(asked, inputs.balances),
        (Ok(admitted), None) => Ok(Compiled::Rejected(admitted.refuse(stage::quote_unavailable()))),
        (Err(rejected), _) => Ok(Compiled::Rejected(rejected)),
    }
}

/// Passes the stages that the start of a run has to pass: a trusted root, this store, not revoked, in time.
///
/// # Errors
/// The refusal of the first stage that is not passed.
pub fn check_standing(standing: &Standing<'_>) -> Result<(), Refusal> {
    stage::standing(standing)
}

/// Passes the stages up to the arguments' conditions, with one call's cost for the budget.
///
/// # Errors
/// When something that was to be recorded cannot be sealed.
pub fn admit<'a>(inputs: &'a Inputs<'a>) -> Result<Result<Admitted<'a>, Arc<Proposal>>, CanonError> {
    admit_at(inputs, &Amounts::ONE_CALL)
}

fn admit_at<'a>(inputs: &'a Inputs<'a>, cost: &Amounts) -> Result<Result<Admitted<'a>, Arc<Proposal>>, CanonError> {
    let contract = inputs.contracts.get(inputs.intent.record().target.as_str()).cloned();
    let resolved = match &contract {
        Some(contract) if !contract.is_delegate() => {
            let (intent, writ) = (inputs.intent.id(), inputs.standing.chain.id());
            Some(Resolved::new(inputs.trajectory, intent, writ, contract.hash(), Plan::Call)?)
        }
        _ => None,
    };
    let reject = |refusal| propose(inputs, resolved, inputs.balances, None, Status::Rejected(refusal), None);
    Ok(match (stage::admission(inputs, contract.as_ref(), cost), contract) {
        (Ok(()), Some(contract)) => Ok(Admitted { inputs, contract, resolved }),
        (Ok(()), None) => Err(reject(stage::unknown_tool(inputs))),
        (Err(refusal), _) => Err(reject(refusal)),
    })
}

impl Admitted<'_> {
    /// The contract that the intent resolved to.
    pub fn contract(&self) -> &SealedContract {
        &self.contract
    }

    /// Passes the rest of the stages, with what was found out and what every writ of the chain has left.
    ///
    /// # Errors
    /// When something that was to be recorded cannot be sealed.
    pub fn decide(self, asked: Asked, balances: &[Amounts]) -> Result<Compiled, CanonError> {
        let child = stage::child(self.inputs, &self.contract, &asked.quote);
        let resolved = match &child {
            Ok(Some(child)) => Some(self.delegates(child)?),
            _ => self.resolved,
        };
        let judged = stage::judgement(self.inputs, &self.contract, &asked, &child, balances);
        let status = match judged.outcome {
            Ok(status) => status,
            Err(refusal) => Status::Rejected(refusal),
        };
        let trace = Some(judged.trace);
        let proposal = propose(self.inputs, resolved, balances, Some(asked), status, trace);
        Ok(match (&proposal.decision.status, resolved, child) {
            (Status::Staged, Some(resolved), Ok(child)) => {
                Compiled::Staged(Staged::new(proposal, resolved.id, self.inputs.intent, self.contract, child))
            }
            (Status::Suspended { .. }, ..) => Compiled::Suspended(proposal),
            _ => Compiled::Rejected(proposal),
        })
    }

    /// What a delegation resolves to.
    fn delegates(&self, child: &Child) -> Result<Resolved, CanonError> {
        let (intent, writ) = (self.inputs.intent.id(), self.inputs.standing.chain.id());
        let plan = Plan::Delegate { task: child.task.commitment(), writ: child.writ_id };
        Resolved::new(self.inputs.trajectory, intent, writ, self.contract.hash(), plan)
    }

    /// Refuses it for a reason outside the stages, such as a tool that could not be asked.
    pub fn refuse(self, refusal: Refusal) -> Arc<Proposal> {
        let balances = self.inputs.balances;
        propose(self.inputs, self.resolved, balances, None, Status::Rejected(refusal), None)
    }
}

fn propose(
    inputs: &Inputs<'_>,
    resolved: Option<Resolved>,
    balances: &[Amounts],
    asked: Option<Asked>,
    status: Status,
    trace: Option<PolicyTrace>,
) -> Arc<Proposal> {
    let (claim, quote) = match asked {
        Some(Asked { claim, quote }) => (claim, Some(quote)),
        None => (None, None),
    };
    // Large, and handed on by many hands.
    Arc::new(Proposal {
        decision: Decision {
            approvals: inputs.approvals.to_vec(),
            asserted_schema: inputs.asserts_schema(),
            balances: balances.to_vec(),
            claim,
            clock_ms: (inputs.standing.clock_ms != inputs.standing.now_ms).then_some(inputs.standing.clock_ms),
            compiler: COMPILER,
            now_ms: inputs.standing.now_ms,
            policy_set: inputs.policies.hash(),
            quote,
            status,
            trace: trace.unwrap_or_default(),
        },
        intent: inputs.intent.record().clone(),
        resolved,
        writ: inputs.standing.chain.id(),
    })
}

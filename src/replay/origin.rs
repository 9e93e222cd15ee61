//! Checks that proposals are what they say, and that effects and outcomes pair up.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::FaultKind;
use crate::{
    canon::{CanonError, EntryId, MAX_INTEGER, ProposalId, WritId},
    commit::{Commit, Origin},
    contract::Effect,
    ledger::{EntryError, record::InDoubtResolution},
    proposal::{Decision, Plan, Proposal, Resolved, Status},
    replay::AuthorityLog,
    writ::{Amounts, Dimension, Narrowing},
};

/// An effect that was dispatched, and of which the ledger does not say whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownEffect {
    /// The dispatch.
    pub dispatch: EntryId,
    /// Its seq.
    pub seq: u64,
    /// The seq of the entry that holds the arguments: the dispatch itself, or the turn that asked for it.
    pub args_seq: u64,
    /// What is held for it until it is settled; absent when a failure has debited it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Amounts>,
}

/// Dispatches of one trajectory of whose effect nothing is known, by their entries.
#[derive(Debug, Default)]
pub(super) struct Dispatches(HashMap<EntryId, UnknownEffect>);

impl Dispatches {
    pub(super) fn dispatched(&mut self, effect: UnknownEffect) {
        self.0.insert(effect.dispatch, effect);
    }

    /// An outcome refers to a dispatch, which has none yet. It says what happened, or leaves it in doubt.
    pub(super) fn concluded(&mut self, id: EntryId, in_doubt: bool) -> Result<(), FaultKind> {
        let effect = self.0.get_mut(&id).filter(|effect| effect.held.is_some()).ok_or(FaultKind::Dispatch(id))?;
        effect.held = None;
        if !in_doubt {
            self.0.remove(&id);
        }
        Ok(())
    }

    /// A doubt was settled: of a dispatch without an outcome, or with one that says nothing.
    pub(super) fn settled(&mut self, resolution: &InDoubtResolution) -> Result<(), FaultKind> {
        let id = resolution.dispatch;
        let held = self.0.remove(&id).ok_or(FaultKind::Dispatch(id))?.held;
        let cost = held.map_or(Amounts::ZERO, |held| resolution.verdict.cost(&held));
        if resolution.cost == cost { Ok(()) } else { Err(FaultKind::Settlement(id)) }
    }

    /// All of which nothing is known, in the order in which they were dispatched.
    pub(super) fn unknown(&self) -> Vec<UnknownEffect> {
        let mut effects: Vec<_> = self.0.values().copied().collect();
        effects.sort_unstable_by_key(|effect| effect.seq);
        effects
    }

    /// Their dispatches, in that order.
    pub(super) fn ids(&self) -> Vec<EntryId> {
        self.unknown().iter().map(|effect| effect.dispatch).collect()
    }

    /// What is held for a dispatch that has no outcome.
    pub(super) fn held_for(&self, id: &EntryId) -> Option<Amounts> {
        self.0.get(id)?.held
    }

    pub(super) fn held(&self) -> Amounts {
        self.0.values().filter_map(|effect| effect.held).fold(Amounts::ZERO, |sum, held| sum.plus(&held))
    }
}

/// Checks a proposal's ids, writ and contract. `identity` is the id that it has to have, where it resolved to a tool.
pub(super) fn check_proposal(
    proposal: &Proposal,
    identity: Option<Result<ProposalId, CanonError>>,
    writ: WritId,
    log: &AuthorityLog,
) -> Result<(), FaultKind> {
    if proposal.writ != writ {
        return Err(FaultKind::Proposal);
    }
    let Some(resolved) = &proposal.resolved else { return Ok(()) };
    let contract = log.contract(&resolved.contract).ok_or(FaultKind::Contract(resolved.contract))?;
    let identity = identity
        .transpose()
        .map_err(|error| FaultKind::Entry(EntryError::Shape { kind: "proposal".into(), reason: error.to_string() }))?;
    let delegates = matches!(resolved.plan, Plan::Delegate { .. });
    if identity != Some(resolved.id) || contract.name != proposal.intent.target || contract.is_delegate() != delegates {
        return Err(FaultKind::Proposal);
    }
    Ok(())
}

/// Checks that no writ had more left than its budget but for what the run itself used, and that what was staged fits.
pub(super) fn check_balances(
    decision: &Decision,
    budgets: impl ExactSizeIterator<Item = Amounts>,
    used: &Amounts,
) -> Result<(), FaultKind> {
    if decision.balances.len() != budgets.len() {
        return Err(FaultKind::Proposal);
    }
    let cost = decision.quote.as_ref().filter(|_| decision.status == Status::Staged).map(|quote| quote.cost);
    for (budget, left) in budgets.zip(&decision.balances) {
        let most = budget.minus(used);
        // A sum that is held at the largest amount says no more of what is left.
        let exact = |dimension: &Dimension| used.get(*dimension) < MAX_INTEGER;
        let above = Dimension::ALL.into_iter().filter(exact).find(|of| left.get(*of) > most.get(*of));
        if let Some(dimension) = above.or_else(|| left.exceeds(&budget)) {
            return Err(FaultKind::Balance { dimension, said: left.get(dimension), most: most.get(dimension) });
        }
        if let Some(dimension) = cost.and_then(|cost| cost.exceeds(left)) {
            return Err(FaultKind::Cost(dimension));
        }
    }
    Ok(())
}

/// Checks that what was staged is within every skill that the run was bound to.
pub(super) fn check_skills(proposal: &Proposal, skills: &[Narrowing], log: &AuthorityLog) -> Result<(), FaultKind> {
    let Proposal { decision, intent, resolved, .. } = proposal;
    let (Status::Staged, Some(quote), Some(resolved)) = (&decision.status, &decision.quote, resolved) else {
        return Ok(());
    };
    let effect = log.contract(&resolved.contract).map_or(Effect::Irreversible, |contract| contract.effect);
    match skills.iter().find(|narrowing| !narrowing.allows(&intent.target, effect, &quote.cost)) {
        Some(narrowing) => Err(FaultKind::BeyondSkill(narrowing.skill.reference())),
        None => Ok(()),
    }
}

/// Checks that an outcome carries a staged proposal, and that a host effect was dispatched before.
pub(super) fn check_origin(origin: &Origin, log: &AuthorityLog) -> Result<(), FaultKind> {
    let Origin::Proposal(proposal) = origin else { return Ok(()) };
    check_called(proposal)?;
    let contract = proposal.resolved.and_then(|resolved| log.contract(&resolved.contract));
    if contract.is_some_and(crate::contract::Contract::has_host_effect) {
        return Err(FaultKind::Undispatched);
    }
    Ok(())
}

/// What declares to change nothing changes nothing. A dispatched tool declared an effect.
pub(super) fn check_change(commit: &Commit, log: &AuthorityLog) -> Result<(), FaultKind> {
    let Origin::Proposal(proposal) = &commit.origin else { return Ok(()) };
    let contract = proposal.resolved.and_then(|resolved| log.contract(&resolved.contract));
    if contract.is_some_and(|contract| contract.effect == Effect::Read) && !commit.delta.is_empty() {
        return Err(FaultKind::ReadChanged);
    }
    Ok(())
}

/// Only a staged proposal to call a tool reaches one.
pub(super) fn check_called(proposal: &Proposal) -> Result<(), FaultKind> {
    check_staged(proposal)?;
    match proposal.resolved {
        Some(Resolved { plan: Plan::Call, .. }) => Ok(()),
        _ => Err(FaultKind::Proposal),
    }
}

/// Only what was staged is carried out, and a call costs a call, whatever the tool says.
pub(super) fn check_staged(proposal: &Proposal) -> Result<(), FaultKind> {
    match (&proposal.decision.status, &proposal.resolved) {
        (Status::Staged, Some(_)) => match &proposal.decision.quote {
            Some(quote) if quote.cost.tool_calls > 0 => Ok(()),
            _ => Err(FaultKind::Cost(Dimension::ToolCalls)),
        },
        (_, Some(resolved)) => Err(FaultKind::NotStaged(resolved.id)),
        (_, None) => Err(FaultKind::Proposal),
    }
}

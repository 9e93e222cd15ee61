//! Checks that proposals are what they say, and that effects and outcomes pair up.

use std::collections::HashMap;

use super::FaultKind;
use crate::{
    canon::{EntryId, TrajectoryId, WritId},
    commit::{Commit, Origin},
    contract::Effect,
    ledger::EntryError,
    proposal::{Proposal, Resolved, Status},
    replay::AuthorityLog,
    writ::Amounts,
};

/// Dispatches of one trajectory, by what is known of their outcome.
#[derive(Debug, Default)]
pub(super) struct Dispatches {
    /// No outcome yet, and what is held for it.
    open: HashMap<EntryId, Amounts>,
    /// An outcome that says nothing about the effect.
    in_doubt: Vec<EntryId>,
}

impl Dispatches {
    pub(super) fn dispatched(&mut self, id: EntryId, reserved: Amounts) {
        self.open.insert(id, reserved);
    }

    /// An outcome refers to a dispatch: it has to be open, and is not any more.
    pub(super) fn concluded(&mut self, id: EntryId, in_doubt: bool) -> Result<(), FaultKind> {
        self.open.remove(&id).ok_or(FaultKind::Dispatch(id))?;
        if in_doubt {
            self.in_doubt.push(id);
        }
        Ok(())
    }

    /// A doubt was settled: of a dispatch without an outcome, or with one that says nothing.
    pub(super) fn settled(&mut self, id: EntryId) -> Result<(), FaultKind> {
        if self.open.remove(&id).is_none() {
            let at = self.in_doubt.iter().position(|doubt| *doubt == id).ok_or(FaultKind::Dispatch(id))?;
            self.in_doubt.remove(at);
        }
        Ok(())
    }

    pub(super) fn unsettled(&self) -> Vec<EntryId> {
        let mut ids: Vec<_> = self.open.keys().copied().chain(self.in_doubt.iter().copied()).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn held(&self) -> Amounts {
        self.open.values().fold(Amounts::ZERO, |sum, held| sum.plus(held))
    }
}

/// Checks a proposal's ids, writ and contract.
pub(super) fn check_proposal(
    proposal: &Proposal,
    trajectory: TrajectoryId,
    writ: WritId,
    log: &AuthorityLog,
) -> Result<(), FaultKind> {
    if proposal.writ != writ {
        return Err(FaultKind::Proposal);
    }
    let Some(resolved) = &proposal.resolved else { return Ok(()) };
    let contract = log.contract(&resolved.contract).ok_or(FaultKind::Contract(resolved.contract))?;
    let seal = |error: crate::canon::CanonError| {
        FaultKind::Entry(EntryError::Shape { kind: "proposal".into(), reason: error.to_string() })
    };
    let intent = proposal.intent.id().map_err(seal)?;
    let again = Resolved::new(trajectory, intent, writ, resolved.contract, resolved.plan).map_err(seal)?;
    if again.id != resolved.id || contract.name != proposal.intent.target {
        return Err(FaultKind::Proposal);
    }
    Ok(())
}

/// Checks that an outcome carries a staged proposal, and that a host effect was dispatched before.
pub(super) fn check_origin(origin: &Origin, log: &AuthorityLog) -> Result<(), FaultKind> {
    let Origin::Proposal(proposal) = origin else { return Ok(()) };
    check_staged(proposal)?;
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

/// Only a staged proposal reaches a tool.
pub(super) fn check_staged(proposal: &Proposal) -> Result<(), FaultKind> {
    match (&proposal.decision.status, &proposal.resolved) {
        (Status::Staged, Some(_)) => Ok(()),
        (_, Some(resolved)) => Err(FaultKind::NotStaged(resolved.id)),
        (_, None) => Err(FaultKind::Proposal),
    }
}

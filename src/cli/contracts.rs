//! What of a tool's contract is not as it was when somebody approved or pinned it.

use serde::Serialize;

use super::{
    failure::Done,
    out::Out,
    style::{BAD, GOOD, brief, paint, plain},
};
use crate::{
    canon::ContractHash,
    contract::{Contract, ContractDifference},
    ledger::LedgerStore,
    proposal::{Code, Refusal},
    replay::{AuthorityLog, Contracts, authority_of},
};

/// Columns before what is told.
const INDENT: usize = 15;

/// A tool with another contract than the one that was approved or pinned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Renewed {
    pub(super) tool: String,
    /// None where the contract of then is not in this ledger.
    pub(super) differences: Option<Vec<ContractDifference>>,
}

impl Renewed {
    /// What a contract has that another, which is no longer it, had not.
    pub(super) fn between(then: Option<&Contract>, now: &Contract) -> Self {
        let differences = then.and_then(|then| now.differences(then).ok());
        Self { tool: now.name.to_string(), differences }
    }

    /// What a refusal is about, where it is for the contract.
    pub(super) fn of(refusal: &Refusal, log: &AuthorityLog) -> Option<Self> {
        let (now, then) = hashes(refusal)?;
        let now = log.contract(&now)?;
        let then = then.iter().filter_map(|then| log.contract(then)).find(|then| then.name == now.name);
        Some(Self::between(then, now))
    }

    /// What refusals are about that are for the contract, each told once.
    pub(super) async fn of_all(refusals: &[Refusal], store: &dyn LedgerStore) -> Done<Vec<Self>> {
        let wanted: Vec<_> =
            refusals.iter().filter_map(hashes).flat_map(|(now, then)| [vec![now], then].concat()).collect();
        let mut found = Vec::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        let log = authority_of(store, None, Contracts::Of(&wanted)).await?;
        for renewed in refusals.iter().filter_map(|refusal| Self::of(refusal, &log)) {
            if !found.contains(&renewed) {
                found.push(renewed);
            }
        }
        Ok(found)
    }

    /// Shows it, a line for each part that differs.
    pub(super) fn show(&self, out: &mut Out) {
        let Some(differences) = &self.differences else {
            return out.detail("contract", "what was pinned is not in this ledger: it cannot be compared");
        };
        let room = out.width().saturating_sub(INDENT);
        for (index, ContractDifference { pointer, was, is }) in differences.iter().enumerate() {
            out.detail(if index == 0 { "contract" } else { "" }, plain(pointer));
            for (sign, style, value) in [("-", BAD, was), ("+", GOOD, is)] {
                if let Some(value) = value {
                    out.detail("", paint(style, format!("{sign} {}", brief(value, room.saturating_sub(2)))));
                }
            }
        }
    }
}

/// The contract that was refused, and those that would have been allowed.
fn hashes(refusal: &Refusal) -> Option<(ContractHash, Vec<ContractHash>)> {
    if !matches!(refusal.code, Code::ContractChanged | Code::ContractNotPinned) {
        return None;
    }
    let allowed = refusal.allowed.as_deref().unwrap_or_default();
    Some((refusal.asked.as_deref()?.parse().ok()?, allowed.split(' ').filter_map(|hash| hash.parse().ok()).collect()))
}

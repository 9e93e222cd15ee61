use std::collections::BTreeSet;

use crate::{
    canon::{PolicySetHash, WritId},
    policy::{BundleEntry, PolicySet, PolicySetDefinition},
    replay::{
        AuthorityLog, ReplayError,
        rederive::{Gap, Ready},
    },
    writ::{Amounts, WritChain},
};

/// What is put in the place of what is on record. By itself it changes nothing.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The rules, in place of those of every policy set on record. Gates, and what policies written in Rust said, stay.
    pub rules: Option<Vec<BundleEntry>>,
    /// Writs that are revoked from the start.
    pub revoked: BTreeSet<WritId>,
    /// The writ chain of every run. Its own authority is judged like that of any other. Who may start a run under it is not
    /// asked, and what was asked for before its window begins is judged as of then: a writ of today can be tried on yesterday.
    pub writ: Option<WritChain>,
}

/// A change, made ready for many decisions.
#[derive(Debug)]
pub(in crate::replay) struct Premise {
    pub(super) change: Change,
    /// The policy sets of the ledger with other rules.
    sets: Ready<PolicySetHash, PolicySet>,
}

impl Premise {
    /// Checks the rules against every contract of a ledger.
    pub(super) fn new(change: Change, log: &AuthorityLog) -> Result<Self, ReplayError> {
        if let Some(rules) = &change.rules {
            let set = PolicySet::without_engines(PolicySetDefinition { bundles: rules.clone(), ..Default::default() });
            set?.check_each(&log.contracts()).map_err(ReplayError::Rules)?;
        }
        Ok(Self { change, sets: Ready::default() })
    }

    /// What judges in place of a policy set on record.
    pub(super) fn policies(&self, recorded: &PolicySet) -> Result<PolicySet, Gap> {
        let Some(rules) = &self.change.rules else { return Ok(recorded.clone()) };
        let make = || {
            let definition = PolicySetDefinition { bundles: rules.clone(), ..recorded.definition().clone() };
            PolicySet::without_engines(definition).ok()
        };
        self.sets.get(recorded.hash(), make).ok_or(Gap::PolicySet(recorded.hash()))
    }

    /// The chain in place of the one on record, with what each of its writs would have left.
    pub(super) fn chain<'a>(&'a self, recorded: &'a WritChain, left: &[Amounts]) -> (&'a WritChain, Vec<Amounts>) {
        match &self.change.writ {
            Some(chain) if chain.id() != recorded.id() => (chain, balances(chain, recorded, left)),
            _ => (recorded, left.to_vec()),
        }
    }

    /// Which writs of a chain are revoked.
    pub(super) fn revoked(&self, chain: &WritChain, recorded: &BTreeSet<WritId>) -> BTreeSet<WritId> {
        let ids = chain.links().map(|(id, _)| id);
        ids.filter(|id| recorded.contains(id) || self.change.revoked.contains(id)).collect()
    }
}

/// What clock and record would say under a chain that stands in for another: nothing earlier than its window begins.
pub(super) fn times(chain: &WritChain, clock_ms: u64, now_ms: u64) -> (u64, u64) {
    let begins_ms = chain.links().map(|(_, writ)| writ.window.not_before_ms).max().unwrap_or(0);
    let later_ms = begins_ms.saturating_sub(clock_ms);
    (clock_ms.saturating_add(later_ms), now_ms.saturating_add(later_ms))
}

/// What the writs of a chain would have left: one that is on record, as recorded; any other, its budget without what was spent
/// and held under the writ that it stands in for.
fn balances(chain: &WritChain, recorded: &WritChain, left: &[Amounts]) -> Vec<Amounts> {
    let used = left.last().map_or(Amounts::ZERO, |left| recorded.leaf().budget.minus(left));
    let known = |id| recorded.links().zip(left).find(|((of, _), _)| *of == id).map(|(_, left)| *left);
    chain.links().map(|(id, writ)| known(id).unwrap_or_else(|| writ.budget.minus(&used))).collect()
}

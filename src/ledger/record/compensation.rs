use serde::{Deserialize, Serialize};

use crate::{
    canon::{CanonError, ContractHash, EffectsHash, EntryId, Nonce, PolicySetHash, StatementHash, StoreId, at_most},
    canon::{Commitment, TrajectoryId, WritId, domain},
    commit::Undo,
    crypto::Signature,
    writ::{MAX_CHAIN_LINKS, SignedWrit},
};

/// The most effects that one `compensation` may plan to undo.
pub const MAX_PLAN: usize = 1_024;

/// `compensation`: a writ is presented to undo what the run did, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compensation {
    /// The presented writ chain, root first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_CHAIN_LINKS>")]
    pub chain: Vec<SignedWrit>,
    /// The contracts of all tools that are registered now, by name of tool.
    pub contracts: Vec<ContractHash>,
    /// The policy set in force now.
    pub policy_set: PolicySetHash,
    /// The signature of the last writ's subject over the statement's hash.
    pub signature: Signature,
    /// What was signed.
    pub statement: CompensationStatement,
}

/// What the subject of a writ signs to undo what a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompensationStatement {
    /// The effects of the run before those of the plan.
    pub base: EffectsHash,
    /// Makes equal statements different.
    pub nonce: Nonce,
    /// What is to be undone: all effects after those of the base that were not undone, the oldest first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_PLAN>")]
    pub plan: Vec<Target>,
    /// The store.
    pub store: StoreId,
    /// The entry to which everything is to be undone; it stays.
    pub to: EntryId,
    /// The run.
    pub trajectory: TrajectoryId,
    /// The presented writ.
    pub writ: WritId,
}

impl CompensationStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for ids and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

/// An effect of a run that an undo has to deal with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The entry that says that it happened.
    pub entry: EntryId,
    /// Whether it stays as it is, on the word of whoever signs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// The entry's seq.
    pub seq: u64,
    /// The call that undoes it, where its tool said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

impl EffectsHash {
    /// These effects, and one more.
    #[must_use]
    pub fn and(&self, effect: &Target) -> Self {
        let Target { entry, seq, undo, .. } = effect;
        let (args, tool) = match undo {
            Some(Undo { args, tool }) => (args, tool.as_str()),
            None => (&Commitment::ZERO, ""),
        };
        let parts = [self.as_bytes(), &seq.to_be_bytes()[..], entry.as_bytes(), args.as_bytes(), tool.as_bytes()];
        Self(domain::EFFECTS.hash(&parts))
    }
}

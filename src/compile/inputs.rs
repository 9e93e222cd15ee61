use std::collections::BTreeSet;

use crate::{
    canon::{StoreId, TrajectoryId, WritId},
    contract::{ContractSet, ToolName},
    crypto::Trust,
    intent::SealedIntent,
    policy::{PolicySet, Roster},
    proposal::{ApprovalEvidence, Claim, Decision, Proposal, Quote},
    world::World,
    writ::{Amounts, Narrowing, WritChain},
};

/// Everything that a decision depends on, as plain data.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The votes that counted, by channel.
    pub approvals: &'a [ApprovalEvidence],
    /// What every writ of the chain has left, root first.
    pub balances: &'a [Amounts],
    /// Whether the run is a branch, which explores: no tool touches the host but to read it, and nothing is handed down.
    pub branch: bool,
    /// The contracts of the registered tools.
    pub contracts: &'a ContractSet,
    /// The tools of calls that were denied in this run: they are not handed down.
    pub denied: &'a [ToolName],
    /// The proposal that waited for approval, when it is compiled once more: all that it rested on has to be as it was.
    pub earlier: Option<&'a Proposal>,
    /// What is asked.
    pub intent: &'a SealedIntent,
    /// The policies.
    pub policies: &'a PolicySet,
    /// The decision that is derived again; `None` when it is made. What only Rust code can say is taken from it: the verdicts of
    /// policies, and whether the tool's own types stood in for the schema.
    pub recorded: Option<&'a Decision>,
    /// Who may approve, by channel; `None` where no roster is in force.
    pub roster: Option<&'a Roster>,
    /// What the skills that the run is bound to still allow, in the order in which they were bound.
    pub skills: &'a [Narrowing],
    /// The authority that it stands on.
    pub standing: Standing<'a>,
    /// The trajectory.
    pub trajectory: TrajectoryId,
    /// The world.
    pub world: &'a World,
}

impl Inputs<'_> {
    /// Whether the tool's own types stand in for the schema.
    pub(super) fn asserts_schema(&self) -> bool {
        cfg!(not(feature = "schema")) || self.recorded.is_some_and(|recorded| recorded.asserted_schema)
    }
}

/// What was found out about an admitted intent before it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The earlier call with the business key that the tool named, as the store has it.
    pub claim: Option<Claim>,
    /// What the tool said.
    pub quote: Quote,
}

impl From<Quote> for Asked {
    /// The quote of a call that no other stands in the way of.
    fn from(quote: Quote) -> Self {
        Self { claim: None, quote }
    }
}

/// The authority that an intent, or the start of a run, stands on.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The writ chain; its signatures and links hold.
    pub chain: &'a WritChain,
    /// What the clock says, in milliseconds since 1970.
    pub clock_ms: u64,
    /// The later of the clock and the latest time on record.
    pub now_ms: u64,
    /// The writs that are revoked.
    pub revoked: &'a BTreeSet<WritId>,
    /// The store.
    pub store: StoreId,
    /// The roots of trust.
    pub trust: &'a Trust,
}

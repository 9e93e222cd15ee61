//! What a call leaves in the registers: that its proposal was carried out, and who has its business key.

use super::journal::Journal;
use crate::{
    canon::{BusinessKeyHash, EntryId, ProposalId},
    ledger::{
        RegisterKey, RegisterOp,
        record::WhatHappened,
        register::{ProposalState, claim_bytes},
    },
    proposal::{Claim, ClaimState},
};

/// A call, as the registers know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Called {
    pub(crate) proposal: ProposalId,
    /// The business key, where the tool named one.
    pub(crate) key: Option<BusinessKeyHash>,
    /// What it undoes, where it is a step of an undo.
    pub(crate) compensates: Option<EntryId>,
    /// The seq of the request for approval that it waited on.
    pub(crate) request: Option<u64>,
    /// Whether the same proposal can come again: its intent is in its author's hands.
    pub(crate) may_come_again: bool,
}

impl Called {
    /// The operations beside its dispatch: nobody dispatched it before, nobody has its key, and now it has both.
    pub(crate) fn dispatching(&self, journal: &Journal) -> Vec<RegisterOp> {
        let seq = journal.next_seq;
        let mut ops = first(RegisterKey::outcome(&self.proposal), ProposalState::Dispatched { seq }.to_bytes());
        ops.extend(self.claim(journal, ClaimState::InDoubt));
        ops.extend(self.undoes(journal, ClaimState::InDoubt));
        ops.extend(journal.answered(self.request));
        ops
    }

    /// The operations beside the outcome of what was dispatched.
    pub(crate) fn concluding(&self, journal: &Journal, effect: WhatHappened) -> Vec<RegisterOp> {
        let value = Some(ProposalState::Concluded { seq: journal.next_seq }.to_bytes());
        let mut ops = vec![RegisterOp::Set { key: RegisterKey::outcome(&self.proposal), value }];
        for key in self.key.as_ref().map(RegisterKey::business_key).into_iter().chain(self.undone()) {
            match effect {
                WhatHappened::None => ops.push(RegisterOp::Set { key, value: None }),
                WhatHappened::Happened => {
                    let claim = claim(journal, ClaimState::Done);
                    ops.push(RegisterOp::Set { key, value: Some(claim_bytes(&claim)) });
                }
                WhatHappened::Unknown => {}
            }
        }
        ops
    }

    /// The operations beside the outcome of what touched only the world.
    pub(crate) fn done_at_once(&self, journal: &Journal, committed: bool) -> Vec<RegisterOp> {
        let mut ops = Vec::new();
        if self.may_come_again {
            let state = ProposalState::Concluded { seq: journal.next_seq };
            ops.extend(first(RegisterKey::outcome(&self.proposal), state.to_bytes()));
        }
        if committed {
            ops.extend(self.claim(journal, ClaimState::Done));
            ops.extend(self.undoes(journal, ClaimState::Done));
        }
        ops.extend(journal.answered(self.request));
        ops
    }

    /// The register that says that what it undoes is undone.
    fn undone(&self) -> Option<RegisterKey> {
        self.compensates.as_ref().map(RegisterKey::compensated)
    }

    /// Nobody undid it before, and now this call does.
    fn undoes(&self, journal: &Journal, state: ClaimState) -> Vec<RegisterOp> {
        self.undone().map(|key| first(key, claim_bytes(&claim(journal, state)))).unwrap_or_default()
    }

    fn claim(&self, journal: &Journal, state: ClaimState) -> Vec<RegisterOp> {
        let taken = |key: &BusinessKeyHash| first(RegisterKey::business_key(key), claim_bytes(&claim(journal, state)));
        self.key.as_ref().map(taken).unwrap_or_default()
    }
}

/// A claim by the next entry of a run.
fn claim(journal: &Journal, state: ClaimState) -> Claim {
    Claim { seq: journal.next_seq, state, trajectory: journal.trajectory }
}

/// Sets a register that nobody has set.
fn first(key: RegisterKey, value: crate::canon::Bytes) -> Vec<RegisterOp> {
    vec![RegisterOp::Expect { key: key.clone(), value: None }, RegisterOp::Set { key, value: Some(value) }]
}

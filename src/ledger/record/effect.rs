use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    canon::{CanonError, Commitment, EntryId, StatementHash, domain, words},
    commit::{Observation, Origin, Undo},
    crypto::{NamedKey, Signature},
    intent::IntentRecord,
    proposal::Proposal,
    writ::Amounts,
};

/// `dispatch`: durable before a tool touches the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatch {
    /// The entry whose effect it undoes, when it is a step of an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensates: Option<EntryId>,
    /// What is carried out.
    pub proposal: Arc<Proposal>,
    /// What is held on every account of the chain until the outcome is recorded.
    pub reserved: Amounts,
}

/// `failure`: a staged proposal that did not commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Why.
    pub cause: FailureCause,
    /// What it cost.
    pub cost: Amounts,
    /// Commits to a message, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Commitment>,
    /// Whether the effect happened.
    pub effect: WhatHappened,
    /// What the tool observed, where it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Observation>,
    /// Where the proposal stands.
    pub origin: Origin,
    /// How to undo it, where the effect happened and the tool said how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// Whether an effect happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhatHappened {
    /// It did not.
    None,
    /// It did.
    Happened,
    /// Nobody knows yet: it is in doubt until an `in_doubt_resolution` says.
    Unknown,
}
words!(WhatHappened, "effect outcome", { None = "none", Happened = "happened", Unknown = "unknown" });

/// Why a staged proposal did not commit. Causes of operations that are yet to come are part of the format already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureCause {
    /// The tool says that it did nothing.
    NotDone,
    /// The tool failed.
    ToolFailed,
    /// The tool panicked.
    ToolPanicked,
    /// The tool did not return in time.
    TimedOut,
    /// The run was cancelled while the tool ran.
    Cancelled,
    /// The tool's result does not meet its own postcondition.
    Postcondition,
    /// The tool's delta does not apply to the world.
    DeltaConflict,
    /// The tool's result cannot be sealed or is too large.
    BadResult,
    /// The call cost more than the quote allowed.
    CostOverrun,
    /// The entry that would have committed could not be stored; recorded when the ledger was opened again.
    CommitFailed,
    /// The process ended between dispatch and outcome.
    Interrupted,
}
words!(FailureCause, "failure cause", {
    NotDone = "not_done", ToolFailed = "tool_failed", ToolPanicked = "tool_panicked", TimedOut = "timed_out",
    Cancelled = "cancelled", Postcondition = "postcondition", DeltaConflict = "delta_conflict",
    BadResult = "bad_result", CostOverrun = "cost_overrun", CommitFailed = "commit_failed", Interrupted = "interrupted",
});

impl FailureCause {
    /// Whether the tool had returned an output, so that its effect is known to have happened.
    pub fn follows_an_output(self) -> bool {
        matches!(self, Self::Postcondition | Self::DeltaConflict | Self::BadResult | Self::CostOverrun)
    }
}

/// `rejection`: an intent that was refused before any tool ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rejection {
    /// A compile refused it; the decision says why.
    Refused(Arc<Proposal>),
    /// The run was taken up again, and nothing on record says what became of it. Nothing did: no effect was dispatched for
    /// it, and the world is unchanged.
    Abandoned {
        /// The entry that took the run up.
        by: EntryId,
        /// What was asked.
        intent: IntentRecord,
    },
    /// It was not compiled, since an intent before it in the same turn is suspended, in doubt, or ended the run.
    NotAttempted {
        /// The entry that stopped the turn.
        after: EntryId,
        /// What was asked.
        intent: IntentRecord,
    },
}

/// `in_doubt_resolution`: an effect in doubt was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InDoubtResolution {
    /// What is debited for it now, in place of what was held; nothing when a failure debited it before.
    pub cost: Amounts,
    /// The dispatch.
    pub dispatch: EntryId,
    /// Commits to a note, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Commitment>,
    /// The operator who settled it; absent when the tool's `reconcile` did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// What was found.
    pub verdict: HappenedVerdict,
}

/// Who settled an effect in doubt: a trusted approver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The operator's key.
    pub key: NamedKey,
    /// Signature over the statement's hash.
    pub signature: Signature,
}

/// What an operator signs to settle an effect in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolutionStatement {
    /// Who settles it.
    pub by: NamedKey,
    /// The dispatch.
    pub dispatch: EntryId,
    /// Commits to a note, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Commitment>,
    /// What was found.
    pub verdict: HappenedVerdict,
}

impl ResolutionStatement {
    /// The hash that is signed.
    ///
    /// # Errors
    /// Never for ids and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<StatementHash, CanonError> {
        Ok(StatementHash(domain::STATEMENT.hash_sealed(self)?))
    }
}

impl InDoubtResolution {
    /// What its operator signed; `None` when no operator settled it.
    pub fn statement(&self) -> Option<ResolutionStatement> {
        let Operator { key, .. } = self.operator.as_ref()?;
        let Self { dispatch, note, verdict, .. } = *self;
        Some(ResolutionStatement { by: key.clone(), dispatch, note, verdict })
    }
}

/// Whether an effect in doubt happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HappenedVerdict {
    /// It did.
    Happened,
    /// It did not.
    NotDone,
}
impl HappenedVerdict {
    /// What is debited for an effect for which `held` was held until then: what was not done costs the call alone.
    pub fn cost(self, held: &Amounts) -> Amounts {
        match self {
            Self::Happened => *held,
            Self::NotDone => held.calls(),
        }
    }
}
words!(HappenedVerdict, "verdict on an effect in doubt", { Happened = "happened", NotDone = "not_done" });

/// `compensation_halt`: undoing stopped before it was complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompensationHalt {
    /// The entry whose effect could not be undone; where an effect in doubt is in the way, its dispatch.
    pub at: EntryId,
    /// A short stable code for why.
    pub cause: String,
    /// Commits to a message, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Commitment>,
    /// The entry to which everything was to be undone.
    pub to: EntryId,
}

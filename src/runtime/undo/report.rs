use crate::{
    canon::{EntryId, TrajectoryId},
    contract::ToolName,
    crypto::SignatureError,
    ledger::record::{FailureCause, Target, WhatHappened},
    proposal::Refusal,
    replay::ReplayError,
    runtime::{RunError, StartError},
};

/// What came of undoing a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rollback {
    /// What was undone, in this order.
    pub undone: Vec<Undone>,
    /// Where it stopped; `None` when all is undone that was to be.
    pub halted: Option<Halt>,
    /// What of the portion that it stopped in is still to be undone, the newest first.
    pub left: Vec<Target>,
}

/// An effect that was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The run: the one that was rolled back, or one below it.
    pub run: TrajectoryId,
    /// The entry that says that it happened.
    pub effect: EntryId,
    /// Its seq.
    pub seq: u64,
    /// The tool that undid it.
    pub tool: ToolName,
    /// The commit that undoes it.
    pub by: EntryId,
    /// Its seq.
    pub by_seq: u64,
}

/// Where undoing stopped, and why. It is on record, and a later rollback goes on from there.
#[derive(Debug, Clone, PartialEq)]
pub struct Halt {
    /// The run: the one that was rolled back, or one below it.
    pub run: TrajectoryId,
    /// The entry whose effect is not undone; where an effect in doubt is in the way, its dispatch.
    pub at: EntryId,
    /// Its seq.
    pub seq: u64,
    /// Why.
    pub cause: HaltCause,
    /// What there is to say about it.
    pub message: String,
    /// The entry that records it.
    pub entry: EntryId,
}

/// Why undoing stopped.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HaltCause {
    /// Its tool did not say how to undo it.
    NotCompensable,
    /// The arguments of the call that undoes it were erased.
    Erased,
    /// An effect that came after it, or a step that undoes it, is in doubt.
    InDoubt,
    /// The call that undoes it was refused.
    Refused(Refusal),
    /// The call that undoes it waits for approval.
    Suspended {
        /// The request.
        request: EntryId,
        /// Its seq.
        seq: u64,
        /// Who is asked.
        channel: String,
    },
    /// The call that undoes it failed.
    Failed {
        /// Why.
        cause: FailureCause,
        /// Whether it was undone all the same.
        effect: WhatHappened,
    },
}

impl HaltCause {
    /// The cause as the ledger records it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCompensable => "not_compensable",
            Self::Erased => "erased",
            Self::InDoubt => "in_doubt",
            Self::Refused(_) => "refused",
            Self::Suspended { .. } => "suspended",
            Self::Failed { .. } => "failed",
        }
    }
}

/// Why a run could not be undone, or not further. What was undone is on record, and is not undone again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// The run has no such entry.
    #[error("entry {} is not in the run: nothing was undone", .0.short())]
    NotThere(EntryId),
    /// What is to be kept is none of the effects that are to be undone.
    #[error("entry {} is not among what is to be undone, so it cannot be kept", .0.short())]
    NotKept(EntryId),
    /// An undo that was begun and not done comes before what was asked for.
    #[error("entry {} was to be undone before and is not: roll back to what is before it", .0.short())]
    Unfinished(EntryId),
    /// The presented writ is the run's own.
    #[error("the writ is that of the run, or of one below it: present another one for the undo, such as a child of it")]
    OwnWrit,
    /// The signer's signature does not verify under its key.
    #[error(transparent)]
    Signature(SignatureError),
    /// The writ is not good for it, which is recorded as a refused start; or the run cannot be taken up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What the run did does not verify.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The ledger or a key failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

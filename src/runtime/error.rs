use super::BindError;
use crate::{
    canon::{CanonError, EntryId, TrajectoryId},
    crypto::PublicKey,
    delegation::ChildFault,
    execute::ConcludeError,
    host::{EntropyError, SignError},
    intent::IntentError,
    ledger::{EntryError, StoreError},
    proposal::Refusal,
    replay::ReplayError,
    writ::ChainError,
};

/// Why a run could not be started or taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The writ is not good for a start. The refusal is recorded in the authority trajectory.
    #[error("start refused: {0}")]
    Refused(Refusal),
    /// The writ chain does not hold. The refusal is recorded in the authority trajectory.
    #[error("start refused: {fault}")]
    InvalidChain {
        /// What does not hold.
        fault: Box<ChainError>,
        /// The refusal as it is recorded.
        refusal: Refusal,
    },
    /// The runtime was opened for the authority alone.
    #[error("this runtime was opened for the authority alone: open one without `Builder::authority_only` to run")]
    AuthorityOnly,
    /// The run cannot be bound to a skill; nothing was recorded.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The run has no entry of that number.
    #[error("run {} has no entry {seq}: its last one is {last}", run.short())]
    NoEntry {
        /// The run.
        run: TrajectoryId,
        /// The number.
        seq: u64,
        /// The seq of its last entry.
        last: u64,
    },
    /// The run has ended; nothing can be added to it.
    #[error("run {} has ended", .0.short())]
    Ended(TrajectoryId),
    /// A call of the run is under way in this process.
    #[error("dispatch {} of run {} is under way in this process: let it end, or drop the handles of the run", dispatch.short(), run.short())]
    UnderWay {
        /// The run.
        run: TrajectoryId,
        /// The dispatch.
        dispatch: EntryId,
    },
    /// Not all of the run could be verified by this build, so it is not taken up.
    #[error("run {} cannot be taken up: {reason}", run.short())]
    Incomplete {
        /// The run.
        run: TrajectoryId,
        /// What could not be verified.
        reason: String,
    },
    /// The run does not verify, or there is none.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The ledger or a key failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Why a run could not do what it was asked. Refusals and failures of tools are outcomes, not errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The intent cannot be sealed, so there is nothing to decide.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// The ledger failed. What was acknowledged is there; resume the run to go on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tool ran, and its outcome could not be recorded: the effect is in doubt. Resume the run to go on.
    #[error("the outcome of dispatch {} could not be recorded: {source}", dispatch.short())]
    OutcomeNotRecorded {
        /// The dispatch.
        dispatch: EntryId,
        /// Why.
        source: Box<RunError>,
    },
    /// The intent was sealed with a secret in it, so nothing of it is recorded.
    #[error(
        "rule `{rule}` finds a secret in clear in the sealed intent's {place}: submit the intent unsealed, with \
         `Run::submit`"
    )]
    SecretInClear {
        /// The part of the intent.
        place: &'static str,
        /// The rule.
        rule: String,
    },
    /// The run has no open child of that id.
    #[error("run {} is no child of this run, or what came of it is on record", .0.short())]
    NoChild(TrajectoryId),
    /// The child has not ended.
    #[error("child {} has not ended", .0.short())]
    ChildOpen(TrajectoryId),
    /// A child could not be taken up, ended or read.
    #[error("child {}: {source}", run.short())]
    Child {
        /// The child.
        run: TrajectoryId,
        /// Why.
        source: Box<StartError>,
    },
    /// The writ of a child could not be signed as it was decided.
    #[error(transparent)]
    Chain(Box<ChainError>),
    /// What was recorded does not fit the children of the run.
    #[error(transparent)]
    Children(#[from] ChildFault),
    /// Another drive of this run is under way.
    #[error("another drive of this run is under way")]
    Driven,
    /// The run has ended.
    #[error("the run has ended")]
    Ended,
    /// An earlier failure, or another writer, left this handle behind the ledger. Resume the run to go on.
    #[error("this run's handle is behind the ledger: resume the run")]
    Stale,
    /// The ledger's entries are signed by a key that this runtime does not hold.
    #[error(
        "the ledger's entries are signed by key {key} now, which this runtime does not hold: open the ledger with it"
    )]
    KeyReplaced {
        /// The key.
        key: PublicKey,
    },
    /// An entry could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Randomness could not be had.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Something that was to be recorded cannot be sealed.
    #[error(transparent)]
    Seal(#[from] CanonError),
    /// A stored record cannot be read.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl RunError {
    /// Whether the store may have stored what it failed to acknowledge.
    pub(super) fn is_unclear(&self) -> bool {
        matches!(self, Self::Store(error) if !error.is_conflict())
    }
}

impl From<ChainError> for RunError {
    fn from(error: ChainError) -> Self {
        Self::Chain(Box::new(error))
    }
}

impl From<ConcludeError> for RunError {
    fn from(error: ConcludeError) -> Self {
        match error {
            ConcludeError::Entropy(error) => Self::Entropy(error),
            ConcludeError::Seal(error) => Self::Seal(error),
        }
    }
}

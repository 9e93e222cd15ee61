use super::{Difference, LineageFault, StoreFault, UndoFault};
use crate::{
    approval::RequestFault,
    canon::{ContractHash, EntryId, PolicySetHash, ProposalId, SkillHash, TrajectoryId, WorldRoot},
    crypto::SignatureError,
    delegation::ChildFault,
    ledger::{AuthorityError, EntryError, StoreError},
    policy::{DefinitionError, RuleFault},
    world::FoldError,
    writ::{ChainError, Dimension},
};

/// The first thing that does not hold, and the entry where it was found.
#[derive(Debug, thiserror::Error)]
#[error("entry {seq} ({kind}, {}): {reason}", id.short())]
pub struct Fault {
    /// The entry's seq; for a missing entry, the seq that it would have.
    pub seq: u64,
    /// The entry's kind in words, or its number.
    pub kind: String,
    /// The entry's id.
    pub id: EntryId,
    /// What does not hold.
    pub reason: FaultKind,
}

/// What does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// Its parts do not belong together, or its signature does not verify.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It belongs to another store.
    #[error("it belongs to another store")]
    Store,
    /// It belongs to another trajectory.
    #[error("it belongs to another trajectory")]
    Trajectory,
    /// Its seq does not follow.
    #[error("expected seq {expected}: an entry is missing, doubled or out of order")]
    Seq {
        /// The seq that was expected.
        expected: u64,
    },
    /// Its parent is not the entry before it.
    #[error("its parent is not the entry before it")]
    Parent,
    /// Its signing key is not one of the runtime's.
    #[error("signed by key {0}, which is not the runtime's")]
    Signer(crate::canon::KeyId),
    /// It was decided under an authority entry that is not there, or that is older than the one before.
    #[error("it was decided under authority entry {}, which is not there or out of order", .0.short())]
    Authority(EntryId),
    /// An authority entry has no force.
    #[error(transparent)]
    Force(#[from] AuthorityError),
    /// A kind that does not belong on this trajectory, or not here.
    #[error("an entry of this kind does not belong here")]
    Misplaced,
    /// The trajectory's id is not the hash of its start.
    #[error("the trajectory's id is not the hash of its start")]
    Start,
    /// The start is not signed by the subject of the writ.
    #[error("start: {0}")]
    StartSignature(SignatureError),
    /// The writ chain does not hold.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The root writ's issuer was not trusted.
    #[error("the root writ's issuer {0} was not trusted")]
    Untrusted(crate::crypto::PublicKey),
    /// The proposal's id is not that of its contents.
    #[error("the proposal's id does not match its contents")]
    Proposal,
    /// An outcome whose proposal was not staged.
    #[error("proposal {} was carried out and its decision is not `staged`", .0.short())]
    NotStaged(ProposalId),
    /// A refusal or a request for approval whose decision is another.
    #[error("the decision of its proposal is not `{expected}`")]
    Status {
        /// What it would be.
        expected: &'static str,
    },
    /// An outcome without a dispatch, or with one that has an outcome already.
    #[error("it refers to dispatch {}, which is not there or has an outcome already", .0.short())]
    Dispatch(EntryId),
    /// An effect in doubt was settled at another cost than what was held for it.
    #[error("the doubt about dispatch {} is settled at another cost than was held for it", .0.short())]
    Settlement(EntryId),
    /// An effect in doubt was settled by a key that may not.
    #[error("a doubt was settled by {0}, which is not trusted as approver")]
    NotApprover(crate::crypto::PublicKey),
    /// An operator's signature does not verify.
    #[error("the settlement of a doubt: {0}")]
    Operator(SignatureError),
    /// A proposal that was dispatched before in this run.
    #[error("proposal {} was dispatched before", .0.short())]
    DispatchedTwice(ProposalId),
    /// The run was taken up with another account of what it left open than its entries give.
    #[error("what it says of the abandoned turn or of effects in doubt is not what the entries before it say")]
    Untold,
    /// A decision on a balance that there cannot have been.
    #[error("decided with {said} {} left, and no more than {most} can have been left", dimension.as_str())]
    Balance {
        /// The dimension.
        dimension: Dimension,
        /// The balance in the decision.
        said: u64,
        /// The most that there can have been.
        most: u64,
    },
    /// A cost above what was left or quoted.
    #[error("it costs more {} than was left or quoted", .0.as_str())]
    Cost(Dimension),
    /// A tool that declares to change nothing changed the world.
    #[error("a tool that declares to change nothing changed the world")]
    ReadChanged,
    /// A host effect without a dispatch.
    #[error("a tool with a host effect was carried out without a dispatch")]
    Undispatched,
    /// A step of an undo, or what was presented for it, that does not fit what the run did.
    #[error(transparent)]
    Undo(#[from] UndoFault),
    /// A vote, the end of a request for approval, or a decision that does not fit the requests that wait.
    #[error(transparent)]
    Request(#[from] RequestFault),
    /// The branch point is not an entry of its parent.
    #[error("it branches off entry {}, which its parent does not have there", .0.short())]
    BranchPoint(EntryId),
    /// It does not fit the children that the run started.
    #[error(transparent)]
    Child(#[from] ChildFault),
    /// A decision by a policy set that was not in force.
    #[error("decided by policy set {0}, which was not in force")]
    NotInForce(PolicySetHash),
    /// A decision that does not follow from what it was made from.
    #[error("its decision does not follow: {0}")]
    Decision(Box<Difference>),
    /// The end of the run does not sum up what its entries cost.
    #[error("the run's end does not sum up what its entries cost")]
    Spent,
    /// A skill's definition that is not the one of its hash.
    #[error("the skill's definition is not the one of hash {0}")]
    Skill(SkillHash),
    /// A proposal was carried out that a skill which the run was bound to does not allow.
    #[error("a proposal was carried out that skill `{0}`, which the run was bound to, does not allow")]
    BeyondSkill(String),
    /// A contract that is not recorded.
    #[error("contract {0} is not recorded")]
    Contract(ContractHash),
    /// A delta that does not apply.
    #[error("the change does not apply: {0}")]
    Fold(#[from] FoldError),
    /// The world's root after the commit differs.
    #[error("the world's root is {found}, and the commit says {recorded}")]
    Root {
        /// The root in the commit.
        recorded: WorldRoot,
        /// The root of the fold.
        found: WorldRoot,
    },
    /// It was decided on another world than the one before it.
    #[error("it was decided on the world of seq {0}, and there was a later one")]
    Base(u64),
    /// A blob is gone that nobody erased.
    #[error("a value is missing and no erasure entry names it")]
    Missing,
    /// Something follows the end of the run.
    #[error("it follows the end of the run")]
    AfterEnd,
    /// The run was not opened in the authority trajectory.
    #[error("the run's opening is not recorded in the authority trajectory")]
    NotOpened,
    /// Its time is before that of the entry in front of it, and no reset of the clock lies between.
    #[error("its time is before that of the entry in front of it, and the clock was not reset")]
    Time,
    /// It was decided after it was written.
    #[error("it was decided at {decided_ms} ms, after its own time {time_ms} ms")]
    DecidedLater {
        /// The time that the decision was judged at.
        decided_ms: u64,
        /// The entry's time.
        time_ms: u64,
    },
    /// The compiler's version is not the pinned one.
    #[error("decided by compiler {found}, required {required}")]
    Compiler {
        /// The version in the decision.
        found: u32,
        /// The pinned version.
        required: u32,
    },
    /// The policy set is not the pinned one.
    #[error("decided by policy set {found}, required {required}")]
    PolicySet {
        /// The set in the decision.
        found: PolicySetHash,
        /// The pinned set.
        required: PolicySetHash,
    },
}

/// Why a replay did not come to a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Something does not hold.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such trajectory.
    #[error("no run {0} in this ledger")]
    NoRun(crate::canon::TrajectoryId),
    /// The ledger holds nothing at all.
    #[error("the ledger is empty: there is nothing to verify")]
    Empty,
    /// A line of an export cannot be read.
    #[error("line {line}{place}: {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Which entry belongs there, as far as the lines before tell.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The export could not be read.
    #[error("reading the export: {0}")]
    Io(#[from] std::io::Error),
    /// The export ends before its signed head, or does not match it.
    #[error("the export is cut short or changed: {0}")]
    Head(String),
    /// A run of a store does not hold.
    #[error("run {}: {source}", run.short())]
    Run {
        /// The run.
        run: TrajectoryId,
        /// What does not hold.
        source: Box<ReplayError>,
    },
    /// The runs of a lineage do not say the same of each other.
    #[error("run {}: {fault}", run.short())]
    Lineage {
        /// The run.
        run: TrajectoryId,
        /// What does not hold.
        fault: LineageFault,
    },
    /// Something does not hold of a store as a whole.
    #[error(transparent)]
    Whole(#[from] Box<StoreFault>),
    /// The rules that are to be simulated do not make a policy set.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The rules that are to be simulated do not fit the contracts of the ledger.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Rules(Vec<RuleFault>),
    /// The result is not what was pinned.
    #[error("{what} is {found}, required {required}")]
    Pin {
        /// What was pinned.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        required: String,
    },
}

/// A fault at an entry.
pub(super) fn at(entry: &crate::ledger::Entry, reason: FaultKind) -> Fault {
    let kind = entry.header.known_kind().map_or_else(|| entry.header.kind.to_string(), |kind| kind.to_string());
    Fault { seq: entry.header.seq, kind, id: entry.id(), reason }
}

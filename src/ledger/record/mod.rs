//! One record type per entry kind. `docs/ledger-format.md` shows each with an example.
//!
//! Every record is sealed JSON of one of these types; that of a commit is [`crate::commit::Commit`]. It names values by
//! their commitments; the blobs beside it are those that this entry is the first to name.

mod approval;
mod authority;
mod compensation;
mod delegation;
mod effect;
mod run;
mod upkeep;

pub use approval::{ApprovalOutcome, Outcome, PendingApproval, Vote, VoteStatement};
pub use authority::{
    ClockReset, ClockResetStatement, ContractRecord, Genesis, KeyRotation, PolicySetRecord, Revocation,
    RevocationStatement, RosterRecord, RotationStatement, RunOpened, StartRefused, TrustChange, TrustRoot,
};
pub use compensation::{Compensation, CompensationStatement, MAX_PLAN, Target};
pub use delegation::{Delegated, DelegationResult};
pub use effect::{
    CompensationHalt, Dispatch, Failure, FailureCause, HappenedVerdict, InDoubtResolution, Operator, Rejection,
    ResolutionStatement, WhatHappened,
};
pub use run::{
    BranchPoint, BranchStart, EndReason, Link, MalformedRequest, Resumed, RunStart, StartStatement, Terminated,
    TokenUsage, Turn, TurnError, TurnStart,
};
pub use upkeep::{Checkpoint, Erased, Erasure, RoutingOutcome, RoutingStatus, SkillBound};

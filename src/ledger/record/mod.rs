//! One record type per entry kind. `docs/ledger-format.md` shows each with an example.
//!
//! Every record is sealed JSON of the form `{"blobs":[…],"body":…}`: `blobs` lists the commitments that this entry is the
//! first to name, and `body` is one of these types. [`crate::commit::Commit`] is the body of a commit.

mod approval;
mod authority;
mod delegation;
mod effect;
mod run;
mod upkeep;

pub use approval::{ApprovalOutcome, Outcome, PendingApproval, Vote, VoteStatement};
pub use authority::{
    ClockReset, ContractRecord, Genesis, KeyRotation, PolicySetRecord, Revocation, RevocationStatement, RosterRecord,
    RotationStatement, RunOpened, StartRefused, TrustChange, TrustRoot,
};
pub use delegation::{Delegated, DelegationResult};
pub use effect::{
    CompensationHalt, Dispatch, Failure, FailureCause, HappenedVerdict, InDoubtResolution, Rejection, WhatHappened,
};
pub use run::{
    BranchPoint, BranchStart, EndReason, Link, MalformedRequest, Resumed, RunStart, StartStatement, Terminated, Turn,
    TurnError, TurnStart,
};
pub use upkeep::{Checkpoint, Erased, Erasure, RoutingOutcome, SkillBound};

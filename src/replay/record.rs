use crate::{
    commit::{Commit, Origin},
    ledger::{
        Entry, EntryError, Kind,
        record::{
            ApprovalOutcome, BranchStart, Checkpoint, Compensation, CompensationHalt, Delegated, DelegationResult,
            Dispatch, Erasure, Failure, InDoubtResolution, PendingApproval, Rejection, Resumed, RoutingOutcome,
            RunStart, SkillBound, Terminated, Turn, TurnStart, Vote,
        },
    },
    proposal::Proposal,
};

/// The record of an entry of a run, read as the type of its kind.
pub(super) enum Record {
    Root(Box<RunStart>),
    Branch(Box<BranchStart>),
    TurnStart(TurnStart),
    Turn(Box<Turn>),
    Delegation(Box<Delegated>),
    DelegationResult(Box<DelegationResult>),
    Dispatch(Box<Dispatch>),
    Commit(Box<Commit>),
    Failure(Box<Failure>),
    Rejection(Box<Rejection>),
    PendingApproval(Box<PendingApproval>),
    Vote(Box<Vote>),
    ApprovalOutcome(ApprovalOutcome),
    InDoubtResolution(Box<InDoubtResolution>),
    Erasure(Erasure),
    Resumed(Box<Resumed>),
    Compensation(Box<Compensation>),
    CompensationHalt,
    Routing(Box<RoutingOutcome>),
    Skill(Box<SkillBound>),
    Terminated(Box<Terminated>),
    /// Of a kind that changes nothing that a replay follows; it has its kind's shape.
    Aside,
    /// Of a kind of the authority trajectory, or of one that this build does not know: not read.
    Foreign,
}

impl Record {
    /// Reads an entry's record.
    pub(super) fn read(entry: &Entry) -> Result<Self, EntryError> {
        let Some(kind) = entry.header.known_kind() else { return Ok(Self::Foreign) };
        let aside = |()| Self::Aside;
        Ok(match kind {
            Kind::Root => Self::Root(entry.body()?),
            Kind::Branch => Self::Branch(entry.body()?),
            Kind::TurnStart => Self::TurnStart(entry.body()?),
            Kind::Turn => Self::Turn(entry.body()?),
            Kind::Dispatch => Self::Dispatch(entry.body()?),
            Kind::Commit => Self::Commit(entry.body()?),
            Kind::Failure => Self::Failure(entry.body()?),
            Kind::Rejection => Self::Rejection(entry.body()?),
            Kind::PendingApproval => Self::PendingApproval(entry.body()?),
            Kind::Vote => Self::Vote(entry.body()?),
            Kind::ApprovalOutcome => Self::ApprovalOutcome(entry.body()?),
            Kind::InDoubtResolution => Self::InDoubtResolution(entry.body()?),
            Kind::Erasure => Self::Erasure(entry.body()?),
            Kind::Resumed => Self::Resumed(entry.body()?),
            Kind::Terminated => Self::Terminated(entry.body()?),
            Kind::Delegation => Self::Delegation(entry.body()?),
            Kind::DelegationResult => Self::DelegationResult(entry.body()?),
            Kind::CompensationHalt => entry.body::<CompensationHalt>().map(|_| Self::CompensationHalt)?,
            Kind::Compensation => Self::Compensation(entry.body()?),
            Kind::Skill => Self::Skill(entry.body()?),
            Kind::Routing => Self::Routing(entry.body()?),
            Kind::Checkpoint => entry.body::<Checkpoint>().map(drop).map(aside)?,
            _ => Self::Foreign,
        })
    }

    /// The proposal that it carries.
    pub(super) fn proposal(&self) -> Option<&Proposal> {
        fn of(origin: &Origin) -> Option<&Proposal> {
            match origin {
                Origin::Proposal(proposal) => Some(proposal),
                Origin::Dispatch(_) => None,
            }
        }
        match self {
            Self::Delegation(delegated) => of(&delegated.origin),
            Self::Dispatch(dispatch) => Some(&dispatch.proposal),
            Self::Commit(commit) => of(&commit.origin),
            Self::Failure(failure) => of(&failure.origin),
            Self::PendingApproval(pending) => Some(&pending.proposal),
            Self::Rejection(rejection) => match &**rejection {
                Rejection::Refused(proposal) => Some(proposal),
                Rejection::Abandoned { .. } | Rejection::NotAttempted { .. } => None,
            },
            _ => None,
        }
    }
}

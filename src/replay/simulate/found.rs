use crate::{
    canon::TrajectoryId,
    contract::ToolName,
    proposal::{Refusal, Status},
    replay::Gap,
    world::ResourceId,
};

/// What a simulation finds, in the order of the entries.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Found {
    /// A decision would be another.
    Changed(Box<Changed>),
    /// There is no verdict on a decision.
    Undecided {
        /// Where it is on record.
        at: Place,
        /// What is missing.
        gap: Gap,
    },
    /// A commit is in the blast radius.
    Commit(Affected),
    /// A run is in the blast radius, with all its commits: a call that is in it started it.
    Run {
        /// The run.
        run: TrajectoryId,
        /// What started it.
        by: Affected,
    },
}

/// An entry of a run, and the tool that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The run.
    pub run: TrajectoryId,
    /// The entry's seq.
    pub seq: u64,
    /// The tool.
    pub tool: ToolName,
}

/// A decision that would be another.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Where it is on record.
    pub at: Place,
    /// What was decided.
    pub recorded: Status,
    /// What would be decided.
    pub now: Simulated,
    /// The rules that fire then or cannot be judged, as `bundle/rule`.
    pub rules: Vec<String>,
}

/// What would be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Simulated {
    /// The decision.
    Decided(Status),
    /// It passes every stage up to the arguments' conditions, and its tool would be asked. It was refused before that, so cost,
    /// reads and preconditions are not on record, and neither is what would come of them.
    ReachesTool,
}

impl Simulated {
    /// Whether it is what was decided: the same outcome, on the same channel or with the same stage and code. Reasons may
    /// have other words.
    pub(super) fn is_as(&self, recorded: &Status) -> bool {
        match (self, recorded) {
            (Self::Decided(Status::Staged), Status::Staged) => true,
            (Self::Decided(Status::Suspended { channel, .. }), Status::Suspended { channel: of, .. }) => channel == of,
            (Self::Decided(Status::Rejected(now)), Status::Rejected(then)) => {
                let kind = |refusal: &Refusal| (refusal.stage, refusal.code);
                kind(now) == kind(then)
            }
            _ => false,
        }
    }
}

/// Something that would not be there, or not as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Where it is on record.
    pub at: Place,
    /// Why; at least one reason.
    pub because: Vec<Because>,
}

/// Why something is in the blast radius.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// It would itself be refused, or wait for approval.
    Refused,
    /// It read what a commit in the radius wrote.
    Read {
        /// The resource.
        resource: ResourceId,
        /// The seq of the commit, in the same run.
        from: u64,
    },
    /// It changed what a commit in the radius wrote, at the version that this left.
    Changed {
        /// The resource.
        resource: ResourceId,
        /// The seq of the commit, in the same run.
        from: u64,
    },
    /// Its run would not have been started.
    Child {
        /// The run that started it.
        of: TrajectoryId,
        /// The seq of the entry that did.
        seq: u64,
    },
}

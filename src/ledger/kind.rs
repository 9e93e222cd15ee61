use crate::canon::words;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $word:literal;)*) => {
        /// What an entry records. The number is part of the header, the word is for people.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }
        words!(Kind, "entry kind", { $($variant = $word),* });

        impl Kind {
            /// The number in the header.
            pub fn code(self) -> u16 {
                match self { $(Self::$variant => $code),* }
            }

            /// The kind of that number, where this build knows it.
            pub fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The start of a run.
    Root = 1 "root";
    /// The start of a branch of a run.
    Branch = 2 "branch";
    /// Cognition is about to be asked.
    TurnStart = 3 "turn_start";
    /// What cognition proposed.
    Turn = 4 "turn";
    /// A tool is about to touch the host.
    Dispatch = 5 "dispatch";
    /// A change of the world.
    Commit = 6 "commit";
    /// A staged proposal that did not commit.
    Failure = 7 "failure";
    /// A refused proposal.
    Rejection = 8 "rejection";
    /// A proposal that waits for approval.
    PendingApproval = 9 "pending_approval";
    /// An approver's vote.
    Vote = 10 "vote";
    /// How an approval ended.
    ApprovalOutcome = 11 "approval_outcome";
    /// A child run was started.
    Delegation = 12 "delegation";
    /// A child run ended.
    DelegationResult = 13 "delegation_result";
    /// Undoing stopped.
    CompensationHalt = 14 "compensation_halt";
    /// An effect in doubt was settled.
    InDoubtResolution = 15 "in_doubt_resolution";
    /// A skill was bound.
    Skill = 16 "skill";
    /// A router's evidence.
    Routing = 17 "routing";
    /// Blobs were erased.
    Erasure = 18 "erasure";
    /// A Merkle root over a prefix.
    Checkpoint = 19 "checkpoint";
    /// The run was taken up again.
    Resumed = 20 "resumed";
    /// The run ended.
    Terminated = 21 "terminated";
    /// A writ is presented to undo what the run did.
    Compensation = 22 "compensation";
    /// The start of a store.
    Genesis = 64 "genesis";
    /// A root of trust was added or removed.
    TrustRoot = 65 "trust_root";
    /// A key was replaced.
    KeyRotation = 66 "key_rotation";
    /// A writ was revoked.
    Revocation = 67 "revocation";
    /// A policy set came into force.
    PolicySet = 68 "policy_set";
    /// A roster of approvers came into force.
    Roster = 69 "roster";
    /// A tool's contract.
    Contract = 70 "contract";
    /// A run was opened.
    RunOpened = 71 "run_opened";
    /// A start was refused.
    StartRefused = 72 "start_refused";
    /// The clock was reset.
    ClockReset = 73 "clock_reset";
}

/// Kinds from this number on belong to the authority trajectory, those below to runs.
pub(super) const FIRST_AUTHORITY: u16 = 64;

impl Kind {
    /// Whether the kind belongs to the authority trajectory.
    pub fn is_authority(self) -> bool {
        self.code() >= FIRST_AUTHORITY
    }

    /// Whether the entry changes what proposals are decided under, so that later entries refer to it.
    pub fn opens_epoch(self) -> bool {
        matches!(
            self,
            Self::Genesis
                | Self::TrustRoot
                | Self::KeyRotation
                | Self::Revocation
                | Self::PolicySet
                | Self::Roster
                | Self::ClockReset
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        assert_eq!(Kind::from_code(0), None);
    }
}

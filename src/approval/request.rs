use serde::{Deserialize, Serialize};

use super::{Ballot, BallotError};
use crate::{
    canon::{DecisionHash, EntryId},
    ledger::{
        AuthorityState,
        record::{Outcome, PendingApproval, Vote},
    },
    proposal::{ApprovalEvidence, Status},
};

/// A request for approval on record, with the votes on it: its proposal was not decided once more yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Whether its quorum approved.
    pub approved: bool,
    /// The seq of the entry that holds the arguments: the request itself, or the turn that asked for the call.
    pub args_seq: u64,
    /// The requests for the same proposal that were approved before it, each on another channel.
    pub before: Vec<Self>,
    /// The hash of its decision, which votes bind to.
    pub(super) decision: Option<DecisionHash>,
    /// The entry.
    pub entry: EntryId,
    /// What it says.
    pub pending: PendingApproval,
    /// Its seq.
    pub seq: u64,
    /// What was voted, in order.
    pub votes: Vec<Cast>,
}

/// A vote on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// The entry.
    pub entry: EntryId,
    /// What it says.
    pub vote: Vote,
}

impl Request {
    /// Who is asked, and why.
    pub fn asks(&self) -> (&str, &str) {
        match &self.pending.proposal.decision.status {
            Status::Suspended { channel, reason } => (channel, reason),
            _ => ("", ""),
        }
    }

    /// The ballot on it, in an epoch.
    ///
    /// # Errors
    /// When nobody can answer it.
    pub fn ballot<'a>(&'a self, authority: &'a AuthorityState) -> Result<Ballot<'a>, BallotError> {
        match self.decision {
            Some(decision) => Ballot::on(self.entry, &self.pending, decision, authority),
            None => Ballot::new(self.entry, &self.pending, authority),
        }
    }

    /// Whether it is what its entry makes it, and the signature of every vote verifies that has one.
    pub(super) fn holds(&self) -> bool {
        self.decision == self.pending.proposal.decision.hash().ok() && self.cast().all(Vote::is_signed)
    }

    /// Whether nobody may answer it any more.
    pub fn has_lapsed(&self, at_ms: u64) -> bool {
        self.pending.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= at_ms)
    }

    /// What a second compile of its proposal is given: what the votes come to in this epoch and at this time, by channel. What
    /// lapsed since, or was cast under another roster, is not among them.
    pub fn evidence(&self, authority: &AuthorityState, at_ms: u64) -> Vec<ApprovalEvidence> {
        let count = |request: &Self| Some(request.ballot(authority).ok()?.count_taken(request.cast(), at_ms));
        self.before.iter().chain([self]).filter_map(count).collect()
    }

    /// How its votes end it in an epoch, at a time: the outcome, the votes that decide, and what they come to. `None` while
    /// they do not.
    pub fn verdict(&self, authority: &AuthorityState, at_ms: u64) -> Option<Verdict> {
        let ballot = self.ballot(authority).ok()?;
        let evidence = ballot.count_taken(self.cast(), at_ms);
        let outcome = match (evidence.denied.is_empty(), evidence.is_met()) {
            (false, _) => Outcome::Denied,
            (true, true) => Outcome::Approved,
            (true, false) => return None,
        };
        let decides = |cast: &&Cast| {
            cast.vote.statement.approve == (outcome == Outcome::Approved) && ballot.stands(&cast.vote, at_ms).is_ok()
        };
        let votes = self.votes.iter().filter(decides).map(|cast| cast.entry).collect();
        Some(Verdict { outcome, votes, evidence })
    }

    /// The votes themselves.
    pub fn cast(&self) -> impl Iterator<Item = &Vote> + Clone {
        self.votes.iter().map(|cast| &cast.vote)
    }
}

/// How votes end a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Approved or denied.
    pub outcome: Outcome,
    /// The votes that decide.
    pub votes: Vec<EntryId>,
    /// What they come to.
    pub evidence: ApprovalEvidence,
}

//! How votes on a suspended proposal count.

use std::collections::BTreeSet;

use crate::{
    canon::{CanonError, DecisionHash, EntryId, KeyId, Nonce, ProposalId, RosterHash},
    crypto::{NamedKey, PublicKey, Purpose, Role, SignatureError},
    ledger::{
        AuthorityState,
        record::{PendingApproval, Vote, VoteStatement},
    },
    policy::Quorum,
    proposal::{ApprovalEvidence, Proposal, Status},
};

/// A request for approval, and who may answer it.
///
/// A vote binds the proposal, the decision that was shown with all it read, the policy set that asked, and the roster that names the
/// approver: where one of these is another, it does not count. One denial vetoes. A key that was called compromised counts for
/// nothing.
///
/// Who may approve on a channel says the roster in force. Where none is, every root with the role [`Role::Approver`] may, on any
/// channel, and one approval is enough.
#[derive(Debug, Clone)]
pub struct Ballot<'a> {
    pending: EntryId,
    expires_at_ms: Option<u64>,
    proposal: &'a Proposal,
    id: ProposalId,
    decision: DecisionHash,
    channel: &'a str,
    authority: &'a AuthorityState,
    /// The roster in force, and who votes on the channel.
    roster: Option<(RosterHash, &'a Quorum)>,
}

/// A request that nobody can answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BallotError {
    /// The proposal does not wait for approval.
    #[error("the proposal does not wait for approval")]
    NotSuspended,
    /// The roster in force does not have the channel.
    #[error("no approver is named for channel `{channel}`: record a roster that has it")]
    UnknownChannel {
        /// The channel.
        channel: String,
    },
    /// The decision cannot be sealed.
    #[error(transparent)]
    Seal(#[from] CanonError),
}

/// A vote that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VoteFault {
    /// It answers another request.
    #[error("the vote answers request {found}, and this is {expected}")]
    Pending {
        /// The request that it answers.
        found: EntryId,
        /// This one.
        expected: EntryId,
    },
    /// It was cast on something else than what waits.
    #[error("the vote was cast on another {what}")]
    Bound {
        /// What differs.
        what: &'static str,
    },
    /// It has lapsed.
    #[error("the vote lapsed at {expires_at_ms}, and it is {at_ms}")]
    Expired {
        /// When, in milliseconds since 1970.
        expires_at_ms: u64,
        /// The time.
        at_ms: u64,
    },
    /// The request has lapsed.
    #[error("the request lapsed at {expires_at_ms}, and it is {at_ms}")]
    RequestExpired {
        /// When, in milliseconds since 1970.
        expires_at_ms: u64,
        /// The time.
        at_ms: u64,
    },
    /// The same was said before, and counts.
    #[error("{} has approved already", voter.as_ref().map_or("the operator who is present".into(), |key| format!("key {key}")))]
    Twice {
        /// Who said it; absent for the operator who shows no key.
        voter: Option<PublicKey>,
    },
    /// The key may not vote on the channel.
    #[error("key {key} may not approve on channel `{channel}`")]
    Stranger {
        /// The key.
        key: PublicKey,
        /// The channel.
        channel: String,
    },
    /// A bare yes counts only where one approval is enough.
    #[error("channel `{channel}` needs {required} approvals: an operator without a key does not count")]
    KeyNeeded {
        /// The channel.
        channel: String,
        /// How many are needed.
        required: u32,
    },
    /// There is a signature and no key, or a key and no signature.
    #[error("a vote names its approver and is signed, or neither")]
    HalfSigned,
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The statement cannot be sealed.
    #[error(transparent)]
    Seal(#[from] CanonError),
}

impl<'a> Ballot<'a> {
    /// The ballot on a request, in an epoch.
    ///
    /// # Errors
    /// When nobody can answer the request.
    pub fn new(
        pending: EntryId,
        request: &'a PendingApproval,
        authority: &'a AuthorityState,
    ) -> Result<Self, BallotError> {
        Self::on(pending, request, request.proposal.decision.hash()?, authority)
    }

    /// As [`new`](Self::new), with the hash of the request's decision at hand.
    pub(super) fn on(
        pending: EntryId,
        request: &'a PendingApproval,
        decision: DecisionHash,
        authority: &'a AuthorityState,
    ) -> Result<Self, BallotError> {
        let proposal = &*request.proposal;
        let (Status::Suspended { channel, .. }, Some(resolved)) = (&proposal.decision.status, proposal.resolved) else {
            return Err(BallotError::NotSuspended);
        };
        let unknown = || BallotError::UnknownChannel { channel: channel.clone() };
        let roster = match &authority.roster {
            Some(record) => Some((record.hash, record.roster.channels.get(channel).ok_or_else(unknown)?)),
            None => None,
        };
        Ok(Self {
            pending,
            expires_at_ms: request.expires_at_ms,
            proposal,
            id: resolved.id,
            decision,
            channel,
            authority,
            roster,
        })
    }

    /// Who is asked.
    pub fn channel(&self) -> &str {
        self.channel
    }

    /// How many approvals are needed: one where no roster is in force.
    pub fn required(&self) -> u32 {
        self.roster.map_or(1, |(_, quorum)| quorum.required)
    }

    /// What an approver signs, or an operator says without a key.
    pub fn statement(
        &self,
        approve: bool,
        approver: Option<NamedKey>,
        expires_at_ms: u64,
        nonce: Nonce,
    ) -> VoteStatement {
        VoteStatement {
            approve,
            approver,
            decision: self.decision,
            expires_at_ms,
            nonce,
            policy_set: self.proposal.decision.policy_set,
            proposal: self.id,
            roster: self.roster.map(|(hash, _)| hash),
        }
    }

    /// Whether a vote counts at a time, whatever else was voted.
    ///
    /// # Errors
    /// The first reason why it does not.
    pub fn check(&self, vote: &Vote, at_ms: u64) -> Result<(), VoteFault> {
        self.stands(vote, at_ms)?;
        match (&vote.statement.approver, &vote.signature) {
            (Some(named), Some(signature)) => {
                Ok(named.key.verify(Purpose::Vote, vote.statement.hash()?.as_bytes(), signature)?)
            }
            _ => Ok(()),
        }
    }

    /// As [`check`](Self::check), of a vote whose signature was verified when it was taken.
    pub(super) fn stands(&self, vote: &Vote, at_ms: u64) -> Result<(), VoteFault> {
        let statement = &vote.statement;
        if vote.pending != self.pending {
            return Err(VoteFault::Pending { found: vote.pending, expected: self.pending });
        }
        let bound = [
            ("proposal", statement.proposal == self.id),
            ("decision", statement.decision == self.decision),
            ("policy set", statement.policy_set == self.proposal.decision.policy_set),
            ("roster", statement.roster == self.roster.map(|(hash, _)| hash)),
        ];
        if let Some((what, _)) = bound.into_iter().find(|(_, same)| !same) {
            return Err(VoteFault::Bound { what });
        }
        if let Some(expires_at_ms) = self.expires_at_ms.filter(|expires_at_ms| *expires_at_ms <= at_ms) {
            return Err(VoteFault::RequestExpired { expires_at_ms, at_ms });
        }
        if statement.expires_at_ms <= at_ms {
            return Err(VoteFault::Expired { expires_at_ms: statement.expires_at_ms, at_ms });
        }
        match (&statement.approver, &vote.signature) {
            (Some(NamedKey { key, .. }), Some(_)) if !self.may_approve(key) => {
                Err(VoteFault::Stranger { key: *key, channel: self.channel.to_owned() })
            }
            (Some(_), Some(_)) => Ok(()),
            // Anybody may refuse.
            (None, None) if self.required() == 1 || !statement.approve => Ok(()),
            (None, None) => Err(VoteFault::KeyNeeded { channel: self.channel.to_owned(), required: self.required() }),
            _ => Err(VoteFault::HalfSigned),
        }
    }

    /// What the votes that count at a time come to: every key counts once, and who denied has denied.
    pub fn count<'v>(&self, votes: impl IntoIterator<Item = &'v Vote>, at_ms: u64) -> ApprovalEvidence {
        self.tally(votes.into_iter().filter(|vote| self.check(vote, at_ms).is_ok()))
    }

    /// As [`count`](Self::count), of votes on record: their signatures were verified when they were taken.
    pub(super) fn count_taken<'v>(&self, votes: impl IntoIterator<Item = &'v Vote>, at_ms: u64) -> ApprovalEvidence {
        self.tally(votes.into_iter().filter(|vote| self.stands(vote, at_ms).is_ok()))
    }

    /// What votes come to that all count.
    fn tally<'v>(&self, votes: impl Iterator<Item = &'v Vote>) -> ApprovalEvidence {
        let (mut approved, mut denied, mut present) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for vote in votes {
            let approve = vote.statement.approve;
            match &vote.statement.approver {
                Some(approver) if approve => drop(approved.insert(approver.key.id())),
                Some(approver) => drop(denied.insert(approver.key.id())),
                None => drop(present.insert(approve)),
            }
        }
        // Whoever denies without a key stands for none of the roster's: the channel itself is denied.
        if present.contains(&false) {
            denied.insert(KeyId::ZERO);
        }
        ApprovalEvidence {
            approved: approved.difference(&denied).copied().collect(),
            channel: self.channel.to_owned(),
            denied: denied.into_iter().collect(),
            operator_present: present.contains(&true),
            quorum: self.required(),
            roster: self.roster.map(|(hash, _)| hash),
        }
    }

    /// What the votes on record come to with one more, which has to count and to say something new.
    pub(super) fn cast<'v>(
        &self,
        taken: impl IntoIterator<Item = &'v Vote> + Clone,
        vote: &'v Vote,
        at_ms: u64,
    ) -> Result<ApprovalEvidence, VoteFault> {
        self.check(vote, at_ms)?;
        let before = self.count_taken(taken.clone(), at_ms);
        let voter = vote.statement.approver.as_ref().map(|named| named.key);
        let said = voter.map_or(before.operator_present, |key| before.approved.contains(&key.id()));
        if vote.statement.approve && said {
            return Err(VoteFault::Twice { voter });
        }
        Ok(self.count_taken(taken.into_iter().chain([vote]), at_ms))
    }

    fn may_approve(&self, key: &PublicKey) -> bool {
        if self.authority.compromised.iter().any(|known| known.key == *key) {
            return false;
        }
        match self.roster {
            Some((_, quorum)) => quorum.approvers.iter().any(|named| named.key == *key),
            None => self.authority.trust.has(key, Role::Approver),
        }
    }

    /// Whose approvals count; without a roster the keys are not named.
    pub fn approvers(&self) -> Vec<NamedKey> {
        let root = |key: &PublicKey| NamedKey::new(key.id().short(), *key);
        let mut approvers: Vec<_> = match self.roster {
            Some((_, quorum)) => quorum.approvers.clone(),
            None => self.authority.trust.keys(Role::Approver).map(root).collect(),
        };
        approvers.retain(|named| self.may_approve(&named.key));
        approvers
    }
}

use serde::{Deserialize, Serialize};

use super::{BallotError, Cast, Request, VoteFault, request::Verdict};
use crate::{
    canon::{Commitment, EntryId},
    contract::ToolName,
    intent::IntentRecord,
    ledger::{
        AuthorityState,
        record::{ApprovalOutcome, Outcome, PendingApproval, Vote},
    },
    proposal::{ApprovalEvidence, Proposal, Status},
    writ::Amounts,
};

/// The requests for approval of one run: those that wait, and what was denied.
///
/// The runtime and a replay follow them alike, entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    waiting: Vec<Request>,
    denied: Vec<Denial>,
}

/// A call that was denied: the same tool is refused with the same arguments for the rest of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Commits to the arguments.
    pub args: Commitment,
    /// The seq of the entry that holds them.
    pub args_seq: u64,
    /// What the votes came to.
    pub evidence: ApprovalEvidence,
    /// The tool.
    pub tool: ToolName,
}

impl Denial {
    /// Whether these are its votes, and the proposal calls its tool.
    fn is_of(&self, proposal: &Proposal, evidence: &ApprovalEvidence) -> bool {
        self.tool == proposal.intent.target && self.evidence == *evidence
    }
}

/// What does not fit the requests that wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// No request of that entry waits.
    #[error("entry {} is no request that waits for approval", .0.short())]
    NotWaiting(EntryId),
    /// It has its approvals, and can only be denied.
    #[error("request {} has its approvals already: it can be denied until it is carried out", .0.short())]
    Approved(EntryId),
    /// Nobody can answer it.
    #[error(transparent)]
    Ballot(#[from] BallotError),
    /// A vote does not count.
    #[error(transparent)]
    Vote(#[from] VoteFault),
    /// An outcome does not follow from the votes and the time.
    #[error("request {} does not end so: its votes and the time say something else", .0.short())]
    Outcome(EntryId),
    /// The proposal was decided again before anybody approved.
    #[error("the proposal of request {} was decided again before it was approved", .0.short())]
    Unanswered(EntryId),
    /// A decision rests on votes that there are not.
    #[error("the decision rests on votes that are not on record")]
    Votes,
    /// The run ended, and says nothing of the request.
    #[error("the run ended, and request {} still waits", .0.short())]
    LeftOpen(EntryId),
}

/// Whether what is carried out, or asked for again, is another proposal than the one that waited.
fn is_another(waited: &Proposal, now: &Proposal) -> bool {
    let id = |proposal: &Proposal| proposal.resolved.map(|resolved| resolved.id);
    !matches!(now.decision.status, Status::Rejected(_)) && id(waited) != id(now)
}

impl Requests {
    /// Whether nothing waits and nothing was denied.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.denied.is_empty()
    }

    /// Those that wait: for votes, or, approved, to be decided once more.
    pub fn waiting(&self) -> &[Request] {
        &self.waiting
    }

    /// The tools of what was denied.
    pub fn denied_tools(&self) -> Vec<ToolName> {
        self.denied.iter().map(|denial| denial.tool.clone()).collect()
    }

    /// What was denied.
    pub fn denied(&self) -> &[Denial] {
        &self.denied
    }

    /// Whether every request is what its entry makes it, and the signature of every vote verifies that has one. What was read
    /// back from elsewhere than entries has to be asked.
    pub fn hold(&self) -> bool {
        self.waiting.iter().flat_map(|request| request.before.iter().chain([request])).all(Request::holds)
    }

    /// The request of an entry.
    ///
    /// # Errors
    /// When it does not wait.
    pub fn get(&self, entry: &EntryId) -> Result<&Request, RequestFault> {
        self.waiting.iter().find(|request| request.entry == *entry).ok_or(RequestFault::NotWaiting(*entry))
    }

    /// The request on which an intent waits.
    pub fn of(&self, intent: &IntentRecord) -> Option<&Request> {
        self.waiting.iter().find(|request| request.pending.proposal.intent == *intent)
    }

    /// A request was recorded: the first for its proposal, or one on another channel, or one once more.
    /// `earlier` is the request that its proposal waited on.
    pub fn asked(
        &mut self,
        (entry, seq): (EntryId, u64),
        args_seq: u64,
        pending: PendingApproval,
        earlier: Option<Request>,
    ) {
        let decision = pending.proposal.decision.hash().ok();
        let mut request =
            Request { approved: false, args_seq, before: vec![], decision, entry, pending, seq, votes: vec![] };
        if let Some(mut earlier) = earlier {
            request.args_seq = earlier.args_seq;
            let before = std::mem::take(&mut earlier.before).into_iter().chain([earlier]);
            let elsewhere = |other: &Request| other.asks().0 != request.asks().0;
            request.before = before.filter(elsewhere).collect();
        }
        self.waiting.push(request);
    }

    /// What the votes on a request come to with one more.
    ///
    /// # Errors
    /// When the vote does not count.
    pub fn check_vote(
        &self,
        vote: &Vote,
        authority: &AuthorityState,
        at_ms: u64,
    ) -> Result<ApprovalEvidence, RequestFault> {
        let request = self.get(&vote.pending)?;
        if request.approved && vote.statement.approve {
            return Err(RequestFault::Approved(request.entry));
        }
        Ok(request.ballot(authority)?.cast(request.cast(), vote, at_ms)?)
    }

    /// A vote was recorded.
    pub fn voted(&mut self, entry: EntryId, vote: Vote) {
        if let Some(request) = self.waiting.iter_mut().find(|request| request.entry == vote.pending) {
            request.votes.push(Cast { entry, vote });
        }
    }

    /// Whether a request ends as an entry says, in an epoch and at a time.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_end(
        &self,
        ended: &ApprovalOutcome,
        authority: &AuthorityState,
        at_ms: u64,
    ) -> Result<(), RequestFault> {
        let request = self.get(&ended.pending)?;
        let follows = match ended.outcome {
            Outcome::Approved | Outcome::Denied => {
                let by_votes = |Verdict { outcome, votes, .. }| outcome == ended.outcome && votes == ended.votes;
                let again = request.approved && ended.outcome == Outcome::Approved;
                !again && request.verdict(authority, at_ms).is_some_and(by_votes)
            }
            Outcome::Expired => ended.votes.is_empty() && !request.approved && request.has_lapsed(at_ms),
            Outcome::Withdrawn => ended.votes.is_empty(),
        };
        if follows && ended.released == Amounts::ZERO { Ok(()) } else { Err(RequestFault::Outcome(request.entry)) }
    }

    /// A request ended, in an epoch and at a time.
    pub fn ended(&mut self, ended: &ApprovalOutcome, authority: &AuthorityState, at_ms: u64) {
        let Some(at) = self.waiting.iter().position(|request| request.entry == ended.pending) else { return };
        if ended.outcome == Outcome::Approved {
            self.waiting.iter_mut().skip(at).take(1).for_each(|request| request.approved = true);
            return;
        }
        let request = self.waiting.remove(at);
        if ended.outcome == Outcome::Denied
            && let Some(Verdict { evidence, .. }) = request.verdict(authority, at_ms)
        {
            let IntentRecord { args, target, .. } = &request.pending.proposal.intent;
            self.denied.push(Denial { args: *args, args_seq: request.args_seq, evidence, tool: target.clone() });
        }
    }

    /// Whether a decision is given the votes that are on record: those on the request that its intent waits on, and those that
    /// denied a call of the same tool, where there are any.
    ///
    /// # Errors
    /// When it is given others, or was made before its request was approved.
    pub fn check_decision(&self, proposal: &Proposal, authority: &AuthorityState) -> Result<(), RequestFault> {
        let given = &proposal.decision.approvals;
        if self.waiting.is_empty() && given.is_empty() {
            return Ok(());
        }
        let own = match self.of(&proposal.intent) {
            Some(request) if !request.approved => return Err(RequestFault::Unanswered(request.entry)),
            // Under another writ it is another proposal, whatever was approved.
            Some(request) if request.pending.proposal.writ != proposal.writ => return Err(RequestFault::Votes),
            // So it is with another child: votes are on a proposal, and not on what looks like it.
            Some(request) if is_another(&request.pending.proposal, proposal) => return Err(RequestFault::Votes),
            Some(request) => request.evidence(authority, proposal.decision.now_ms),
            None => vec![],
        };
        match given.strip_prefix(own.as_slice()) {
            Some([]) => Ok(()),
            Some([denied]) if self.denied.iter().any(|denial| denial.is_of(proposal, denied)) => Ok(()),
            _ => Err(RequestFault::Votes),
        }
    }

    /// The proposal of an intent was decided. Returns the request that it waited on.
    pub fn decided(&mut self, intent: &IntentRecord) -> Option<Request> {
        let at = self.waiting.iter().position(|request| request.pending.proposal.intent == *intent)?;
        Some(self.waiting.remove(at))
    }

    /// Whether the run may end: nothing waits.
    ///
    /// # Errors
    /// When something does.
    pub fn check_over(&self) -> Result<(), RequestFault> {
        self.waiting.first().map_or(Ok(()), |request| Err(RequestFault::LeftOpen(request.entry)))
    }
}

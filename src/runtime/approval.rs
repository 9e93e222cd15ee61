//! Votes on requests for approval, and the end of requests that nobody answers any more.

use std::time::Duration;

use super::{
    authority::expect_epoch,
    core::Core,
    doubt::seal_note,
    error::{RunError, StartError},
    journal::Journal,
};
use crate::{
    approval::{BallotError, Cast, Request, RequestFault, Verdict},
    canon::{Blob, EntryId, MAX_INTEGER, Nonce, ProposalId, TrajectoryId},
    crypto::{NamedKey, Purpose},
    host::Signer,
    ledger::{
        Draft, Kind, RegisterKey, RegisterOp, StoreError,
        record::{ApprovalOutcome, Outcome, Vote, VoteStatement},
    },
    proposal::ApprovalEvidence,
    writ::Amounts,
};

/// How long a vote is good for, where nobody says otherwise.
const VALID_FOR: Duration = Duration::from_secs(24 * 3_600);

/// How often a vote is judged again because the authority changes while it is recorded.
const ATTEMPTS: usize = 8;

/// An approver's answer to a request for approval.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    request: EntryId,
    approve: bool,
    by: Option<(&'a str, &'a dyn Signer)>,
    note: Option<&'a str>,
    valid_for: Duration,
}

impl<'a> Answer<'a> {
    /// Approves. `request` is the entry that [`Submitted::Suspended`](super::Submitted::Suspended) names.
    pub fn approve(request: EntryId) -> Self {
        Self { request, approve: true, by: None, note: None, valid_for: VALID_FOR }
    }

    /// Denies: nobody can approve it any more, and the same tool with the same arguments is refused for the rest of the run.
    pub fn deny(request: EntryId) -> Self {
        Self { approve: false, ..Self::approve(request) }
    }

    /// Says who answers: the holder of a key, and what audits call them. Without it the operator who is present answers, whose
    /// yes counts only where one approval is enough.
    #[must_use]
    pub fn by(self, name: &'a str, signer: &'a dyn Signer) -> Self {
        Self { by: Some((name, signer)), ..self }
    }

    /// Says why, for the audit.
    #[must_use]
    pub fn note(self, note: &'a str) -> Self {
        Self { note: Some(note), ..self }
    }

    /// Sets how long the answer is good for, 24 hours by default: what is approved has to be carried out by then.
    #[must_use]
    pub fn valid_for(self, valid_for: Duration) -> Self {
        Self { valid_for, ..self }
    }
}

/// A vote that is on record, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Voted {
    /// The vote's entry.
    pub entry: EntryId,
    /// What the votes come to with it.
    pub evidence: ApprovalEvidence,
    /// How the request ended by it; `None` while more approvals are needed.
    pub outcome: Option<Outcome>,
}

/// Why a vote was not taken. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoteError {
    /// The request does not wait, or the vote does not count.
    #[error(transparent)]
    Request(#[from] RequestFault),
    /// The run cannot be read.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The run has ended, or the ledger or the key failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<BallotError> for VoteError {
    fn from(error: BallotError) -> Self {
        Self::Request(error.into())
    }
}

/// A vote as its approver signed it, and the note beside it.
pub(super) struct Signed {
    vote: Vote,
    note: Option<Blob>,
}

/// What an answer has to be signed on, in the epoch that is in force.
pub(super) fn statement(core: &Core, journal: &Journal, answer: &Answer<'_>) -> Result<VoteStatement, VoteError> {
    journal.check_votable(&answer.request)?;
    let authority = core.authority.state();
    let request = journal.requests.get(&answer.request)?;
    let ballot = request.ballot(&authority)?;
    let mut nonce = Nonce([0; 16]);
    core.host.entropy.fill(&mut nonce.0).map_err(RunError::from)?;
    let valid_ms = u64::try_from(answer.valid_for.as_millis()).unwrap_or(u64::MAX);
    let expires_at_ms = core.now(&authority).judged_ms.saturating_add(valid_ms).min(MAX_INTEGER);
    let approver = answer.by.map(|(name, signer)| NamedKey::new(name, signer.public_key()));
    Ok(ballot.statement(answer.approve, approver, expires_at_ms, nonce))
}

/// Has an answer signed.
pub(super) async fn sign(core: &Core, answer: &Answer<'_>, statement: VoteStatement) -> Result<Signed, VoteError> {
    let hash = statement.hash().map_err(RunError::from)?;
    let signature = match answer.by {
        Some((_, signer)) => {
            // It is verified when the vote is cast.
            Some(signer.sign(Purpose::Vote, hash.as_bytes()).await.map_err(RunError::from)?)
        }
        None => None,
    };
    let note = answer.note.map(|note| seal_note(core, note)).transpose()?;
    let vote = Vote { note: note.as_ref().map(Blob::commitment), pending: answer.request, signature, statement };
    Ok(Signed { vote, note })
}

/// Records a vote, and with it how the request ends where it decides: both or neither.
pub(super) async fn cast(core: &Core, journal: &mut Journal, signed: Signed) -> Result<Voted, VoteError> {
    let Signed { vote, note } = signed;
    journal.check_votable(&vote.pending)?;
    let mut authority = core.authority.state();
    for _ in 0..ATTEMPTS {
        let at_ms = core.now(&authority).judged_ms;
        let evidence = journal.requests.check_vote(&vote, &authority, at_ms)?;
        let mut request = journal.requests.get(&vote.pending)?.clone();
        let draft = Draft::seal(Kind::Vote, &vote, note.clone().into_iter().collect()).map_err(RunError::from)?;
        let (mut first, mut entry, mut end) = (Some(draft), None, None);
        let over = journal.answered(Some(request.seq));
        let next = |before: Option<EntryId>| {
            let Some(before) = before else { return Ok(first.take().map(|draft| (draft, vec![]))) };
            if entry.replace(before).is_some() {
                return Ok(None);
            }
            // Which votes decide can be said only with the id of this one's entry.
            request.votes.push(Cast { entry: before, vote: vote.clone() });
            let Some(Verdict { outcome, votes, .. }) = request.verdict(&authority, at_ms) else { return Ok(None) };
            let ended = ApprovalOutcome { votes, ..ended(&request, outcome) };
            let draft = Draft::seal(Kind::ApprovalOutcome, &ended, vec![])?;
            end = Some(ended);
            let over = over.clone().filter(|_| outcome == Outcome::Denied);
            Ok(Some((draft, over.into_iter().collect())))
        };
        match journal.append_together(core, (&authority, at_ms), vec![expect_epoch(&authority)], next).await {
            Ok(head) => {
                let (entry, outcome) = (entry.unwrap_or(head), end.as_ref().map(|end| end.outcome));
                if outcome == Some(Outcome::Denied) {
                    forget(core, journal, &vote.pending);
                }
                journal.requests.voted(entry, vote);
                if let Some(end) = end {
                    journal.requests.ended(&end, &authority, at_ms);
                }
                return Ok(Voted { entry, evidence, outcome });
            }
            Err(RunError::Store(StoreError::RegisterChanged { key })) if key == RegisterKey::epoch() => {
                authority = core.authority.after(core, &authority).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(RunError::Stale.into())
}

/// Records of every request that waits for votes and has lapsed that nobody answered in time.
pub(super) async fn lapse(core: &Core, journal: &mut Journal) -> Result<(), RunError> {
    let mut attempts = ATTEMPTS;
    while attempts > 0 {
        let authority = core.authority.state();
        let at_ms = core.now(&authority).judged_ms;
        let lapsed = |request: &&Request| !request.approved && request.has_lapsed(at_ms);
        let Some(request) = journal.requests.waiting().iter().find(lapsed) else { return Ok(()) };
        let (end, seq) = (ended(request, Outcome::Expired), request.seq);
        let draft = Draft::seal(Kind::ApprovalOutcome, &end, vec![])?;
        // Judged by the clock of this epoch: a reset of it begins another one.
        let registers = [expect_epoch(&authority)].into_iter().chain(journal.answered(Some(seq))).collect();
        match journal.append(core, &authority, draft, registers).await {
            Ok(_) => {
                forget(core, journal, &end.pending);
                journal.requests.ended(&end, &authority, at_ms);
            }
            Err(RunError::Store(StoreError::RegisterChanged { key })) if key == RegisterKey::epoch() => {
                core.authority.after(core, &authority).await?;
                attempts -= 1;
            }
            Err(error) => return Err(error),
        }
    }
    Err(RunError::Stale)
}

/// Records the end of a run in which something waits, and that it is withdrawn: all or nothing.
pub(super) async fn withdraw(core: &Core, journal: &mut Journal, end: Draft) -> Result<EntryId, RunError> {
    for _ in 0..ATTEMPTS {
        let authority = core.authority.state();
        let at_ms = core.now(&authority).judged_ms;
        let waiting = journal.requests.waiting().to_vec();
        let mut drafts = Vec::with_capacity(waiting.len() + 1);
        for request in &waiting {
            let end = Draft::seal(Kind::ApprovalOutcome, &ended(request, Outcome::Withdrawn), vec![])?;
            drafts.push((end, journal.answered(Some(request.seq)).into_iter().collect()));
        }
        let mut drafts = drafts.into_iter().chain([(end.clone(), vec![])]);
        let registers = vec![expect_epoch(&authority)];
        match journal.append_together(core, (&authority, at_ms), registers, |_| Ok(drafts.next())).await {
            Err(RunError::Store(StoreError::RegisterChanged { key })) if key == RegisterKey::epoch() => {
                core.authority.after(core, &authority).await?;
            }
            ended => return ended,
        }
    }
    Err(RunError::Stale)
}

/// The record of a request that came to this, without votes.
fn ended(request: &Request, outcome: Outcome) -> ApprovalOutcome {
    ApprovalOutcome { outcome, pending: request.entry, released: Amounts::ZERO, votes: vec![] }
}

/// Forgets the secrets of the intent that a request is about.
fn forget(core: &Core, journal: &Journal, pending: &EntryId) {
    if let Ok(request) = journal.requests.get(pending)
        && let Ok(intent) = request.pending.proposal.intent.id()
    {
        core.plaintexts.forget(intent);
    }
}

/// The register that says that a request waits.
pub(super) fn waits(run: &TrajectoryId, seq: u64, proposal: &ProposalId) -> RegisterOp {
    RegisterOp::Set { key: RegisterKey::request(run, seq), value: Some(proposal.as_bytes().as_slice().into()) }
}

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use super::{
    approval, authority::expect_epoch, carry_out::carry_out, core::Core, delegation, doubt, error::RunError,
    events::EventKind, in_force::InForce, journal::Journal, outcome, past, run::Inner, secrets,
};
use crate::{
    approval::Request,
    canon::{EntryId, IntentId, MAX_INTEGER, ProposalId, TrajectoryId},
    compile::{self, Admitted, Compiled, Inputs, Staged, Standing, admit, compile},
    execute::{self, Execution},
    intent::SealedIntent,
    ledger::{
        Draft, Kind, RegisterKey, StoreError,
        record::{FailureCause, PendingApproval, Rejection, WhatHappened},
    },
    proposal::{Claim, ClaimState, Code, Proposal, Quote, Refusal, Stage, Status},
    writ::Amounts,
};

/// What became of an intent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Submitted {
    /// It was done, and the commit is durable.
    Committed {
        /// The commit.
        entry: EntryId,
        /// Its seq.
        seq: u64,
        /// What the tool observed.
        output: Value,
        /// What it cost.
        cost: Amounts,
    },
    /// It was refused before any tool ran.
    Rejected {
        /// The rejection.
        entry: EntryId,
        /// Its seq.
        seq: u64,
        /// Why.
        refusal: Refusal,
    },
    /// It waits for approval.
    Suspended {
        /// The request for approval.
        entry: EntryId,
        /// Its seq.
        seq: u64,
        /// Who is asked.
        channel: String,
        /// Why.
        reason: String,
    },
    /// It started a child run.
    Delegated {
        /// The delegation.
        entry: EntryId,
        /// Its seq.
        seq: u64,
        /// The child.
        child: TrajectoryId,
    },
    /// It was staged, and failed.
    Failed {
        /// The failure.
        entry: EntryId,
        /// Its seq.
        seq: u64,
        /// Why.
        cause: FailureCause,
        /// What the tool said.
        message: String,
        /// Whether the effect happened.
        effect: WhatHappened,
    },
}

impl Submitted {
    /// Whether what comes after it in the same turn must wait: it is suspended or in doubt.
    pub fn stops_the_turn(&self) -> bool {
        matches!(self, Self::Suspended { .. } | Self::Failed { effect: WhatHappened::Unknown, .. })
    }

    /// The entry that records it.
    pub fn entry(&self) -> EntryId {
        match self {
            Self::Committed { entry, .. }
            | Self::Rejected { entry, .. }
            | Self::Suspended { entry, .. }
            | Self::Delegated { entry, .. }
            | Self::Failed { entry, .. } => *entry,
        }
    }
}

/// How often an intent is compiled again because something changed before its effect.
const ATTEMPTS: usize = 8;

/// Why an intent is compiled again: nothing was done.
pub(super) enum Again {
    /// The authority, or who has the business key, changed between compile and append.
    Changed,
    /// The effect that this run dispatched at this seq is in doubt and stands in the way: its tool may know more.
    InDoubt(u64),
}

/// What an attempt came to.
pub(super) type Attempt = Result<Submitted, Again>;

/// An intent that is to be decided.
#[derive(Clone, Copy)]
pub(super) struct Submission<'a> {
    pub(super) intent: &'a SealedIntent,
    /// The request for approval that it waited on, where it is decided once more.
    pub(super) request: Option<&'a Request>,
    /// Whether its author can submit it once more: it is carried out at most once.
    pub(super) may_come_again: bool,
    /// The entry whose effect it undoes.
    pub(super) undoes: Option<&'a EntryId>,
}

impl Submission<'_> {
    /// It was decided, and does not wait any more. Returns the request that it waited on.
    pub(super) fn decided(&self, journal: &mut Journal) -> Option<Request> {
        self.request.and_then(|_| journal.requests.decided(self.intent.record()))
    }

    /// The seq of that request.
    pub(super) fn waited_at(&self) -> Option<u64> {
        self.request.map(|request| request.seq)
    }
}

/// Submits an intent. With `may_come_again`, its author can submit it once more: it is carried out at most once.
pub(super) async fn submit(
    inner: &Inner,
    journal: &mut Journal,
    intent: SealedIntent,
    may_come_again: bool,
) -> Result<Submitted, RunError> {
    journal.check_open()?;
    if may_come_again && let Some(earlier) = Box::pin(earlier(inner, journal, &intent)).await? {
        return Ok(earlier);
    }
    decide(inner, journal, Submission { intent: &intent, request: None, may_come_again, undoes: None }).await
}

/// What became of a sealed intent that was submitted before: what waits goes on waiting, or is carried out when it is approved.
async fn earlier(inner: &Inner, journal: &mut Journal, intent: &SealedIntent) -> Result<Option<Submitted>, RunError> {
    match waiting(inner, journal, intent).await? {
        None => outcome::earlier(inner, journal, intent).await,
        Some(request) if !request.approved => Ok(Some(suspended(&request))),
        Some(request) => {
            let asked = Submission { intent, request: Some(&request), may_come_again: true, undoes: None };
            decide(inner, journal, asked).await.map(Some)
        }
    }
}

/// The request for approval that an intent waits on, which has not lapsed.
async fn waiting(inner: &Inner, journal: &mut Journal, intent: &SealedIntent) -> Result<Option<Request>, RunError> {
    if journal.requests.of(intent.record()).is_none() {
        return Ok(None);
    }
    approval::lapse(&inner.core, journal).await?;
    Ok(journal.requests.of(intent.record()).filter(|request| journal.has_asked(request)).cloned())
}

fn suspended(request: &Request) -> Submitted {
    let (channel, reason) = request.asks();
    let Request { entry, seq, .. } = *request;
    Submitted::Suspended { entry, seq, channel: channel.to_owned(), reason: reason.to_owned() }
}

/// Decides every proposal whose request was approved once more, and carries out what is staged. What waits for votes goes on
/// waiting, unless it has lapsed.
pub(super) async fn carry_on(inner: &Inner, journal: &mut Journal) -> Result<Vec<(EntryId, Submitted)>, RunError> {
    journal.check_open()?;
    approval::lapse(&inner.core, journal).await?;
    // What an undo asked for is carried out by an undo.
    let approved = journal.requests.waiting().iter().filter(|request| request.approved && journal.has_asked(request));
    let approved: Vec<_> = approved.cloned().collect();
    let mut carried = Vec::with_capacity(approved.len());
    for request in approved {
        // Without its arguments nothing can be done but to deny it.
        let Some(intent) = past::intent(&*inner.core.store, journal, &request).await? else { continue };
        let intent = intent.recorded();
        let asked = Submission { intent: &intent, request: Some(&request), may_come_again: true, undoes: None };
        carried.push((request.entry, Box::pin(decide(inner, journal, asked)).await?));
    }
    Ok(carried)
}

pub(super) async fn decide(inner: &Inner, journal: &mut Journal, asked: Submission<'_>) -> Result<Submitted, RunError> {
    let (intent, record) = (asked.intent, asked.intent.record());
    inner.watchers.tell(None, || EventKind::Proposed {
        intent: intent.id(),
        tool: record.target.to_string(),
        args: intent.args().clone(),
        rationale: intent.rationale().unwrap_or_default(),
    });
    let mut reconciled = None;
    for _ in 0..ATTEMPTS {
        let error = match attempt(inner, journal, asked, reconciled).await {
            Ok(Ok(submitted)) => {
                if !matches!(submitted, Submitted::Suspended { .. }) {
                    inner.core.plaintexts.forget(intent.id());
                }
                return Ok(submitted);
            }
            Ok(Err(Again::Changed)) => continue,
            Ok(Err(Again::InDoubt(seq))) => {
                reconciled = Some(seq);
                match Box::pin(doubt::reconcile(&inner.core, journal, seq)).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        return Err(undecided(inner, journal, asked, error));
    }
    Err(undecided(inner, journal, asked, RunError::Stale))
}

/// It could not be decided. What waits still keeps its secrets.
fn undecided(inner: &Inner, journal: &Journal, asked: Submission<'_>, error: RunError) -> RunError {
    if journal.requests.of(asked.intent.record()).is_none() {
        inner.core.plaintexts.forget(asked.intent.id());
    }
    error
}

async fn attempt(
    inner: &Inner,
    journal: &mut Journal,
    asked: Submission<'_>,
    reconciled: Option<u64>,
) -> Result<Attempt, RunError> {
    let authority = inner.core.authority.state();
    // Boxed, as appending is: as one future they have 2.6 kB, which are copied when it is wrapped, and more than the kilobyte up to
    // which allocators keep pieces at hand.
    let judged = Box::pin(judge(&inner.core, journal, &authority, &asked, reconciled)).await?;
    match judged {
        Judged::CarryOut(execution) => Box::pin(carry_out(inner, journal, &authority, asked, execution)).await,
        Judged::Delegate(staged) => delegation::start(inner, journal, &authority, asked, staged).await,
        Judged::Suspended(proposal) => suspend(inner, journal, &authority, asked, proposal).await,
        Judged::Rejected(proposal) => reject(inner, journal, &authority, asked, proposal).await,
        Judged::InDoubt(seq) => Ok(Err(Again::InDoubt(seq))),
    }
}

/// What is to be done about an intent.
enum Judged {
    /// Its cost is reserved.
    CarryOut(Box<Execution>),
    /// A child is to be started; its cost is reserved.
    Delegate(Box<Staged>),
    Suspended(Arc<Proposal>),
    Rejected(Arc<Proposal>),
    /// The effect that this run dispatched at this seq stands in the way.
    InDoubt(u64),
}

/// Compiles an intent in an epoch. Asks its tool and the secret store, and reserves what the call may cost; no effect.
async fn judge(
    core: &Core,
    journal: &mut Journal,
    authority: &InForce,
    &Submission { intent, request, undoes, .. }: &Submission<'_>,
    reconciled: Option<u64>,
) -> Result<Judged, RunError> {
    let now = core.now(authority);
    let mut approvals = request.map_or(vec![], |request| request.evidence(authority, now.judged_ms));
    if !journal.requests.denied().is_empty() {
        approvals.extend(Box::pin(past::denied(core, journal, intent)).await?);
    }
    let denied = journal.requests.denied_tools();
    let balances = core.accounts.balances(&journal.chain);
    // What undoes the run stands under a writ of its own, and not on the run's skills.
    let skills = if undoes.is_some() { Vec::new() } else { journal.narrowings() };
    let inputs = Inputs {
        approvals: &approvals,
        balances: &balances,
        branch: journal.lineage.is_branch(),
        contracts: core.tools.contracts(),
        denied: &denied,
        earlier: request.map(|request| &*request.pending.proposal),
        intent,
        policies: &core.policies,
        recorded: None,
        roster: authority.roster.as_ref().map(|record| &record.roster),
        skills: &skills,
        standing: Standing {
            chain: &journal.chain,
            clock_ms: now.clock_ms,
            now_ms: now.judged_ms,
            revoked: &authority.revoked,
            store: core.store_id,
            trust: &authority.trust,
        },
        trajectory: journal.trajectory,
        world: &journal.world,
    };
    let admitted = match admit(&inputs)? {
        Ok(admitted) => admitted,
        Err(proposal) => return Ok(Judged::Rejected(proposal)),
    };
    let unavailable = |admitted: Admitted<'_>| {
        Judged::Rejected(admitted.refuse(Refusal::new(Stage::Preconditions, Code::QuoteUnavailable)))
    };
    let Some(tool) = core.tools.get(&intent.record().target).map(Arc::clone) else {
        return Ok(unavailable(admitted));
    };
    let most = skills.iter().map(|narrowing| narrowing.left.most());
    let time_left_ms = balances.iter().copied().chain(most).map(|left| left.wall_clock_ms).min().unwrap_or(0);
    let (Ok(args), contract) = (intent.masked_args(), admitted.contract()) else {
        return Ok(unavailable(admitted));
    };
    let quoted = execute::quote(&*tool, contract, args, &journal.world, time_left_ms, &core.store_id, &core.host);
    let Ok(quote) = quoted.await else {
        return Ok(unavailable(admitted));
    };
    // Boxed, as the futures below: it waits while others are asked.
    let mut quote = Box::new(execute::fit_to_record(&core.redactor, quote));
    if contract.is_delegate() {
        // Nothing is executed: what the child does is its own.
        quote.cost = Amounts::ONE_CALL;
        quote.child = Box::pin(delegation::quote(core, journal, intent.id())).await?;
    }
    let claim = doubt::claim(core, journal, contract, quote.key, intent.args()).await?;
    let own = |claim: &Claim| claim.state == ClaimState::InDoubt && claim.trajectory == journal.trajectory;
    if let Some(claim) = claim.filter(own).filter(|claim| reconciled != Some(claim.seq)) {
        return Ok(Judged::InDoubt(claim.seq));
    }
    let cost = quote.cost;
    let (left, reserved) = journal.reserve(core, &cost);
    let compiled = match admitted.decide(compile::Asked { claim, quote: *quote }, &left)? {
        Compiled::Staged(staged) if reserved && staged.child().is_some() => {
            return Ok(Judged::Delegate(Box::new(staged)));
        }
        Compiled::Staged(staged) if reserved => match Box::pin(secrets::fill(core, &staged)).await {
            Ok(filled) => return Ok(Judged::CarryOut(Box::new(Execution::new(staged, tool, &journal.world, filled)))),
            // What cannot be had is decided upon once more, and refused.
            Err(fault) => {
                let quote = Quote { secret: Some(fault), ..staged.quote().clone() };
                compile(&Inputs { balances: &left, ..inputs }, Some(compile::Asked { claim, quote }))
            }
        },
        compiled => Ok(compiled),
    };
    if reserved {
        journal.release(core, &cost);
    }
    match compiled? {
        Compiled::Staged(_) => {
            // The budget has room for it, and this handle may not reserve: another one has taken the run up.
            journal.stale = true;
            Err(RunError::Stale)
        }
        Compiled::Suspended(proposal) => Ok(Judged::Suspended(proposal)),
        Compiled::Rejected(proposal) => Ok(Judged::Rejected(proposal)),
    }
}

/// Records a refusal. Boxed, so that the future of a call that is carried out has no room for it.
fn reject<'a>(
    inner: &'a Inner,
    journal: &'a mut Journal,
    authority: &'a InForce,
    asked: Submission<'a>,
    proposal: Arc<Proposal>,
) -> BoxFuture<'a, Result<Attempt, RunError>> {
    Box::pin(async move {
        let intent = asked.intent;
        let refusal = match &proposal.decision.status {
            Status::Rejected(refusal) => refusal.clone(),
            _ => Refusal::new(Stage::IntentKind, Code::Internal),
        };
        let blobs = intent.blobs().cloned().collect();
        let draft = Draft::seal_named(Kind::Rejection, &Rejection::Refused(proposal), blobs)?;
        let registers = [expect_epoch(authority)].into_iter().chain(journal.answered(asked.waited_at())).collect();
        let entry = match journal.append(&inner.core, authority, draft, registers).await {
            Ok(entry) => entry,
            Err(error) => return again(&inner.core, authority, error).await,
        };
        asked.decided(journal);
        let seq = journal.last_seq();
        inner
            .watchers
            .tell(Some((seq, entry)), || EventKind::Rejected { intent: intent.id(), refusal: refusal.clone() });
        Ok(Ok(Submitted::Rejected { entry, seq, refusal }))
    })
}

/// Records that an intent waits for approval. Boxed, as [`reject`].
fn suspend<'a>(
    inner: &'a Inner,
    journal: &'a mut Journal,
    authority: &'a InForce,
    asked: Submission<'a>,
    proposal: Arc<Proposal>,
) -> BoxFuture<'a, Result<Attempt, RunError>> {
    Box::pin(async move {
        let intent = asked.intent;
        let (channel, reason) = match &proposal.decision.status {
            Status::Suspended { channel, reason } => (channel.clone(), reason.clone()),
            _ => Default::default(),
        };
        let expires_at_ms = proposal.decision.now_ms.saturating_add(inner.core.request_valid_ms).min(MAX_INTEGER);
        let record = PendingApproval { expires_at_ms: Some(expires_at_ms), proposal };
        let blobs: Vec<_> = intent.blobs().cloned().collect();
        let args_seq = if blobs.is_empty() { journal.snapshots.turn_seq } else { journal.next_seq };
        let draft = Draft::seal_named(Kind::PendingApproval, &record, blobs)?;
        let mut registers: Vec<_> =
            [expect_epoch(authority)].into_iter().chain(journal.answered(asked.waited_at())).collect();
        let (id, seq) = (record.proposal.resolved.map_or(ProposalId::ZERO, |resolved| resolved.id), journal.next_seq);
        registers.push(approval::waits(&journal.trajectory, seq, &id));
        let entry = match journal.append(&inner.core, authority, draft, registers).await {
            Ok(entry) => entry,
            Err(error) => return again(&inner.core, authority, error).await,
        };
        let earlier = asked.decided(journal);
        journal.requests.asked((entry, seq), args_seq, record, earlier);
        inner.watchers.tell(Some((seq, entry)), || EventKind::Suspended {
            intent: intent.id(),
            channel: channel.clone(),
            reason: reason.clone(),
        });
        Ok(Ok(Submitted::Suspended { entry, seq, channel, reason }))
    })
}

/// A refusal or suspension that was not stored: compile again when the authority has changed since, else give up.
async fn again(core: &Core, authority: &InForce, error: RunError) -> Result<Attempt, RunError> {
    match error {
        RunError::Store(StoreError::RegisterChanged { key }) if key == RegisterKey::epoch() => {
            core.authority.after(core, authority).await?;
            Ok(Err(Again::Changed))
        }
        error => Err(error),
    }
}

/// Records that an intent was not tried, since one before it stopped the turn.
pub(super) async fn not_attempted(
    inner: &Inner,
    journal: &mut Journal,
    intent: &SealedIntent,
    after: EntryId,
) -> Result<IntentId, RunError> {
    let record = Rejection::NotAttempted { after, intent: intent.record().clone() };
    let draft = Draft::seal_named(Kind::Rejection, &record, intent.blobs().cloned().collect())?;
    let entry = journal.append(&inner.core, &inner.core.authority.state(), draft, vec![]).await?;
    let seq = journal.last_seq();
    inner.core.plaintexts.forget(intent.id());
    inner.watchers.tell(Some((seq, entry)), || EventKind::NotAttempted { intent: intent.id() });
    Ok(intent.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to this size allocators keep pieces at hand.
    const AT_HAND: usize = 1_032;

    #[test]
    fn the_parts_of_a_call_are_small() {
        fn size_of_its_future<A, B, C, D, E, F>(_: impl FnOnce(A, B, C, D, E) -> F) -> usize {
            size_of::<F>()
        }
        let sizes = [size_of_its_future(judge), size_of_its_future(carry_out), size_of_its_future(Journal::append)];
        assert!(sizes.iter().all(|size| *size <= AT_HAND), "{sizes:?}");
    }
}

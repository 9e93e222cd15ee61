use std::sync::Arc;

use serde_json::Value;

use super::{authority::expect_epoch, error::RunError, events::EventKind, journal::Journal, run::Inner};
use crate::{
    canon::{EntryId, IntentId, ProposalId},
    compile::{Compiled, Inputs, Staged, Standing, admit},
    execute::{self, Conclusion, Execution},
    intent::SealedIntent,
    ledger::{
        AuthorityState, Draft, Kind, RegisterKey, RegisterOp, StoreError,
        record::{FailureCause, PendingApproval, Rejection, WhatHappened},
    },
    proposal::{Code, Proposal, Refusal, Stage, Status},
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
            | Self::Failed { entry, .. } => *entry,
        }
    }
}

/// How often an intent is compiled again because the authority changed before its effect.
const ATTEMPTS: usize = 8;

/// The authority changed between compile and append: nothing was done, and it is compiled again.
struct EpochChanged;

pub(super) async fn submit(inner: &Inner, journal: &mut Journal, intent: SealedIntent) -> Result<Submitted, RunError> {
    journal.check_open()?;
    let record = intent.record();
    inner.watchers.tell(None, || EventKind::Proposed {
        intent: intent.id(),
        tool: record.target.to_string(),
        args: intent.args().clone(),
        rationale: intent.rationale().unwrap_or_default(),
    });
    for _ in 0..ATTEMPTS {
        if let Ok(submitted) = attempt(inner, journal, &intent).await? {
            return Ok(submitted);
        }
    }
    Err(RunError::Stale)
}

async fn attempt(
    inner: &Inner,
    journal: &mut Journal,
    intent: &SealedIntent,
) -> Result<Result<Submitted, EpochChanged>, RunError> {
    let core = &inner.core;
    let authority = core.authority.state();
    let now = core.now();
    let balances = core.accounts.balances(&journal.chain);
    let inputs = Inputs {
        approvals: &[],
        balances: &balances,
        contracts: core.tools.contracts(),
        earlier: None,
        intent,
        policies: &core.policies,
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
    let admitted = match admit(inputs)? {
        Ok(admitted) => admitted,
        Err(proposal) => return reject(inner, journal, &authority, intent, proposal).await,
    };
    let unavailable = || Refusal::new(Stage::Preconditions, Code::QuoteUnavailable);
    let Some(tool) = core.tools.get(&intent.record().target).map(Arc::clone) else {
        let proposal = admitted.refuse(unavailable());
        return reject(inner, journal, &authority, intent, proposal).await;
    };
    let time_left_ms = balances.iter().map(|left| left.wall_clock_ms).min().unwrap_or(0);
    let args = intent.args();
    let quote = match execute::quote(&*tool, admitted.contract(), args, &journal.world, time_left_ms, &core.host).await
    {
        Ok(quote) => quote,
        Err(_) => {
            let proposal = admitted.refuse(unavailable());
            return reject(inner, journal, &authority, intent, proposal).await;
        }
    };
    let cost = quote.cost;
    let (left, reserved) = core.accounts.reserve(&journal.chain, &cost);
    let compiled = admitted.decide(quote, &left);
    match compiled {
        Compiled::Staged(staged) if reserved => carry_out(inner, journal, &authority, staged, tool).await,
        Compiled::Staged(staged) => {
            // The budget stage judges the same balances, so this cannot be; if it is, nothing may be done.
            let mut proposal = staged.into_proposal();
            proposal.decision.status = Status::Rejected(Refusal::new(Stage::Budget, Code::Internal));
            reject(inner, journal, &authority, intent, proposal).await
        }
        Compiled::Suspended(proposal) => {
            if reserved {
                core.accounts.release(&journal.chain, &cost);
            }
            suspend(inner, journal, &authority, intent, proposal).await
        }
        Compiled::Rejected(proposal) => {
            if reserved {
                core.accounts.release(&journal.chain, &cost);
            }
            reject(inner, journal, &authority, intent, proposal).await
        }
    }
}

async fn reject(
    inner: &Inner,
    journal: &mut Journal,
    authority: &AuthorityState,
    intent: &SealedIntent,
    proposal: Proposal,
) -> Result<Result<Submitted, EpochChanged>, RunError> {
    let refusal = match &proposal.decision.status {
        Status::Rejected(refusal) => refusal.clone(),
        _ => Refusal::new(Stage::IntentKind, Code::Internal),
    };
    let blobs = intent.blobs().cloned().collect();
    let draft = Draft::seal(Kind::Rejection, &Rejection::Refused(proposal), blobs)?;
    let entry = journal.append(&inner.core, authority, draft, vec![]).await?;
    let seq = journal.last_seq();
    inner.watchers.tell(Some((seq, entry)), || EventKind::Rejected { intent: intent.id(), refusal: refusal.clone() });
    Ok(Ok(Submitted::Rejected { entry, seq, refusal }))
}

async fn suspend(
    inner: &Inner,
    journal: &mut Journal,
    authority: &AuthorityState,
    intent: &SealedIntent,
    proposal: Proposal,
) -> Result<Result<Submitted, EpochChanged>, RunError> {
    let (channel, reason) = match &proposal.decision.status {
        Status::Suspended { channel, reason } => (channel.clone(), reason.clone()),
        _ => Default::default(),
    };
    let record = PendingApproval { expires_at_ms: None, proposal };
    let draft = Draft::seal(Kind::PendingApproval, &record, intent.blobs().cloned().collect())?;
    let entry = journal.append(&inner.core, authority, draft, vec![]).await?;
    let seq = journal.last_seq();
    inner.watchers.tell(Some((seq, entry)), || EventKind::Suspended {
        intent: intent.id(),
        channel: channel.clone(),
        reason: reason.clone(),
    });
    Ok(Ok(Submitted::Suspended { entry, seq, channel, reason }))
}

/// Staged → (dispatch) → tool → commit | failure.
async fn carry_out(
    inner: &Inner,
    journal: &mut Journal,
    authority: &AuthorityState,
    staged: Staged,
    tool: Arc<dyn crate::tool::ToolContract>,
) -> Result<Result<Submitted, EpochChanged>, RunError> {
    let core = &inner.core;
    let intent = staged.intent().id();
    let outcome = RegisterKey::outcome(&staged.id());
    let proposal = staged.id();
    let execution = Execution::new(staged, tool, &journal.world);
    let held = execution.cost();
    let mut dispatched = None;
    let draft = match execution.dispatch() {
        Ok(draft) => draft,
        Err(error) => {
            core.accounts.release(&journal.chain, &held);
            return Err(error.into());
        }
    };
    if let Some(draft) = draft {
        journal.used.held = journal.used.held.plus(&held);
        let mut registers = journal.account();
        registers.push(expect_epoch(authority));
        registers.push(RegisterOp::Expect { key: outcome.clone(), value: None });
        registers.push(RegisterOp::Set { key: outcome.clone(), value: Some(b"dispatched".as_slice().into()) });
        match journal.append(core, authority, draft, registers).await {
            Ok(entry) => dispatched = Some(entry),
            Err(error) => {
                journal.used.held = journal.used.held.minus(&held);
                core.accounts.release(&journal.chain, &held);
                return retry(core, error, Some((&outcome, proposal))).await;
            }
        }
        inner.watchers.tell(Some((journal.last_seq(), journal.head)), || EventKind::Dispatched { intent });
    }
    let finished = execution.run(dispatched, inner.cancel.clone(), &core.host).await;
    let concluded = match finished.conclude(&mut journal.world, &*core.host.entropy) {
        Ok(concluded) => concluded,
        Err(error) => {
            if let Some(dispatch) = dispatched {
                return Err(not_recorded(journal, dispatch, error.into()));
            }
            core.accounts.release(&journal.chain, &held);
            return Err(error.into());
        }
    };
    let before = journal.used;
    journal.used.spent = before.spent.plus(&concluded.cost);
    let mut registers = Vec::new();
    match dispatched {
        Some(_) => {
            journal.used.held = before.held.minus(&held);
            let value = Some(b"concluded".as_slice().into());
            registers.push(RegisterOp::Set { key: outcome, value });
        }
        None => registers.push(expect_epoch(authority)),
    }
    registers.extend(journal.account());
    let entry = match (journal.append(core, authority, concluded.draft, registers).await, dispatched) {
        (Ok(entry), _) => entry,
        (Err(error), Some(dispatch)) => return Err(not_recorded(journal, dispatch, error)),
        (Err(error), None) => {
            // Nothing but the world was touched, and that is taken back.
            journal.world.unfold(concluded.unfold);
            journal.used = before;
            core.accounts.release(&journal.chain, &held);
            return retry(core, error, None).await;
        }
    };
    core.accounts.settle(&journal.chain, &held, &concluded.cost);
    let seq = journal.last_seq();
    let cost = concluded.cost;
    Ok(Ok(match concluded.conclusion {
        Conclusion::Committed { output } => {
            journal.base_seq = seq;
            inner.watchers.tell(Some((seq, entry)), || EventKind::Committed { intent, output: output.clone(), cost });
            Submitted::Committed { entry, seq, output, cost }
        }
        Conclusion::Failed { cause, message, effect } => {
            let told = message.clone();
            inner.watchers.tell(Some((seq, entry)), || EventKind::Failed { intent, cause, message: told, effect });
            Submitted::Failed { entry, seq, cause, message, effect }
        }
    }))
}

/// The tool ran, and what came of it is not on record: what was held stays held, and this handle is behind the ledger.
fn not_recorded(journal: &mut Journal, dispatch: EntryId, error: RunError) -> RunError {
    journal.stale = true;
    RunError::OutcomeNotRecorded { dispatch, source: Box::new(error) }
}

/// An entry that was not stored, before any effect: compile again when it was the authority that changed, else give up.
async fn retry(
    core: &super::core::Core,
    error: RunError,
    outcome: Option<(&RegisterKey, ProposalId)>,
) -> Result<Result<Submitted, EpochChanged>, RunError> {
    match (error, outcome) {
        (RunError::Store(StoreError::RegisterChanged { key }), Some((outcome, proposal))) if key == *outcome => {
            Err(RunError::AlreadyCarriedOut(proposal))
        }
        (RunError::Store(StoreError::RegisterChanged { key }), _) if key == RegisterKey::epoch() => {
            core.authority.refresh(core).await?;
            Ok(Err(EpochChanged))
        }
        (error, _) => Err(error),
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
    let draft = Draft::seal(Kind::Rejection, &record, intent.blobs().cloned().collect())?;
    let entry = journal.append(&inner.core, &inner.core.authority.state(), draft, vec![]).await?;
    let seq = journal.last_seq();
    inner.watchers.tell(Some((seq, entry)), || EventKind::NotAttempted { intent: intent.id() });
    Ok(intent.id())
}

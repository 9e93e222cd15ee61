//! A plan is presented, and its steps are carried out, each as any other call.

use super::{ATTEMPTS, Halt, HaltCause, Undone, standing};
use crate::{
    approval::Request,
    canon::{Blob, EntryId, NamedBlob, Nonce, Salt},
    commit::Undo,
    contract::ToolName,
    intent::{IntentKind, IntentRecord, SealedIntent},
    ledger::{
        Draft, Kind,
        record::{Compensation, CompensationHalt, CompensationStatement, Target, WhatHappened},
        register::Account,
    },
    proposal::Refusal,
    runtime::{
        RunError, Submitted, accounts,
        accounts::Tenure,
        approval,
        authority::expect_epoch,
        doubt::seal_note,
        journal::{Journal, Standing},
        past,
        run::Inner,
        submit::{Submission, decide},
    },
    writ::WritChain,
};

/// Who the intents of an undo are from.
const AUTHOR: &str = "rollback";

/// What is signed, and the entry of the run that it was planned after.
pub(super) struct Presentation {
    pub(super) record: Compensation,
    pub(super) chain: WritChain,
    pub(super) head: EntryId,
    /// Effects in doubt that were dispatched after this seq are in the way of its end.
    pub(super) after: u64,
}

/// What came of a plan.
pub(super) enum Portion {
    /// The run has gone on since it was planned.
    Moved,
    /// The writ does not stand any more.
    Refused(Refusal),
    /// The steps were carried out, up to a halt where there is one.
    Over { undone: Vec<Undone>, halted: Option<Halt>, left: Vec<Target> },
}

/// Records a plan and carries it out.
pub(super) async fn carry_out(
    inner: &Inner,
    journal: &mut Journal,
    presentation: Presentation,
) -> Result<Portion, RunError> {
    let Presentation { record, chain, head, after } = presentation;
    if journal.head != head {
        return Ok(Portion::Moved);
    }
    if let Some(refusal) = present(inner, journal, &record, &chain).await? {
        return Ok(Portion::Refused(refusal));
    }
    let before = journal.stand_under(Some(chain.id()));
    let portion = steps(inner, journal, &record.statement, after).await;
    journal.stand_under(before);
    portion
}

/// Records what is presented, in an epoch in which the writ stands. Returns why it does not.
async fn present(
    inner: &Inner,
    journal: &mut Journal,
    record: &Compensation,
    chain: &WritChain,
) -> Result<Option<Refusal>, RunError> {
    let core = &inner.core;
    core.accounts.load(&*core.store, chain).await?;
    let (writ, mut attempts) = (chain.id(), ATTEMPTS);
    loop {
        let authority = core.authority.state();
        if let Err(refusal) = standing(core, chain, &authority) {
            return Ok(Some(refusal));
        }
        let mut registers = accounts::begin_totals(&*core.store, chain).await?;
        registers.push(expect_epoch(&authority));
        let draft = Draft::seal(Kind::Compensation, record, vec![])?;
        match journal.append_even_after_the_end(core, &authority, draft, registers).await {
            Ok(_) => break,
            Err(RunError::Store(error)) if error.is_conflict() && !journal.stale && attempts > 0 => {
                attempts -= 1;
                core.authority.refresh(core).await?;
            }
            Err(error) => return Err(error),
        }
    }
    if !journal.aside.iter().any(|other| other.presented == Some(writ)) {
        let (used, tenure) = (Account::default(), Tenure::none(journal.trajectory));
        journal.aside.push(Standing { chain: chain.clone(), presented: Some(writ), used, recorded: used, tenure });
    }
    journal.open_accounts(core);
    Ok(None)
}

async fn steps(
    inner: &Inner,
    journal: &mut Journal,
    statement: &CompensationStatement,
    after: u64,
) -> Result<Portion, RunError> {
    approval::lapse(&inner.core, journal).await?;
    let mut undone = Vec::new();
    let mut left: Vec<_> = statement.plan.iter().filter(|target| !target.keep).cloned().collect();
    let stopped = loop {
        let Some(target) = left.last() else { break in_doubt(journal, after) };
        match step(inner, journal, target).await? {
            Step::Undone(step) => undone.push(step),
            Step::Stopped(stopped) => break Some(stopped),
        }
        left.pop();
    };
    let Some(stopped) = stopped else { return Ok(Portion::Over { undone, halted: None, left }) };
    if let HaltCause::Failed { effect: WhatHappened::Happened, .. } = stopped.cause {
        left.pop();
    }
    left.reverse();
    let halted = Some(halt(inner, journal, stopped, statement.to).await?);
    Ok(Portion::Over { undone, halted, left })
}

/// The last effect in doubt that was dispatched after a seq: nothing before it is undone until it is settled.
fn in_doubt(journal: &Journal, after: u64) -> Option<Stopped> {
    let later = journal.doubts.iter().filter(|doubt| doubt.seq > after);
    later.max_by_key(|doubt| doubt.seq).map(|doubt| Stopped {
        at: doubt.dispatch,
        seq: doubt.seq,
        cause: HaltCause::InDoubt,
        message: format!("whether dispatch #{} of `{}` happened is not known: resolve it", doubt.seq, doubt.tool),
    })
}

/// What came of a step.
enum Step {
    Undone(Undone),
    Stopped(Stopped),
}

/// Why a step was the last one.
struct Stopped {
    at: EntryId,
    seq: u64,
    cause: HaltCause,
    message: String,
}

/// Undoes the effect that is the newest.
async fn step(inner: &Inner, journal: &mut Journal, target: &Target) -> Result<Step, RunError> {
    let stopped =
        |cause, message: String| Ok(Step::Stopped(Stopped { at: target.entry, seq: target.seq, cause, message }));
    if let Some(doubt) = in_doubt(journal, target.seq) {
        return Ok(Step::Stopped(doubt));
    }
    let Some(undo) = &target.undo else {
        return stopped(HaltCause::NotCompensable, "nothing on record says how to undo it".into());
    };
    let of_step = |request: &&Request| {
        let intent = &request.pending.proposal.intent;
        intent.args == undo.args && intent.target == undo.tool && journal.has_asked(request)
    };
    let request = journal.requests.waiting().iter().find(of_step).cloned();
    let intent = match &request {
        Some(waiting) if !waiting.approved => {
            let (channel, reason) = waiting.asks();
            let cause = HaltCause::Suspended { request: waiting.entry, seq: waiting.seq, channel: channel.to_owned() };
            return stopped(cause, reason.to_owned());
        }
        Some(approved) => past::intent(&*inner.core.store, journal, approved).await?.map(SealedIntent::recorded),
        None => intent(inner, journal, target, undo).await?,
    };
    let Some(intent) = intent else {
        return stopped(HaltCause::Erased, "the arguments of the call that undoes it were erased".into());
    };
    let asked =
        Submission { intent: &intent, request: request.as_ref(), may_come_again: false, undoes: Some(&target.entry) };
    match Box::pin(decide(inner, journal, asked)).await? {
        Submitted::Committed { entry, seq, .. } => {
            let tool: ToolName = undo.tool.clone();
            let run = journal.trajectory;
            Ok(Step::Undone(Undone { run, effect: target.entry, seq: target.seq, tool, by: entry, by_seq: seq }))
        }
        Submitted::Rejected { refusal, .. } => stopped(HaltCause::Refused(refusal.clone()), refusal.to_string()),
        Submitted::Suspended { entry, seq, channel, reason } => {
            stopped(HaltCause::Suspended { request: entry, seq, channel }, reason)
        }
        Submitted::Failed { cause, message, effect, .. } => stopped(HaltCause::Failed { cause, effect }, message),
        // What undoes is a call, and a call of `delegate` is refused.
        Submitted::Delegated { .. } => stopped(HaltCause::NotCompensable, "a child run undoes nothing".into()),
    }
}

/// The intent that undoes an effect: the recorded call, with the arguments that stand beside the effect. None when they are erased.
async fn intent(
    inner: &Inner,
    journal: &Journal,
    target: &Target,
    undo: &Undo,
) -> Result<Option<SealedIntent>, RunError> {
    let core = &inner.core;
    let args = past::blob(&*core.store, &journal.trajectory, target.seq, &undo.args).await?;
    let Some(args) = args else { return Ok(None) };
    let (mut nonce, mut salt) = (Nonce([0; 16]), Salt([0; 16]));
    core.host.entropy.fill(&mut nonce.0)?;
    core.host.entropy.fill(&mut salt.0)?;
    let rationale = Blob::seal(&format!("undoes entry {} (#{})", target.entry.short(), target.seq).into(), salt)?;
    let record = IntentRecord {
        args: undo.args,
        author: AUTHOR.into(),
        kind: IntentKind::Act,
        nonce,
        rationale: Some(NamedBlob::from(rationale.clone()).commitment()),
        target: undo.tool.clone(),
    };
    Ok(Some(SealedIntent::open(record, args, Some(rationale))?))
}

/// Records that undoing stopped.
async fn halt(inner: &Inner, journal: &mut Journal, stopped: Stopped, to: EntryId) -> Result<Halt, RunError> {
    let core = &inner.core;
    let Stopped { at, seq, cause, message } = stopped;
    let note = seal_note(core, &message)?;
    let record = CompensationHalt { at, cause: cause.code().into(), detail: Some(note.commitment()), to };
    let draft = Draft::seal(Kind::CompensationHalt, &record, vec![note])?;
    let entry = journal.append(core, &core.authority.state(), draft, vec![]).await?;
    Ok(Halt { run: journal.trajectory, at, seq, cause, message, entry })
}

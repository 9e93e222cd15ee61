//! Taking up a run that another process, an earlier failure or a suspension left.

use std::sync::Arc;

use super::{
    Run,
    accounts::Tenure,
    core::Core,
    delegation::Lineage,
    doubt::{self, Doubt},
    error::{RunError, StartError},
    journal::{Journal, Standing},
    snapshots::{self, Snapshots},
    unrecorded::{self, Unrecorded},
};
use crate::{
    canon::{EntryId, TrajectoryId},
    intent::IntentRecord,
    ledger::{
        Draft, Kind,
        record::{Rejection, Resumed},
        register::Account,
    },
    replay::{self, Folded, Pins, Presented, Snapshot, Verdict},
    writ::Amounts,
};

/// Takes up a run: debits the turn that was under way, says which effects are in doubt and asks their tools, and records of
/// every intent without an outcome that nothing came of it. `unrecorded` is what an earlier handle could not record.
pub(super) async fn resume(
    core: &Arc<Core>,
    run: &TrajectoryId,
    unrecorded: Option<Unrecorded>,
) -> Result<Run, StartError> {
    Ok(Run::new(Arc::clone(core), journal(core, run, unrecorded).await?))
}

/// As [`resume`]: the journal of the run that was taken up.
pub(super) async fn journal(
    core: &Core,
    run: &TrajectoryId,
    unrecorded: Option<Unrecorded>,
) -> Result<Journal, StartError> {
    if !core.runs {
        return Err(StartError::AuthorityOnly);
    }
    let (mut journal, folded) = take_up(core, run, true).await?;
    if folded.presented.is_empty() {
        snapshots::keep_replayed(core, &mut journal, Snapshot::of(core.store_id, *run, &folded)).await;
    }
    if folded.ended.is_some() {
        return Err(StartError::Ended(*run));
    }
    if let Some(doubt) = journal.doubts.iter().find(|doubt| core.calls.is_under_way(&doubt.dispatch)) {
        return Err(StartError::UnderWay { run: *run, dispatch: doubt.dispatch });
    }
    journal.open_accounts(core);
    // What the turn under way held counts as spent: it may have been.
    let turn = folded.open_turn.map(|(_, held)| held).unwrap_or_default();
    journal.used = Account { spent: folded.spent.plus(&turn), held: folded.held.minus(&turn) };
    let by = record_resumed(core, &mut journal, turn, folded.open_turn.map(|(id, _)| id)).await?;
    journal.snapshots.resumed = Some(by);
    let mut unanswered = folded.unanswered;
    if let Some(unrecorded) = unrecorded.filter(|unrecorded| unrecorded.head == folded.head) {
        unrecorded::record(core, &mut journal, unrecorded, &mut unanswered).await?;
    }
    for intent in unanswered {
        abandon(core, &mut journal, by, intent).await?;
    }
    journal.snapshots.answered = true;
    doubt::reconcile_all(core, &mut journal).await?;
    Ok(journal)
}

/// Replays a run up to its end, with what is in doubt, from its last snapshot on. Nothing is recorded. With `wholly`, all that
/// is replayed has to be verified.
pub(super) async fn take_up(core: &Core, run: &TrajectoryId, wholly: bool) -> Result<(Journal, Folded), StartError> {
    let since = if core.snapshot_every > 0 { replay::since_snapshot(&*core.store, run, None).await } else { None };
    let (report, folded) = match since {
        Some(replayed) => replayed,
        None => replay::run(&*core.store, run, Pins::default(), |_, _| {}).await?,
    };
    if wholly && report.verdict() != Verdict::Verified {
        return Err(StartError::Incomplete { run: *run, reason: report.incomplete.join("; ") });
    }
    core.accounts.load(&*core.store, &folded.chain).await.map_err(RunError::from)?;
    let mut aside = Vec::with_capacity(folded.presented.len());
    for Presented { chain, spent, held } in &folded.presented {
        core.accounts.load(&*core.store, chain).await.map_err(RunError::from)?;
        let used = Account { spent: *spent, held: *held };
        let (presented, tenure) = (Some(chain.id()), Tenure::none(*run));
        aside.push(Standing { chain: chain.clone(), presented, used, recorded: used, tenure });
    }
    let used = Account { spent: folded.spent, held: folded.held };
    let mut journal = Journal {
        aside,
        world: folded.world.clone(),
        base_seq: folded.base_seq,
        next_seq: folded.head_seq + 1,
        used,
        recorded: used,
        steps: folded.steps,
        ended: folded.ended.is_some(),
        requests: folded.requests.clone(),
        children: folded.children.clone(),
        lineage: Lineage::of(&*core.store, &folded.start.start, *run).await?,
        skills: folded.skills.clone(),
        snapshots: Snapshots {
            last: report.since.unwrap_or(0),
            turn_seq: folded.turn_seq,
            resumed: folded.resumed,
            answered: false,
            ..Snapshots::default()
        },
        ..Journal::new(*run, folded.chain.clone(), folded.head, Tenure::none(*run))
    };
    for effect in &folded.unknown_effects {
        let doubt = Doubt::read(core, &journal, effect).await?;
        journal.doubts.push(doubt);
    }
    Ok((journal, folded))
}

async fn record_resumed(
    core: &Core,
    journal: &mut Journal,
    debited: Amounts,
    turn: Option<EntryId>,
) -> Result<EntryId, RunError> {
    let record = Resumed {
        contracts: core.tools.contracts().hashes(),
        debited,
        in_doubt: journal.doubts.iter().map(|doubt| doubt.dispatch).collect(),
        policy_set: core.policies.hash(),
        turn,
    };
    let draft = Draft::seal(Kind::Resumed, &record, vec![])?;
    let registers = journal.account();
    journal.append(core, &core.authority.state(), draft, registers).await
}

async fn abandon(core: &Core, journal: &mut Journal, by: EntryId, intent: IntentRecord) -> Result<(), RunError> {
    let draft = Draft::seal(Kind::Rejection, &Rejection::Abandoned { by, intent }, vec![])?;
    journal.append(core, &core.authority.state(), draft, vec![]).await.map(drop)
}

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures::{
    FutureExt,
    future::{Either, select},
};
use serde_json::Value;

use super::{
    Run, Submitted, Summary, WhyStopped, approval,
    children::Ending,
    drive_child::drive_child,
    error::RunError,
    events::EventKind,
    history::{self, History},
    journal::Journal,
    routing::{self, Route},
    run::Inner,
    secrets,
    sieve::Sieve,
    skills, submit,
    turn::{self, MAX_TEXT, NotAsked, Proposed},
};
use crate::{
    canon::{Blob, EntryId, MAX_INTEGER, Salt, TrajectoryId},
    cognition::{Cognition, CognitionError, Context, Outcome, PastOutcome, ToolInfo, Turn, TurnPiece},
    intent::SealedIntent,
    ledger::{
        Draft, Kind,
        record::{EndReason, Terminated},
    },
    writ::{Amounts, Dimension, Narrowing},
};

/// What bounds a drive besides the writ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many steps cognition may make in this drive.
    pub steps: u64,
    /// How long one step may take.
    pub step_deadline: Duration,
    /// How many requests of one turn are looked at; the rest is recorded as one malformed request.
    pub requests_per_turn: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 50, step_deadline: Duration::from_secs(120), requests_per_turn: 32 }
    }
}

/// How a drive comes to its end.
enum Stop {
    End {
        reason: EndReason,
        detail: Option<String>,
        answer: Option<String>,
    },
    /// Something waits: a request for approval, or a child.
    Suspended(Option<String>),
}

#[derive(Default)]
struct Counts {
    steps: u64,
    committed: u64,
    rejected: u64,
    failed: u64,
    suspended: u64,
    delegated: u64,
}

impl Counts {
    /// Counts an outcome, and says whether the run stops for it.
    fn count(&mut self, submitted: &Submitted) -> Option<Stop> {
        match submitted {
            Submitted::Committed { .. } => self.committed += 1,
            Submitted::Failed { .. } => self.failed += 1,
            Submitted::Delegated { .. } => self.delegated += 1,
            Submitted::Suspended { .. } => {
                self.suspended += 1;
                return Some(Stop::Suspended(None));
            }
            Submitted::Rejected { refusal, .. } => {
                self.rejected += 1;
                let over = turn::ends_authority(refusal.code);
                return over.then(|| end(EndReason::AuthorityEnded, Some(refusal.code.as_str())));
            }
        }
        None
    }
}

pub(super) async fn drive(run: &Run, cognition: &mut dyn Cognition, limits: Limits) -> Result<Summary, RunError> {
    let _driving = run.inner().driving.try_lock().ok_or(RunError::Driven)?;
    run.with_journal(Journal::check_open).await?;
    let (mut counts, mut stop) = carry_on(run).await?;
    if stop.is_none() {
        stop = open_children(run, cognition, limits).await?;
    }
    counts.suspended = run.requests().await.len() as u64;
    let History { task, outcomes } = history::read(&*run.inner().core.store, &run.id(), run.head().await).await?;
    let mut drive = Drive { run, limits, counts, history: outcomes, instructions: vec![], task };
    let stop = match stop {
        Some(stop) => stop,
        None => drive.steps(cognition).await?,
    };
    let (why, detail, answer) = match stop {
        Stop::Suspended(detail) => (WhyStopped::Suspended, detail, None),
        Stop::End { reason, detail, answer } => {
            run.end(reason, detail.clone(), answer.clone()).await?;
            (WhyStopped::Ended(reason), detail, answer)
        }
    };
    let (spent, _) = run.spent().await;
    let (head_seq, head) = run.head().await;
    let Counts { steps, committed, rejected, failed, suspended, delegated } = drive.counts;
    Ok(Summary {
        run: run.id(),
        why,
        detail,
        answer,
        steps,
        committed,
        rejected,
        failed,
        suspended,
        delegated,
        spent,
        head,
        head_seq,
    })
}

/// Carries out what was approved since, and says whether the run stops for it, or for what still waits.
async fn carry_on(run: &Run) -> Result<(Counts, Option<Stop>), RunError> {
    let (mut counts, mut stop) = (Counts::default(), None);
    if run.inner().cancel.is_cancelled() {
        return Ok((counts, None));
    }
    for (_, submitted) in run.carry_on().await? {
        stop = stop.or(counts.count(&submitted));
    }
    let waits = !run.requests().await.is_empty();
    Ok((counts, stop.or(waits.then_some(Stop::Suspended(None)))))
}

/// Lets somebody work as each child that has not ended, and says whether one still waits.
async fn open_children(run: &Run, cognition: &mut dyn Cognition, limits: Limits) -> Result<Option<Stop>, RunError> {
    let mut stop = None;
    for child in run.children().await.into_iter().filter(|child| child.returned.is_none()) {
        if run.inner().cancel.is_cancelled() {
            return Ok(None);
        }
        if drive_child(run, child.run, cognition, limits).await?.is_none() {
            stop = Some(run.waits_for(&child.run));
        }
    }
    Ok(stop)
}

impl Run {
    /// How a drive stops whose child goes on by itself, or with nobody.
    fn waits_for(&self, child: &TrajectoryId) -> Stop {
        match self.inner().cancel.is_cancelled() {
            true => end(EndReason::Cancelled, None),
            false => Stop::Suspended(Some(format!("child run {} has not ended", child.short()))),
        }
    }
}

struct Drive<'a> {
    run: &'a Run,
    limits: Limits,
    counts: Counts,
    history: Vec<PastOutcome>,
    /// Of the skills that the run is bound to, as far as they were read.
    instructions: Vec<String>,
    task: String,
}

impl Drive<'_> {
    async fn steps(&mut self, cognition: &mut dyn Cognition) -> Result<Stop, RunError> {
        for _ in 0..self.limits.steps {
            if self.run.inner().cancel.is_cancelled() {
                return Ok(end(EndReason::Cancelled, None));
            }
            if let Some(stop) = self.step(cognition).await? {
                return Ok(stop);
            }
            self.counts.steps += 1;
        }
        Ok(end(EndReason::LimitReached, Some(format!("{} steps", self.limits.steps))))
    }

    async fn step(&mut self, cognition: &mut dyn Cognition) -> Result<Option<Stop>, RunError> {
        let asked = catch_unwind(AssertUnwindSafe(|| (cognition.name(), cognition.estimate().least(&Amounts::MAX))));
        let Ok((name, estimate)) = asked else {
            return Ok(Some(end(EndReason::CognitionFailed, Some("panicked".into()))));
        };
        self.read_instructions().await?;
        let opened = self.open_turn(name, estimate).await?;
        let (start, step) = match opened {
            Ok(opened) => opened,
            Err(NotAsked { reason, detail }) => return Ok(Some(end(reason, Some(detail)))),
        };
        let mut context = self.context(step).await;
        let clock = Arc::clone(&self.run.inner().core.host.clock);
        let started = clock.monotonic();
        let asked = self.ask(cognition, &context, estimate).await;
        let latency = clock.monotonic().saturating_sub(started);
        let asked = secrets::turn(&self.run.inner().core.redactor, asked);
        self.history = std::mem::take(&mut context.history);
        let (mut turn, failure) = match asked {
            Ok(turn) => (turn, None),
            Err(mut error) => {
                let routing = error.routing.take().map(|evidence| *evidence);
                (Turn { usage: error.usage, routing, ..Turn::default() }, Some(error))
            }
        };
        // No record can say more than the largest amount.
        turn.usage = turn.usage.least(&Amounts::MAX);
        let intents = self.record_turn(start, (estimate, latency), &turn, failure.as_ref()).await?;
        if let Some(error) = failure {
            let reason = if error.code == "cancelled" { EndReason::Cancelled } else { EndReason::CognitionFailed };
            return Ok(Some(end(reason, Some(error.code))));
        }
        if turn.requests.is_empty() {
            let answer = turn.answer.or(turn.text);
            return Ok(Some(Stop::End { reason: EndReason::Completed, detail: None, answer }));
        }
        if let Some(dimension) = self.overdrawn(&turn.usage).await {
            return Ok(Some(end(EndReason::BudgetExhausted, Some(dimension))));
        }
        self.submit_all(step, intents, cognition).await
    }

    /// Submits the intents of a turn in order; after one that stops the turn, the rest is recorded as not attempted.
    async fn submit_all(
        &mut self,
        step: u64,
        intents: Vec<Proposed>,
        cognition: &mut dyn Cognition,
    ) -> Result<Option<Stop>, RunError> {
        let mut stopped: Option<EntryId> = None;
        let mut stop = None;
        for proposed in intents {
            let intent = match proposed {
                Proposed::Intent(intent) => *intent,
                Proposed::Malformed { tool, args, message } => {
                    self.counts.rejected += 1;
                    let outcome = Outcome::Failed { cause: "malformed_request".into(), message, effect: "none".into() };
                    let intent = crate::canon::IntentId::ZERO;
                    self.history.push(PastOutcome { step, intent, tool, args, outcome });
                    continue;
                }
            };
            let (id, tool, args) = (intent.id(), intent.record().target.to_string(), intent.args().clone());
            let spent_up = self.exhausted().await?;
            let outcome = match stopped {
                Some(after) => {
                    self.not_attempted(intent, after).await?;
                    Outcome::NotAttempted
                }
                None if spent_up.is_some() => {
                    let dimension = spent_up.map(|dimension| dimension.as_str().to_owned());
                    stop = Some(end(EndReason::BudgetExhausted, dimension));
                    let (_, after) = self.run.head().await;
                    stopped = Some(after);
                    self.not_attempted(intent, after).await?;
                    Outcome::NotAttempted
                }
                None => {
                    let submitted = self.run.submit_once(intent, false).await?;
                    stop = self.counts.count(&submitted);
                    let mut outcome = Outcome::from(&submitted);
                    if let Submitted::Delegated { child, .. } = &submitted {
                        match drive_child(self.run, *child, cognition, self.limits).await? {
                            Some(result) => outcome = Outcome::Committed { output: result.told() },
                            None => stop = Some(self.run.waits_for(child)),
                        }
                    }
                    if stop.is_some() || submitted.stops_the_turn() {
                        stopped = Some(submitted.entry());
                    }
                    outcome
                }
            };
            self.history.push(PastOutcome { step, intent: id, tool, args, outcome });
        }
        Ok(stop)
    }

    /// The dimension that was granted and is spent, where one is: nothing more is begun then. What others hold may come back, and
    /// ends no run.
    async fn exhausted(&self) -> Result<Option<Dimension>, RunError> {
        let core = &self.run.inner().core;
        let read = |journal: &Journal| (journal.chain.clone(), core.accounts.balances(&journal.chain));
        let (chain, left) = self.run.with_journal(read).await;
        for dimension in Dimension::ALL {
            if turn::exhausted(&chain, &left, &[dimension]).is_some()
                && turn::is_spent(&*core.store, &chain, dimension).await?
            {
                return Ok(Some(dimension));
            }
        }
        Ok(None)
    }

    async fn not_attempted(&self, intent: SealedIntent, after: EntryId) -> Result<(), RunError> {
        let work = move |inner: Arc<Inner>| async move {
            let mut journal = inner.journal.lock().await;
            submit::not_attempted(&inner, &mut journal, &intent, after).await
        };
        self.run.exclusively(work).await?.map(drop)
    }

    /// Reads the instructions of skills that the run was bound to since they were read last.
    async fn read_instructions(&mut self) -> Result<(), RunError> {
        let read = self.instructions.len();
        if self.run.with_journal(|journal| journal.skills.len()).await == read {
            return Ok(());
        }
        let work = move |inner: Arc<Inner>| async move {
            let journal = inner.journal.lock().await;
            let mut more = Vec::new();
            for skill in journal.skills.iter().skip(read) {
                more.push(skills::instructions(&inner.core, &journal, skill).await?);
            }
            Ok::<_, RunError>(more)
        };
        self.instructions.extend(self.run.exclusively(work).await??);
        Ok(())
    }

    async fn context(&mut self, step: u64) -> Context {
        let inner = self.run.inner();
        let (chain, skills, remaining) = self
            .run
            .with_journal(|journal| {
                let (left, skills) = (inner.core.accounts.balances(&journal.chain), journal.narrowings());
                let left = left.into_iter().chain(skills.iter().map(|narrowing| narrowing.left.most()));
                let least = left.fold(Amounts::MAX, |least, left| least.least(&left));
                (journal.chain.clone(), skills, least)
            })
            .await;
        let covered = inner.core.tools.contracts().iter().filter(|contract| {
            chain.links().all(|(_, writ)| {
                contract.effect <= writ.effect_ceiling
                    && writ.scopes.iter().any(|scope| scope.covers(&contract.name, Some(contract)))
            }) && skills.iter().all(|narrowing| narrowing.allows(&contract.name, contract.effect, &Amounts::ZERO))
        });
        let tools = covered.map(|contract| ToolInfo {
            name: contract.name.to_string(),
            description: contract.description.clone(),
            schema: contract.schema.clone(),
            effect: contract.effect,
            risk: contract.risk,
        });
        Context {
            task: self.task.clone(),
            instructions: self.instructions.clone(),
            tools: tools.collect(),
            history: std::mem::take(&mut self.history),
            remaining,
            step,
        }
    }

    /// Asks cognition, within the deadline; a panic or a cancellation is an error like any other. Where nobody can say what
    /// asking cost, it is taken to have cost the estimate.
    async fn ask(
        &self,
        cognition: &mut dyn Cognition,
        context: &Context,
        estimate: Amounts,
    ) -> Result<Turn, CognitionError> {
        let inner = self.run.inner();
        let (sieve, redactor) = (Sieve::default(), &inner.core.redactor);
        let tell = |piece: TurnPiece| inner.watchers.tell(None, || EventKind::Piece(piece));
        let show = |piece: TurnPiece| sieve.take(redactor, piece).into_iter().for_each(tell);
        let asked = AssertUnwindSafe(async { cognition.step(context, &show).await }).catch_unwind();
        let stop = select(inner.core.host.timer.sleep(self.limits.step_deadline), Box::pin(inner.cancel.cancelled()));
        let error =
            |code: &str, message: String| CognitionError { code: code.into(), message, routing: None, usage: estimate };
        let turn = match select(Box::pin(asked), stop).await {
            Either::Left((Ok(turn), _)) => turn,
            Either::Left((Err(_), _)) => Err(error("panicked", "cognition panicked".into())),
            Either::Right((Either::Left(_), _)) => {
                Err(error("timed_out", format!("no turn within {} ms", self.limits.step_deadline.as_millis())))
            }
            Either::Right((Either::Right(_), _)) => Err(error("cancelled", "the run was cancelled".into())),
        };
        sieve.rest(redactor).into_iter().for_each(tell);
        turn
    }

    /// Holds the estimate and records the start of a turn.
    async fn open_turn(&self, name: String, reserved: Amounts) -> Result<Result<(EntryId, u64), NotAsked>, RunError> {
        let work = move |inner: Arc<Inner>| async move {
            let mut journal = inner.journal.lock().await;
            turn::open(&inner, &mut journal, name, reserved).await
        };
        self.run.exclusively(work).await?
    }

    async fn record_turn(
        &self,
        start: EntryId,
        (reserved, latency): (Amounts, Duration),
        turn: &Turn,
        failure: Option<&CognitionError>,
    ) -> Result<Vec<Proposed>, RunError> {
        let (draft, proposed) = turn::seal(self.run.inner(), self.limits.requests_per_turn, start, turn, failure)?;
        let intents = proposed.iter().filter(|proposed| matches!(proposed, Proposed::Intent(_))).count();
        let route = turn.routing.clone().map(|evidence| Route {
            evidence,
            latency_ms: u64::try_from(latency.as_millis()).unwrap_or(MAX_INTEGER).min(MAX_INTEGER),
            status: routing::status(turn, intents, failure.is_some()),
        });
        let (usage, text, requests) = (turn.usage, turn.text.clone(), turn.requests.len());
        let work = move |inner: Arc<Inner>| async move {
            let mut journal = inner.journal.lock().await;
            let at = turn::close(&inner, &mut journal, draft, reserved, usage, route).await?;
            inner.watchers.tell(Some(at), || EventKind::TurnEnded { text, requests, usage });
            Ok::<(), RunError>(())
        };
        self.run.exclusively(work).await??;
        Ok(proposed)
    }

    /// The dimension that a turn overdrew: cognition's usage may exceed its estimate, and then nothing more is begun.
    async fn overdrawn(&self, usage: &Amounts) -> Option<String> {
        let accounts = &self.run.inner().core.accounts;
        let all = || Dimension::ALL.into_iter().filter(|dimension| usage.get(*dimension) > 0);
        let of_skill = |narrowing: &Narrowing| {
            let dimension = all().find(|dimension| narrowing.left.get(*dimension) == Some(0))?;
            Some(turn::of_skill(dimension, narrowing))
        };
        let find = |journal: &Journal| {
            let left = accounts.balances(&journal.chain);
            let found = all().find(|dimension| left.iter().any(|left| left.get(*dimension) == 0));
            let found = found.map(|dimension| dimension.as_str().to_owned());
            found.or_else(|| journal.narrowings().iter().find_map(of_skill))
        };
        self.run.with_journal(find).await
    }
}

fn end(reason: EndReason, detail: Option<String>) -> Stop {
    Stop::End { reason, detail, answer: None }
}

/// Records the end of a run.
pub(super) async fn terminate(
    inner: &Inner,
    journal: &mut Journal,
    reason: EndReason,
    detail: Option<String>,
    answer: Option<String>,
) -> Result<EntryId, RunError> {
    journal.check_open()?;
    turn::abandon(inner, journal).await?;
    if let Some(child) = journal.children.open().next() {
        return Err(RunError::ChildOpen(child.run));
    }
    let mut blobs = Vec::new();
    let mut commitment = None;
    if let Some(answer) = &answer {
        let mut salt = Salt([0; 16]);
        inner.core.host.entropy.fill(&mut salt.0)?;
        let text: String = answer.chars().take(MAX_TEXT).collect();
        let blob = Blob::seal(&Value::from(text), salt)?;
        commitment = Some(blob.commitment());
        blobs.push(blob);
    }
    let detail = detail.map(|detail| detail.chars().take(256).collect());
    let (spent, sealed) = (journal.used.spent, blobs.first().cloned());
    let record = Terminated { answer: commitment, detail, reason, spent };
    let draft = Draft::seal(Kind::Terminated, &record, blobs)?;
    let entry = match journal.requests.waiting() {
        [] => journal.append(&inner.core, &inner.core.authority.state(), draft, vec![]).await?,
        _ => approval::withdraw(&inner.core, journal, draft).await?,
    };
    journal.ended = true;
    journal.ending = Some(Box::new(Ending { entry, seq: journal.last_seq(), answer: sealed, reason, spent }));
    inner.core.plaintexts.forget_run(journal.trajectory);
    inner.watchers.tell(Some((journal.last_seq(), entry)), || EventKind::Ended { reason, answer });
    Ok(entry)
}

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures::{
    FutureExt, Stream,
    channel::oneshot,
    future::BoxFuture,
    lock::{Mutex, MutexGuard},
};

use super::{
    Answer, BindError, Binding, ChildResult, Limits, Rollback, RollbackError, RollbackTo, StartError, Summary, Under,
    VoteError, Voted, approval,
    children::{self, Handles},
    core::Core,
    drive,
    error::RunError,
    events::{Event, Watchers},
    journal::Journal,
    secrets, skills, snapshots,
    submit::{self, Submitted},
    undo,
    unrecorded::Unrecorded,
};
use crate::{
    approval::Request,
    canon::{EntryId, TrajectoryId},
    cognition::Cognition,
    delegation::Child,
    intent::{Intent, SealedIntent},
    ledger::record::EndReason,
    tool::CancelToken,
    world::World,
    writ::{Amounts, BoundSkill, WritChain},
};

/// One agent's run: the handle through which intents are submitted.
///
/// Clones are the same run. Calls on one run take place one after the other. A call whose future is dropped is neither
/// cancelled nor lost: the next call on the run carries it on first. Only when all handles are dropped too is it given up;
/// an effect that was dispatched is then in doubt. A future that is kept and not polled keeps the others waiting: drop it, or poll
/// it to its end.
#[derive(Clone)]
pub struct Run {
    inner: Arc<Inner>,
    /// The call under way. It stays here while its caller polls it, and after its caller has gone.
    under_way: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
}

pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    pub(super) trajectory: TrajectoryId,
    pub(super) journal: Mutex<Journal>,
    pub(super) cancel: CancelToken,
    pub(super) watchers: Watchers,
    pub(super) children: Handles,
    /// Held by the drive of the run.
    pub(super) driving: Mutex<()>,
}

impl Drop for Inner {
    /// The last handle is gone: what was reserved for a call that nothing is on record of is free again.
    fn drop(&mut self) {
        self.journal.get_mut().leave_accounts(&self.core);
    }
}

impl Run {
    pub(super) fn new(core: Arc<Core>, journal: Journal) -> Self {
        let watchers = Watchers::new(journal.trajectory, None);
        Self::with(core, journal, CancelToken::default(), watchers)
    }

    /// A run that another one started, and that is cancelled with it.
    pub(super) fn below(parent: &Inner, journal: Journal) -> Self {
        let watchers = Watchers::new(journal.trajectory, Some(parent.watchers.clone()));
        Self::with(Arc::clone(&parent.core), journal, parent.cancel.child(), watchers)
    }

    fn with(core: Arc<Core>, journal: Journal, cancel: CancelToken, watchers: Watchers) -> Self {
        let inner = Inner {
            core,
            trajectory: journal.trajectory,
            journal: Mutex::new(journal),
            cancel,
            watchers,
            children: Handles::default(),
            driving: Mutex::new(()),
        };
        Self { inner: Arc::new(inner), under_way: Arc::default() }
    }

    /// The run's id.
    pub fn id(&self) -> TrajectoryId {
        self.inner.trajectory
    }

    /// Submits an intent: compile, then refuse, suspend or carry out, and record which.
    ///
    /// Secrets in it are redacted before it is sealed; the tool alone gets them, in this call.
    ///
    /// # Errors
    /// When the intent cannot be sealed, the run has ended, or the ledger fails. A refusal or a failing tool is an outcome.
    pub async fn submit(&self, intent: Intent) -> Result<Submitted, RunError> {
        let core = &self.inner.core;
        let (intent, found) = secrets::intent(&core.redactor, intent)?;
        let sealed = intent.seal(&*core.host.entropy)?;
        core.plaintexts.keep(self.id(), sealed.id(), found);
        self.submit_once(sealed, false).await
    }

    /// Submits an intent that was sealed before. The same sealed intent is the same proposal: it is carried out at most once,
    /// whatever becomes of the process meanwhile, and submitting it again tells what came of it then.
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and when the intent was sealed with a secret in it.
    pub async fn submit_sealed(&self, intent: SealedIntent) -> Result<Submitted, RunError> {
        secrets::check(&self.inner.core.redactor, &intent)?;
        self.submit_once(intent, true).await
    }

    pub(super) async fn submit_once(&self, intent: SealedIntent, may_come_again: bool) -> Result<Submitted, RunError> {
        self.exclusively(move |inner| async move {
            let mut journal = inner.journal.lock().await;
            submit::submit(&inner, &mut journal, intent, may_come_again).await
        })
        .await?
    }

    /// The requests for approval of this run that wait: for votes, or, approved, to be carried out.
    pub async fn requests(&self) -> Vec<Request> {
        self.with_journal(|journal| journal.requests.waiting().to_vec()).await
    }

    /// Votes on a request for approval of this run. When it returns, the vote is durable, and so is the request's end where the vote
    /// decides it. What is approved is carried out by [`carry_on`](Self::carry_on).
    ///
    /// # Errors
    /// When the request does not wait, the vote does not count, the run has ended, or the ledger or the key fails.
    pub async fn vote(&self, answer: Answer<'_>) -> Result<Voted, VoteError> {
        let core = &self.inner.core;
        let statement = self.with_journal(|journal| approval::statement(core, journal, &answer)).await?;
        let signed = approval::sign(core, &answer, statement).await?;
        self.exclusively(move |inner| async move {
            let mut journal = inner.journal.lock().await;
            approval::cast(&inner.core, &mut journal, signed).await
        })
        .await?
    }

    /// Goes on after votes: what is approved is decided once more, on the world, the budget and the authority as they are now, and
    /// carried out where nothing else stands in the way. A request that has lapsed ends; others go on waiting. Returns what became of
    /// every request that was approved, by its entry. [`drive`](Self::drive) does this first.
    ///
    /// # Errors
    /// When the run has ended, or the ledger fails.
    pub async fn carry_on(&self) -> Result<Vec<(EntryId, Submitted)>, RunError> {
        self.exclusively(move |inner| async move {
            let mut journal = inner.journal.lock().await;
            submit::carry_on(&inner, &mut journal).await
        })
        .await?
    }

    /// The runs that this one started, in order.
    pub async fn children(&self) -> Vec<Child> {
        self.with_journal(|journal| journal.children.all().to_vec()).await
    }

    /// The handle of a child. One that this process does not have yet is taken up: see [`Runtime::resume`](super::Runtime::resume).
    ///
    /// # Errors
    /// When there is no such child, it has ended, or it cannot be taken up.
    pub async fn child(&self, run: &TrajectoryId) -> Result<Run, StartError> {
        self.with_journal(|journal| journal.open_child(run).map(drop)).await?;
        children::handle(&self.inner, run).await
    }

    /// Records what came of a child that has ended. [`drive`](Self::drive) does this for the children that it drives.
    ///
    /// # Errors
    /// When there is no such child, it has not ended, or the ledger fails.
    pub async fn conclude(&self, run: &TrajectoryId) -> Result<ChildResult, RunError> {
        let run = *run;
        self.with_journal(|journal| journal.open_child(&run).map(drop)).await?;
        let ending = children::ending(&self.inner, &run).await?.ok_or(RunError::ChildOpen(run))?;
        self.exclusively(move |inner| async move {
            let mut journal = inner.journal.lock().await;
            children::conclude(&inner, &mut journal, &run, ending).await
        })
        .await?
    }

    /// Binds the run to a skill: from the entry that this records on nothing is done that the skill does not allow, and what the run
    /// spends stays within its cap. Cognition is told its instructions, and sees only tools that it allows. A skill grants nothing,
    /// several narrow together, and nothing undoes a binding. Returns the entry.
    ///
    /// # Errors
    /// When the skill cannot be used, or not with its parameters, the run has ended, or the ledger fails.
    pub async fn bind(&self, skill: Binding) -> Result<EntryId, BindError> {
        self.exclusively(move |inner| async move {
            let mut journal = inner.journal.lock().await;
            skills::bind(&inner.core, &mut journal, skill).await
        })
        .await?
    }

    /// Undoes what the run, and every run below it, did after an entry, which stays: every effect that was not undone, the newest in
    /// the store first. Each is undone by the call that its tool recorded for that, decided and carried out as any other call under
    /// the writ that is presented, and committed as a step that names what it undoes. No effect is undone twice, whatever fails
    /// meanwhile.
    ///
    /// It stops where an effect cannot be undone, or the call that undoes it is refused, suspended, fails or is in doubt; that is
    /// recorded and returned. Called again, it goes on from there. [`cancel`](Self::cancel) does not stop it.
    ///
    /// # Errors
    /// When the writ is not good for it, what the run did does not verify, or the ledger or a key fails.
    pub async fn compensate_to(&self, to: impl Into<RollbackTo>, under: Under<'_>) -> Result<Rollback, RollbackError> {
        undo::undo(&self.inner.core, &self.id(), Some(self), to.into(), under).await
    }

    /// The skills that the run is bound to, in the order in which it was.
    pub async fn skills(&self) -> Vec<BoundSkill> {
        self.with_journal(|journal| journal.skills.clone()).await
    }

    /// The writ chain that the run stands under.
    pub async fn writ(&self) -> WritChain {
        self.with_journal(|journal| journal.chain.clone()).await
    }

    /// The dispatches of this run of whose effects nobody knows whether they happened: their seqs and ids.
    pub async fn in_doubt(&self) -> Vec<(u64, EntryId)> {
        self.with_journal(|journal| journal.doubts.iter().map(|doubt| (doubt.seq, doubt.dispatch)).collect()).await
    }

    pub(super) async fn unrecorded(&self) -> Option<Unrecorded> {
        self.with_journal(|journal| journal.unrecorded.clone()).await
    }

    /// Lets cognition propose, step by step, until it answers, a limit is reached, or something waits for approval.
    ///
    /// # Errors
    /// When the run has ended, or the ledger fails.
    pub async fn drive(&self, cognition: &mut dyn Cognition, limits: Limits) -> Result<Summary, RunError> {
        drive::drive(self, cognition, limits).await
    }

    /// Ends the run, and first every child that has not ended. Nothing can be added afterwards.
    ///
    /// # Errors
    /// When it has ended already, or the ledger fails.
    pub async fn close(&self) -> Result<EntryId, RunError> {
        self.end(EndReason::Closed, None, None).await
    }

    /// Ends what is below the run first, each by an operation of its own: whoever goes away in the middle holds up nobody.
    pub(super) fn end(
        &self,
        reason: EndReason,
        detail: Option<String>,
        answer: Option<String>,
    ) -> BoxFuture<'_, Result<EntryId, RunError>> {
        Box::pin(async move {
            loop {
                for child in self.children().await.into_iter().filter(|child| child.returned.is_none()) {
                    self.with_journal(Journal::check_open).await?;
                    children::end(&self.inner, &child.run).await?;
                    match self.conclude(&child.run).await {
                        // Somebody else was faster.
                        Ok(_) | Err(RunError::NoChild(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                let (detail, answer) = (detail.clone(), answer.clone());
                let ended = self.exclusively(move |inner| async move {
                    let mut journal = inner.journal.lock().await;
                    drive::terminate(&inner, &mut journal, reason, detail, answer).await
                });
                match ended.await? {
                    Err(RunError::ChildOpen(_)) => {}
                    ended => return ended,
                }
            }
        })
    }

    /// Cancels the run: the tool under way is told to stop, no other is called, and a drive ends the run.
    pub fn cancel(&self) {
        self.inner.cancel.cancel();
    }

    /// A stream of what happens in the run, and in those below it that this process has, from now on. Unread events are kept: read it or drop it.
    pub fn events(&self) -> impl Stream<Item = Event> + Send + use<> {
        self.inner.watchers.watch()
    }

    /// A copy of the world as it stands.
    pub async fn world(&self) -> World {
        self.with_journal(|journal| journal.world.clone()).await
    }

    /// What the run spent so far, and what is held for effects in doubt.
    pub async fn spent(&self) -> (Amounts, Amounts) {
        self.with_journal(|journal| (journal.used.spent, journal.used.held)).await
    }

    /// The last entry: its seq and id.
    pub async fn head(&self) -> (u64, EntryId) {
        self.with_journal(|journal| (journal.last_seq(), journal.head)).await
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(super) async fn with_journal<T>(&self, read: impl FnOnce(&Journal) -> T) -> T {
        let turn = self.joined().await;
        let value = read(&*self.inner.journal.lock().await);
        drop(turn);
        value
    }

    /// Waits for the turn on this run, and carries on what an earlier caller left.
    async fn joined(&self) -> MutexGuard<'_, Option<BoxFuture<'static, ()>>> {
        let mut under_way = self.under_way.lock().await;
        if let Some(left) = under_way.as_mut() {
            left.await;
        }
        *under_way = None;
        under_way
    }

    /// Runs an operation of this run that survives its caller.
    pub(super) async fn exclusively<T, F>(&self, operation: impl FnOnce(Arc<Inner>) -> F) -> Result<T, RunError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = self.joined().await;
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        // Boxed before it is wrapped: it is large, and would be copied with each wrapper.
        let work = Box::pin(operation(Arc::clone(&inner)));
        let work = under_way.insert(Box::pin(async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            match &result {
                Ok(_) => snapshots::keep_due(&inner.core, &inner.journal).await,
                // The state may be half changed: nothing more is done with it.
                Err(_) => inner.journal.lock().await.stale = true,
            }
            // Nobody waits for the result when the caller has gone; the ledger has it.
            drop(result.map(|result| sender.send(result)));
        }));
        work.await;
        *under_way = None;
        receiver.await.map_err(|_| RunError::Stale)
    }
}

//! Staged → (dispatch) → tool → commit | failure, with the registers and accounts beside each.

use super::{
    authority::expect_epoch,
    call::Called,
    core::Core,
    doubt::Doubt,
    error::RunError,
    events::EventKind,
    in_force::InForce,
    journal::Journal,
    outcome,
    run::Inner,
    submit::{Again, Attempt, Submission, Submitted},
    unrecorded::Unrecorded,
};
use crate::{
    canon::EntryId,
    execute::{Concluded, Conclusion, Execution},
    ledger::{RegisterKey, RegisterOp, StoreError, record::WhatHappened},
    tool::CancelToken,
    writ::Amounts,
};

/// A staged call on its way.
struct Carried<'a> {
    inner: &'a Inner,
    authority: &'a InForce,
    asked: Submission<'a>,
    called: Box<Called>,
    /// Reserved on every account of the chain.
    held: Amounts,
    /// What is in doubt from the dispatch on, where the tool touches the host.
    dispatched: Option<Box<Doubt>>,
}

/// Carries out what was staged, for which its cost is reserved.
pub(super) async fn carry_out(
    inner: &Inner,
    journal: &mut Journal,
    authority: &InForce,
    asked: Submission<'_>,
    mut execution: Box<Execution>,
) -> Result<Attempt, RunError> {
    execution.undoing(asked.undoes.copied());
    let staged = execution.staged();
    let called = Box::new(Called {
        proposal: staged.id(),
        key: staged.quote().key,
        compensates: asked.undoes.copied(),
        request: asked.waited_at(),
        may_come_again: asked.may_come_again,
    });
    let mut carried = Carried { inner, authority, asked, called, held: execution.cost(), dispatched: None };
    let error = match carried.through(journal, execution).await {
        Ok(submitted) => return Ok(Ok(submitted)),
        Err(error) => error,
    };
    Box::pin(carried.failed(journal, error)).await
}

impl Carried<'_> {
    fn core(&self) -> &Core {
        &self.inner.core
    }

    /// Dispatches, calls the tool and records the outcome.
    async fn through(&mut self, journal: &mut Journal, execution: Box<Execution>) -> Result<Submitted, RunError> {
        let host = &self.inner.core.host;
        self.dispatch(journal, &execution).await?;
        let dispatch = self.dispatched.as_ref().map(|doubt| doubt.dispatch);
        let under_way = dispatch.map(|dispatch| self.core().calls.begin(dispatch));
        let concluded = {
            // What a cancelled run did can be undone.
            let cancel = self.asked.undoes.map_or_else(|| self.inner.cancel.clone(), |_| CancelToken::default());
            let finished = execution.run(dispatch, cancel, host).await;
            if let Some(under_way) = under_way.filter(|_| finished.has_returned()) {
                under_way.returned();
            }
            finished.conclude(&mut journal.world, journal.next_seq, &*host.entropy)?
        };
        let used = journal.used;
        journal.used.spent = used.spent.plus(&concluded.cost);
        if dispatch.is_some() {
            journal.used.held = used.held.minus(&self.held);
        }
        let effect = self.effect(&concluded.conclusion);
        let registers = self.outcome(journal, &concluded.conclusion, effect);
        match journal.append(self.core(), self.authority, concluded.draft.clone(), registers).await {
            Ok(entry) => Ok(self.recorded(journal, entry, concluded, effect)),
            Err(error) => {
                journal.used = used;
                self.keep(journal, concluded, effect, error.is_unclear());
                Err(error)
            }
        }
    }

    /// Makes the dispatch durable, where the tool touches the host.
    async fn dispatch(&mut self, journal: &mut Journal, execution: &Execution) -> Result<(), RunError> {
        let Some(draft) = execution.dispatch()? else { return Ok(()) };
        let before = journal.used;
        let seq = journal.next_seq;
        journal.used.held = before.held.plus(&self.held);
        let mut registers = journal.account();
        registers.push(expect_epoch(self.authority));
        registers.extend(self.called.dispatching(journal));
        match journal.append(self.core(), self.authority, draft, registers).await {
            Ok(dispatch) => {
                self.dispatched =
                    Some(Box::new(Doubt::of(execution.staged(), dispatch, seq, self.asked.undoes.copied())));
                self.asked.decided(journal);
                let intent = self.asked.intent.id();
                self.inner.watchers.tell(Some((seq, dispatch)), || EventKind::Dispatched { intent });
                Ok(())
            }
            Err(error) => {
                journal.used = before;
                Err(error)
            }
        }
    }

    fn effect(&self, conclusion: &Conclusion) -> WhatHappened {
        match (conclusion, &self.dispatched) {
            (Conclusion::Failed { effect, .. }, _) => *effect,
            (Conclusion::Committed { .. }, Some(_)) => WhatHappened::Happened,
            (Conclusion::Committed { .. }, None) => WhatHappened::None,
        }
    }

    /// The registers beside the outcome.
    fn outcome(&self, journal: &Journal, conclusion: &Conclusion, effect: WhatHappened) -> Vec<RegisterOp> {
        let mut registers = match self.dispatched {
            Some(_) => self.called.concluding(journal, effect),
            None => {
                let mut registers = vec![expect_epoch(self.authority)];
                let committed = matches!(conclusion, Conclusion::Committed { .. });
                registers.extend(self.called.done_at_once(journal, committed));
                registers
            }
        };
        registers.extend(journal.account());
        registers
    }

    /// The outcome is durable: what was held is spent.
    fn recorded(&self, journal: &mut Journal, entry: EntryId, concluded: Concluded, effect: WhatHappened) -> Submitted {
        journal.settle(self.core(), &self.held, &concluded.cost);
        self.asked.decided(journal);
        if let Some(doubt) = self.dispatched.as_deref().filter(|_| effect == WhatHappened::Unknown) {
            journal.doubts.push(Doubt { held: None, ..doubt.clone() });
        }
        self.tell(journal, entry, concluded.conclusion, concluded.cost)
    }

    /// The outcome was not stored: the world is as it was, and what may have been stored, or follows an effect, is kept.
    fn keep(&self, journal: &mut Journal, concluded: Concluded, effect: WhatHappened, is_unclear: bool) {
        let Concluded { draft, cost, unfold, .. } = concluded;
        journal.world.unfold(unfold);
        let dispatch = self.dispatched.as_ref().map(|doubt| doubt.dispatch);
        if is_unclear || dispatch.is_some() {
            journal.unrecorded = Some(Unrecorded {
                dispatch,
                called: *self.called,
                intent: self.asked.intent.record().clone(),
                draft,
                effect,
                cost,
                held: self.held,
                epoch: self.authority.epoch,
                presented: journal.presented,
                head: journal.head,
            });
        }
    }

    /// The dispatch or the outcome was not stored.
    async fn failed(&self, journal: &mut Journal, error: RunError) -> Result<Attempt, RunError> {
        let Some(doubt) = &self.dispatched else { return self.again(journal, error).await };
        // What was held stays held: the tool ran, and the ledger does not say what came of it.
        journal.stale = true;
        Err(RunError::OutcomeNotRecorded { dispatch: doubt.dispatch, source: Box::new(error) })
    }

    fn tell(&self, journal: &mut Journal, entry: EntryId, conclusion: Conclusion, cost: Amounts) -> Submitted {
        let (intent, seq, watchers) = (self.asked.intent.id(), journal.last_seq(), &self.inner.watchers);
        match conclusion {
            Conclusion::Committed { output } => {
                journal.base_seq = seq;
                watchers.tell(Some((seq, entry)), || EventKind::Committed { intent, output: output.clone(), cost });
                Submitted::Committed { entry, seq, output, cost }
            }
            Conclusion::Failed { cause, message, effect } => {
                let told = message.clone();
                watchers.tell(Some((seq, entry)), || EventKind::Failed { intent, cause, message: told, effect });
                Submitted::Failed { entry, seq, cause, message, effect }
            }
        }
    }

    /// An entry that was not stored, before any effect: compile again when something changed since the decision, say what
    /// became of the same proposal before, or give up.
    async fn again(&self, journal: &mut Journal, error: RunError) -> Result<Attempt, RunError> {
        let core = self.core();
        // What may have been stored stays held until the run is taken up again.
        if !error.is_unclear() {
            journal.release(core, &self.held);
        }
        let RunError::Store(StoreError::RegisterChanged { key }) = &error else { return Err(error) };
        if *key == RegisterKey::epoch() {
            core.authority.after(core, self.authority).await?;
            return Ok(Err(Again::Changed));
        }
        if self.called.key.is_some_and(|business| *key == RegisterKey::business_key(&business)) {
            return Ok(Err(Again::Changed));
        }
        match outcome::earlier(self.inner, journal, self.asked.intent).await? {
            Some(earlier) => Ok(Ok(earlier)),
            None => Err(error),
        }
    }
}

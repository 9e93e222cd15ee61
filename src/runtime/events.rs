use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use serde_json::Value;

use super::ChildResult;
use crate::{
    canon::{EntryId, IntentId, TrajectoryId},
    cognition::TurnPiece,
    ledger::record::{EndReason, FailureCause, WhatHappened},
    proposal::Refusal,
    writ::Amounts,
};

/// Something that happened in a run, or in one below it, as it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The run in which it happened.
    pub run: TrajectoryId,
    /// The entry that records it; absent for what is only shown.
    pub entry: Option<(u64, EntryId)>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// Cognition is asked.
    TurnStarted {
        /// The number of the step.
        step: u64,
        /// The cognition's name.
        cognition: String,
    },
    /// A piece of a turn arrived.
    Piece(TurnPiece),
    /// Cognition proposed.
    TurnEnded {
        /// What it said.
        text: Option<String>,
        /// How many requests it made.
        requests: usize,
        /// What it cost.
        usage: Amounts,
    },
    /// An intent is about to be decided.
    Proposed {
        /// The intent.
        intent: IntentId,
        /// The tool.
        tool: String,
        /// The arguments.
        args: Value,
        /// Why, as its author says.
        rationale: String,
    },
    /// It was refused.
    Rejected {
        /// The intent.
        intent: IntentId,
        /// Why.
        refusal: Refusal,
    },
    /// It waits for approval.
    Suspended {
        /// The intent.
        intent: IntentId,
        /// Who is asked.
        channel: String,
        /// Why.
        reason: String,
    },
    /// The tool is about to touch the host.
    Dispatched {
        /// The intent.
        intent: IntentId,
    },
    /// It was done.
    Committed {
        /// The intent.
        intent: IntentId,
        /// What the tool observed.
        output: Value,
        /// What it cost.
        cost: Amounts,
    },
    /// It failed.
    Failed {
        /// The intent.
        intent: IntentId,
        /// Why.
        cause: FailureCause,
        /// What the tool said.
        message: String,
        /// Whether the effect happened.
        effect: WhatHappened,
    },
    /// It started a child run.
    Delegated {
        /// The intent.
        intent: IntentId,
        /// The child.
        child: TrajectoryId,
    },
    /// A child ended, and what came of it is on record.
    Returned(ChildResult),
    /// It was not tried, since one before it stopped the turn.
    NotAttempted {
        /// The intent.
        intent: IntentId,
    },
    /// The run ended.
    Ended {
        /// Why.
        reason: EndReason,
        /// The final answer.
        answer: Option<String>,
    },
}

/// Those who watch a run. Clones are the same.
#[derive(Clone)]
pub(crate) struct Watchers(Arc<Watched>);

struct Watched {
    run: TrajectoryId,
    watchers: Mutex<Vec<UnboundedSender<Event>>>,
    /// Those of the run that started it, who see it too.
    above: Option<Watchers>,
}

impl Watchers {
    pub(crate) fn new(run: TrajectoryId, above: Option<Self>) -> Self {
        Self(Arc::new(Watched { run, watchers: Mutex::default(), above }))
    }

    /// A new watcher, who sees what happens from now on.
    pub(crate) fn watch(&self) -> UnboundedReceiver<Event> {
        let (sender, receiver) = unbounded();
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Tells all who still watch.
    pub(crate) fn tell(&self, entry: Option<(u64, EntryId)>, kind: impl FnOnce() -> EventKind) {
        if self.is_watched() {
            self.pass_on(&Event { run: self.0.run, entry, kind: kind() });
        }
    }

    fn is_watched(&self) -> bool {
        let above = self.0.above.as_ref();
        !self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
            || above.is_some_and(Self::is_watched)
    }

    fn pass_on(&self, event: &Event) {
        let send = |watcher: &UnboundedSender<Event>| watcher.unbounded_send(event.clone()).is_ok();
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).retain(send);
        if let Some(above) = &self.0.above {
            above.pass_on(event);
        }
    }
}

use std::sync::{Mutex, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use serde_json::Value;

use crate::{
    canon::{EntryId, IntentId},
    cognition::TurnPiece,
    ledger::record::{EndReason, FailureCause, WhatHappened},
    proposal::Refusal,
    writ::Amounts,
};

/// Something that happened in a run, as it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
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

/// Those who watch a run.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<UnboundedSender<Event>>>);

impl Watchers {
    /// A new watcher, who sees what happens from now on.
    pub(crate) fn watch(&self) -> UnboundedReceiver<Event> {
        let (sender, receiver) = unbounded();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Tells all who still watch.
    pub(crate) fn tell(&self, entry: Option<(u64, EntryId)>, kind: impl FnOnce() -> EventKind) {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watchers.is_empty() {
            return;
        }
        let event = Event { entry, kind: kind() };
        watchers.retain(|watcher| watcher.unbounded_send(event.clone()).is_ok());
    }
}

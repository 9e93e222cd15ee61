use serde_json::Value;

use crate::{contract::DELEGATE, intent::IntentKind, proposal::RoutingEvidence, writ::Amounts};

/// What cognition proposes in one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turn {
    /// What it says beside its proposals.
    pub text: Option<String>,
    /// What it wants done, in order.
    pub requests: Vec<Request>,
    /// Its final answer; a turn without requests ends the run.
    pub answer: Option<String>,
    /// What the step cost.
    pub usage: Amounts,
    /// Why a router chose this model. It is recorded with what came of the turn, and no decision depends on it.
    pub routing: Option<RoutingEvidence>,
}

/// One thing that cognition wants done.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What kind of request.
    pub kind: IntentKind,
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub args: Value,
    /// Why.
    pub rationale: String,
}

impl Request {
    /// A request to call a tool.
    pub fn call(tool: impl Into<String>, args: Value) -> Self {
        Self { kind: IntentKind::Act, tool: tool.into(), args, rationale: String::new() }
    }

    /// A request to hand part of the task to a child run.
    pub fn delegate(args: Value) -> Self {
        Self { kind: IntentKind::Delegate, ..Self::call(DELEGATE, args) }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, rationale: impl Into<String>) -> Self {
        self.rationale = rationale.into();
        self
    }
}

impl Turn {
    /// A turn that calls tools.
    pub fn calls(requests: impl IntoIterator<Item = Request>) -> Self {
        Self { requests: requests.into_iter().collect(), ..Self::default() }
    }

    /// A turn that ends the run with an answer.
    pub fn answer(answer: impl Into<String>) -> Self {
        Self { answer: Some(answer.into()), ..Self::default() }
    }

    /// Adds a router's evidence.
    #[must_use]
    pub fn routed(mut self, evidence: RoutingEvidence) -> Self {
        self.routing = Some(evidence);
        self
    }

    /// Adds text.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }
}

/// Why there is no turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CognitionError {
    /// A short stable code, such as `timeout` or `malformed`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Why a router chose the model that failed.
    pub routing: Option<Box<RoutingEvidence>>,
    /// What the attempt cost, as far as it was reported.
    pub usage: Amounts,
}

/// A piece of a turn as it arrives.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TurnPiece {
    /// More text.
    Text(String),
    /// More of the arguments of a request.
    Arguments {
        /// Which request, from 0.
        request: usize,
        /// The tool, as far as it is known.
        tool: String,
        /// The next characters.
        text: String,
    },
}

/// Where cognition streams pieces of a turn to. Only for show: the turn that it returns is what counts.
pub trait TurnEvents: Send + Sync {
    /// Shows a piece.
    fn piece(&self, piece: TurnPiece);
}

impl<F: Fn(TurnPiece) + Send + Sync> TurnEvents for F {
    fn piece(&self, piece: TurnPiece) {
        self(piece);
    }
}

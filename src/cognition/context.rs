use serde_json::Value;

use crate::{
    canon::IntentId,
    contract::{Effect, Risk},
    proposal::Refusal,
    writ::Amounts,
};

/// What cognition is told before each step: plain values.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// What is to be done.
    pub task: String,
    /// Instructions of the skills that are bound to the run.
    pub instructions: Vec<String>,
    /// The tools that the writ covers.
    pub tools: Vec<ToolInfo>,
    /// What became of everything that it proposed in this run, in order.
    pub history: Vec<PastOutcome>,
    /// What is left of the budget.
    pub remaining: Amounts,
    /// The number of the step, from 0.
    pub step: u64,
}

/// A tool as cognition sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolInfo {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub schema: Value,
    /// Its effect.
    pub effect: Effect,
    /// Its risk.
    pub risk: Risk,
}

/// What became of one proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct PastOutcome {
    /// The step in which it was proposed.
    pub step: u64,
    /// The intent.
    pub intent: IntentId,
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub args: Value,
    /// The outcome.
    pub outcome: Outcome,
}

/// An outcome as cognition sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done; this is what the tool observed.
    Committed {
        /// The observation.
        output: Value,
    },
    /// It was refused.
    Refused(Refusal),
    /// It waits for approval.
    Suspended {
        /// Why.
        reason: String,
    },
    /// A child run works on it, and has not ended yet.
    Delegated {
        /// The child's id.
        run: String,
    },
    /// Nobody answered the request for approval in time: nothing came of it.
    Unanswered {
        /// Who was asked.
        channel: String,
    },
    /// It was staged and failed.
    Failed {
        /// A stable code.
        cause: String,
        /// What the tool said.
        message: String,
        /// Whether the effect happened: `none`, `happened` or `unknown`.
        effect: String,
    },
    /// It was not tried, since something before it in the same turn stopped the turn.
    NotAttempted,
}

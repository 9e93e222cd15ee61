//! Cognition that follows a script: for tests, and for trying tools and policies without a model.

mod script;

pub use script::{MAX_SCRIPT_BYTES, MAX_SCRIPT_STEPS, MAX_STEP_CALLS, ScriptError, ScriptFault};

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;

use super::{
    Cognition, CognitionError, Context, Request, Turn, TurnEvents, TurnPiece,
    tally::{Tally, trouble},
};

/// Plays turns in order, whatever becomes of them, and then answers.
///
/// The final answer is the one given with [`Mock::answering`]; without one it is an account of what became of the
/// calls.
///
/// ```
/// use openthymos::cognition::{Mock, Request};
/// use serde_json::json;
///
/// let read = Request::call("fs_read", json!({"path": "README.md"}));
/// let write = Request::call("fs_write", json!({"path": "a.txt", "content": "hello"}));
/// let mock = Mock::script(vec![vec![read], vec![write]]).answering("done");
/// # let _ = mock;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Mock {
    turns: VecDeque<Turn>,
    answer: Option<String>,
    /// Who works on a task that is handed down, in order.
    children: BTreeMap<String, VecDeque<Self>>,
}

impl Mock {
    /// Proposes these calls, one list a step.
    pub fn script(steps: Vec<Vec<Request>>) -> Self {
        Self::turns(steps.into_iter().map(Turn::calls).collect())
    }

    /// Plays these turns as they are.
    pub fn turns(turns: Vec<Turn>) -> Self {
        Self { turns: turns.into(), ..Self::default() }
    }

    /// Reads a script: a JSON list of steps.
    ///
    /// A step is a list of calls, or an object of `say` (text), `calls`, `answer` (text) and `routing` (a router's evidence, as the
    /// ledger has it), all optional. A call is an object of `tool`, `args` (`{}` when absent), `rationale` and `kind` (`act` when
    /// absent); one that delegates may have the `script` of its child. A step without calls ends the run, so only the last one may
    /// be without.
    ///
    /// ```
    /// use openthymos::cognition::Mock;
    ///
    /// let script = br#"[
    ///     [{"tool": "list_files", "args": {}}],
    ///     {"say": "now the write", "calls": [{"tool": "fs_write", "args": {"path": "a", "content": "b"}}]},
    ///     {"answer": "done"}
    /// ]"#;
    /// assert!(Mock::from_json(script).is_ok());
    /// let error = Mock::from_json(br#"[[{"tol": "list_files"}]]"#).unwrap_err();
    /// assert_eq!(error.to_string(), "step 0, call 0: unknown member `tol`");
    /// ```
    ///
    /// # Errors
    /// What is not JSON or could be read in two ways, and what is not a script, with the step and the call, both
    /// counted from 0.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ScriptError> {
        script::read(bytes)
    }

    /// Says who works as the child that is given this task. Of several for one task, the first works first.
    #[must_use]
    pub fn with_child(mut self, task: impl Into<String>, child: Self) -> Self {
        self.children.entry(task.into()).or_default().push_back(child);
        self
    }

    /// Sets the final answer.
    #[must_use]
    pub fn answering(mut self, text: impl Into<String>) -> Self {
        self.answer = Some(text.into());
        self
    }

    fn account(context: &Context) -> String {
        let mut text = format!("The script is over. {}.", Tally::of(&context.history));
        for past in &context.history {
            if let Some(trouble) = trouble(&past.outcome) {
                text.push_str(&format!("\n- step {}: `{}` {trouble}", past.step, past.tool));
            }
        }
        text
    }
}

#[async_trait]
impl Cognition for Mock {
    fn name(&self) -> String {
        "mock (scripted)".into()
    }

    fn delegate(&mut self, task: &str) -> Option<Box<dyn Cognition>> {
        Some(Box::new(self.children.get_mut(task)?.pop_front()?))
    }

    async fn step(&mut self, context: &Context, events: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        let over = || Turn::answer(self.answer.clone().unwrap_or_else(|| Self::account(context)));
        let turn = self.turns.pop_front().unwrap_or_else(over);
        for text in turn.text.iter().chain(&turn.answer) {
            events.piece(TurnPiece::Text(text.clone()));
        }
        Ok(turn)
    }
}

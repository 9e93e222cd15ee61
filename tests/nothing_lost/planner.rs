//! Cognition that works off lists of calls, and takes from its history what is left to ask.

use async_trait::async_trait;
use openthymos::{
    cognition::{Cognition, CognitionError, Context, Outcome, PastOutcome, Request, Turn, TurnEvents},
    writ::Amounts,
};
use serde_json::json;

use super::script::Asked;

pub struct Planner {
    lists: &'static [&'static [Asked]],
    /// What it was told is left of the budget, at last.
    pub remaining: Amounts,
}

impl Planner {
    pub fn new(lists: &'static [&'static [Asked]]) -> Self {
        Self { lists, remaining: Amounts::ZERO }
    }
}

/// Whether a call needs not be asked again: the world outside, or the kernel, has said its last word on it.
fn settled(past: &PastOutcome) -> bool {
    match &past.outcome {
        Outcome::NotAttempted => false,
        Outcome::Failed { cause, effect, .. } => {
            effect != "none" || !matches!(cause.as_str(), "interrupted" | "commit_failed")
        }
        _ => true,
    }
}

#[async_trait]
impl Cognition for Planner {
    fn name(&self) -> String {
        "planner".into()
    }

    fn estimate(&self) -> Amounts {
        if self.lists.is_empty() { Amounts::ZERO } else { Amounts { tokens: 100, ..Amounts::ZERO } }
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.remaining = context.remaining;
        let asked = |(tool, number): &Asked| {
            let args = json!({"amount": number});
            context.history.iter().any(|past| past.tool == *tool && past.args == args && settled(past))
        };
        for list in self.lists {
            let left: Vec<_> = list.iter().filter(|call| !asked(call)).collect();
            if !left.is_empty() {
                let calls = left.iter().map(|(tool, number)| Request::call(*tool, json!({"amount": number})));
                return Ok(Turn { usage: Amounts { tokens: 60, ..Amounts::ZERO }, ..Turn::calls(calls) });
            }
        }
        if let Some((tool, number)) = self.lists.concat().iter().find(|(tool, _)| *tool == "ask") {
            // It stays where it waits for approval.
            return Ok(Turn::calls([Request::call(*tool, json!({"amount": number + 500}))]));
        }
        let usage = if self.lists.is_empty() { Amounts::ZERO } else { Amounts { tokens: 30, ..Amounts::ZERO } };
        Ok(Turn { usage, ..Turn::answer("done") })
    }
}

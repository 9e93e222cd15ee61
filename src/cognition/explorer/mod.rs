//! Cognition without a model: a small program that looks at a workspace through the tools that it is offered.

mod findings;
mod languages;
mod manifests;
mod plan;
mod report;
mod task;
mod text;

use async_trait::async_trait;

use self::{
    findings::Findings,
    plan::{Ask, PHASES},
    report::End,
};
use super::{Cognition, CognitionError, Context, Request, Turn, TurnEvents, TurnPiece};
use crate::{contract::Effect, intent::IntentKind};

/// How deep folders are listed.
const LIST_DEPTH: usize = 6;
/// The most calls that one turn makes.
const MAX_CALLS: usize = 8;
/// The most turns before it offers its map and answers with what it has.
const MAX_TURNS: u64 = 12;

/// Looks at a workspace and reports what it found: a deterministic program, no language model.
///
/// It lists folders, reads the README, the manifests and the files where the code starts, searches for tests and
/// notes, and follows the words of the task. Then it offers to save a map of what it found with one `fs_write`, which
/// a read-only writ refuses, and answers. Each fact of the answer comes from the output of a tool, and what could not
/// be looked at is named.
///
/// It uses `list_files`, `fs_read` and `grep` where [`Context::tools`] offers them, and keeps one call of the budget
/// for the offer. What to do next follows from the history alone, so an interrupted run can be continued by a new
/// value. It costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Explorer {
    turns: u64,
}

impl Explorer {
    /// An explorer.
    pub fn new() -> Self {
        Self::default()
    }

    fn turn(&mut self, context: &Context) -> Turn {
        let findings = Findings::gather(&context.history);
        let end = match self.exploration(&findings, context) {
            Ok((says, asks)) => return calls(context, asks).saying(says),
            Err(end) => end,
        };
        let may_offer = findings.map.is_none() && findings.over().is_none() && context.remaining.tool_calls > 0;
        if may_offer && self.turns <= MAX_TURNS {
            let offer = plan::offer(&findings, report::map(&findings, context, &end));
            return calls(context, vec![offer]).saying("I have looked around, and offer to save a map of it.");
        }
        Turn::answer(report::answer(&findings, context, &end))
    }

    /// What to ask for next, or why nothing more is asked for.
    fn exploration(&self, findings: &Findings<'_>, context: &Context) -> Result<(&'static str, Vec<Ask>), End> {
        // One call is kept for the offer, unless nothing at all could be looked at then.
        let kept = u64::from(!context.history.is_empty());
        let room = usize::try_from(context.remaining.tool_calls.saturating_sub(kept)).unwrap_or(usize::MAX);
        for phase in PHASES {
            let mut asks = (phase.asks)(findings, &context.task);
            asks.retain(|ask| {
                effect_of(context, ask.tool).is_some()
                    && !findings.barred(ask.tool)
                    && !findings.asked(ask.tool, &ask.args)
            });
            if asks.is_empty() {
                continue;
            }
            if let Some(stage) = findings.over() {
                return Err(End::Over(stage));
            }
            if room == 0 {
                return Err(End::Budget(asks));
            }
            if findings.map.is_some() || self.turns.max(findings.steps()) >= MAX_TURNS {
                return Err(End::Turns(asks));
            }
            asks.truncate(room.min(MAX_CALLS));
            return Ok((phase.says, asks));
        }
        Err(End::Done)
    }
}

fn effect_of(context: &Context, tool: &str) -> Option<Effect> {
    context.tools.iter().find(|info| info.name == tool).map(|info| info.effect)
}

fn calls(context: &Context, asks: Vec<Ask>) -> Turn {
    Turn::calls(asks.into_iter().map(|ask| {
        let kind = if effect_of(context, ask.tool) == Some(Effect::Read) { IntentKind::Query } else { IntentKind::Act };
        Request { kind, ..Request::call(ask.tool, ask.args).because(ask.why) }
    }))
}

#[async_trait]
impl Cognition for Explorer {
    fn name(&self) -> String {
        "explorer (offline)".into()
    }

    fn delegate(&mut self, _task: &str) -> Option<Box<dyn Cognition>> {
        Some(Box::new(Self::new()))
    }

    async fn step(&mut self, context: &Context, events: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        let turn = self.turn(context);
        self.turns = if turn.requests.is_empty() { 0 } else { self.turns + 1 };
        for text in turn.text.iter().chain(&turn.answer) {
            events.piece(TurnPiece::Text(text.clone()));
        }
        Ok(turn)
    }
}

//! The answer: what the outcomes of a run tell, and nothing else.

mod gaps;
mod project;
mod searches;
mod tree;

use super::{
    findings::{Findings, MAP},
    plan::Ask,
    text::{code, line},
};
use crate::{
    cognition::{
        Context, Outcome,
        tally::{Tally, trouble},
    },
    proposal::Stage,
};

/// Why the explorer stopped looking.
pub(super) enum End {
    /// It had looked at all that it looks at.
    Done,
    /// The budget had no room for these.
    Budget(Vec<Ask>),
    /// It had made its turns, and these were left.
    Turns(Vec<Ask>),
    /// A refusal at this stage means that nothing more can be called.
    Over(Stage),
}

/// The final answer.
pub(super) fn answer(findings: &Findings<'_>, context: &Context, end: &End) -> String {
    let last = format!(
        "_{}. This is the offline explorer: a deterministic program, and no language model._",
        Tally::of(&context.history)
    );
    [body(findings, context, end), section("The map", vec![saved(findings, context)]), last].concat()
}

/// What it offers to save.
pub(super) fn map(findings: &Findings<'_>, context: &Context, end: &End) -> String {
    body(findings, context, end)
        + "_Written by the offline explorer: a deterministic program, and no language model._\n"
}

fn body(findings: &Findings<'_>, context: &Context, end: &End) -> String {
    [
        project::heading(findings),
        section("Size and languages", tree::size(findings)),
        section("Layout", tree::layout(findings)),
        section("Manifests", project::manifests(findings)),
        section("Where the code starts", tree::starts(findings)),
        section("Code, by patterns of lines", searches::patterns(findings)),
        section("Words of the task", searches::words(findings, &context.task)),
        section("Not looked at", gaps::lines(findings, context, end)),
    ]
    .concat()
}

fn section(title: &str, lines: Vec<String>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("## {title}\n\n{}\n", lines.into_iter().map(|line| format!("- {line}\n")).collect::<String>())
}

fn saved(findings: &Findings<'_>, context: &Context) -> String {
    match findings.map {
        Some(Outcome::Committed { .. }) => format!("saved as {}", code(MAP)),
        Some(outcome) => {
            let why = trouble(outcome).unwrap_or_default();
            format!("not saved: the offer to write {} {}", code(MAP), line(&why, 240))
        }
        None if context.remaining.tool_calls == 0 => "not saved: the budget had no call left for the offer".into(),
        None if findings.over().is_some() => {
            format!("not saved: I did not offer to write {}, since it could not have succeeded", code(MAP))
        }
        None => "not saved: I know of no outcome of the offer".into(),
    }
}

use super::End;
use crate::cognition::{
    Context,
    explorer::{
        findings::{Findings, is_not_own},
        plan::Ask,
        text::{code, count, some},
    },
};

/// What was not looked at, and why.
pub(super) fn lines(findings: &Findings<'_>, context: &Context, end: &End) -> Vec<String> {
    let mut lines = Vec::new();
    for tool in ["list_files", "fs_read", "grep"] {
        if !context.tools.iter().any(|info| info.name == tool) {
            lines.push(format!("{} is not offered to me", code(tool)));
        }
    }
    let left = |asks: &[Ask]| {
        let of =
            |ask: &Ask| ["path", "pattern"].iter().find_map(|name| ask.args.get(name)?.as_str().map(str::to_owned));
        let asks: Vec<_> =
            asks.iter().map(|ask| format!("{} {}", ask.tool, of(ask).unwrap_or_default()).trim().to_owned()).collect();
        some(&asks, 6)
    };
    match end {
        End::Done => {}
        End::Budget(asks) => lines.push(format!("the budget of calls ran low, and I stopped before {}", left(asks))),
        End::Turns(asks) => lines.push(format!("I stopped after my last turn, before {}", left(asks))),
        End::Over(stage) => {
            lines.push(format!("a refusal at {stage} means that no further call can succeed, so I stopped"))
        }
    }
    for (what, why) in findings.troubles.iter().take(8) {
        lines.push(format!("{what} {why}"));
    }
    if findings.troubles.len() > 8 {
        lines.push(format!("{} more calls that gave nothing", findings.troubles.len() - 8));
    }
    let unopened: Vec<String> = findings.unopened().into_iter().map(str::to_owned).collect();
    let (passed, closed): (Vec<_>, Vec<_>) =
        unopened.into_iter().partition(|path| is_not_own(path.rsplit('/').next().unwrap_or(path)));
    if !passed.is_empty() {
        lines.push(format!("hidden folders and those of built or fetched files, passed over: {}", some(&passed, 8)));
    }
    if !closed.is_empty() {
        lines.push(format!("folders whose files I did not see: {}", some(&closed, 8)));
    }
    if findings.left_out > 0 {
        lines.push(format!("{} in such folders, left out of all counts", count(findings.left_out, "entry", "entries")));
    }
    lines
}

use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    budget,
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    style::{BAD, BOLD, DIM, GOOD, WARN, brief, fit, paint, plain},
    time::rfc3339,
    trail::{self, Action, Line, Outcome, Reader, What},
    verdict,
};
use crate::{
    proposal::Status,
    replay::{self, Pins},
};

/// Tell what a run did, under whose authority, by which decision, at what cost
///
/// Ends with the verdict of a replay; anything but a complete verification is a failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thymos audit last\n  thymos audit 4f21 --json")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object: the entries and the verdict
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let log = replay::closure(&ledger, &run).await?;
        let (mut reader, mut view) = (Reader::new(&log), View { out: Out::new(), authority: String::new() });
        let (mut lines, mut unreadable) = (Vec::<Value>::new(), None);
        // An entry is shown after it was checked: what is told is what the replay vouches for.
        let visit = |entry: &crate::ledger::Entry, _: &replay::Replayer<'_>| match reader.read(entry) {
            Ok(line) if args.json => lines.extend(serde_json::to_value(&line).ok()),
            Ok(line) => view.show(&line),
            Err(error) => unreadable = Some(error.to_string()),
        };
        let outcome = replay::run(&ledger, &run, Pins::default(), visit).await.map(|(report, _)| report);
        let mut out = view.out;
        if args.json {
            out.json(&json!({"run": run, "entries": lines, "verdict": verdict::json(&outcome)}));
        } else {
            out.line("");
            verdict::tell(&mut out, &outcome);
        }
        match unreadable {
            Some(error) => out.finish().and(Err(Failure::failed(error))),
            None => verdict::conclude(out, outcome),
        }
    })
}

struct View {
    out: Out,
    authority: String,
}

impl View {
    fn show(&mut self, line: &Line) {
        let (out, when) = (&mut self.out, rfc3339(line.time_ms));
        let room = out.width().saturating_sub(13);
        let head = |style, word: &str, rest: &str| {
            let seq = format!("#{}", line.seq);
            format!("{} {} {rest}", paint(DIM, format!("{seq:>4}")), paint(style, word))
        };
        match &line.what {
            What::Start { task, chain, policy_set } => {
                self.authority = trail::authority(chain);
                let task = task.as_deref().map_or("(erased)".into(), plain);
                out.line(head(BOLD, "start", &paint(BOLD, fit(&task, room))));
                out.detail("when", when);
                out.detail("under", &self.authority);
                if let Some(leaf) = chain.last().map(|signed| &signed.writ) {
                    out.detail("scopes", fit(&super::grant::scopes(leaf), room));
                    out.detail("effects", format_args!("up to {}", leaf.effect_ceiling));
                    out.detail("budget", budget::words(&leaf.budget));
                    out.detail("window", super::grant::window(&leaf.window));
                }
                out.detail("policy", policy_set);
            }
            What::TurnStart { cognition, step } => {
                out.line(head(DIM, "turn_start", &paint(DIM, format!("step {step}, {} is asked", plain(cognition)))));
            }
            What::Turn { text, requests, malformed, answer, error, cost } => {
                let mut told = format!(
                    "{}, cost {}",
                    super::style::count(*requests as u64, "request", "requests"),
                    budget::words(cost)
                );
                if answer.is_some() {
                    told += ", answers";
                }
                out.line(head(DIM, "turn", &paint(DIM, told)));
                for (name, text) in [("says", text), ("failed", error)] {
                    if let Some(text) = text {
                        out.detail(name, fit(&plain(text), room));
                    }
                }
                malformed.iter().for_each(|bad| out.detail("malformed", fit(&plain(bad), room)));
            }
            What::Action(action) => show_action(out, line, action, &self.authority),
            What::NotAttempted { tool, args, after } => {
                let args = args.as_ref().map_or("(erased)".into(), |args| brief(args, room));
                out.line(head(WARN, "not_attempted", &format!("{} {args}", plain(tool))));
                out.detail("because", format_args!("entry {} stopped the turn", after.short()));
            }
            What::End { reason, detail, answer, spent } => {
                let detail = detail.as_deref().map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
                out.line(head(BOLD, "terminated", &format!("{reason}{detail}")));
                out.detail("when", when);
                out.detail("spent", budget::words(spent));
                if let Some(answer) = answer {
                    out.detail("answer", fit(&plain(answer), room));
                }
            }
            What::Other {} => out.line(head(DIM, &line.kind, &paint(DIM, line.id.short()))),
        }
    }
}

fn show_action(out: &mut Out, line: &Line, action: &Action, authority: &str) {
    let room = out.width().saturating_sub(13);
    let style = match (&action.decision.status, &action.outcome) {
        (Status::Staged, Outcome::Failed { .. }) | (Status::Rejected(_), _) => BAD,
        (Status::Staged, _) => GOOD,
        (Status::Suspended { .. }, _) => WARN,
    };
    let seq = format!("#{}", line.seq);
    out.line(format_args!(
        "{} {} {}",
        paint(DIM, format!("{seq:>4}")),
        paint(style, &line.kind),
        paint(BOLD, plain(&action.tool))
    ));
    let args = action.args.as_ref().map_or("(erased)".into(), |args| brief(args, room));
    out.detail("asked", format_args!("{args}"));
    if let Some(why) = &action.rationale {
        out.detail("because", fit(&format!("{} ({})", plain(why), plain(&action.author)), room));
    }
    out.detail("under", authority);
    out.detail("decided", decided(action));
    for rule in &action.rules {
        out.detail("rule", fit(&format!("{} {}", plain(&rule.name), plain(&rule.verdict)), room));
    }
    match &action.outcome {
        Outcome::Committed { output, changes, cost, dispatch } => {
            let output = output.as_ref().map_or("(erased)".into(), |output| brief(output, room));
            out.detail("did", output);
            if let Some(dispatch) = dispatch {
                out.detail("after", format_args!("dispatch {}", dispatch.short()));
            }
            for change in changes {
                let value = change.value.as_ref().map(|value| brief(value, room)).unwrap_or_default();
                let change = format!("{} {} {value}", change.operation, plain(&change.resource));
                out.detail("changed", fit(&change, room));
            }
            out.detail("cost", budget::words(cost));
        }
        Outcome::Failed { cause, message, effect, cost } => {
            let message = message.as_deref().map(|message| format!(", {}", plain(message))).unwrap_or_default();
            out.detail("failed", fit(&format!("{cause}{message}"), room));
            out.detail("effect", effect);
            out.detail("cost", budget::words(cost));
        }
        Outcome::NotCarriedOut => {}
        Outcome::Dispatched { reserved } => out.detail("held", budget::words(reserved)),
    }
}

/// The decision in words.
pub(super) fn decided(action: &Action) -> String {
    let compiler = action.decision.compiler;
    match &action.decision.status {
        Status::Staged if action.rules.is_empty() => format!("staged · no rule against it · compiler {compiler}"),
        Status::Staged => format!("staged · compiler {compiler}"),
        Status::Suspended { channel, reason } => {
            format!("suspended · approval on `{}`: {} · compiler {compiler}", plain(channel), plain(reason))
        }
        Status::Rejected(refusal) => {
            let told = super::stream::refused(refusal);
            format!("rejected {told} · compiler {compiler}")
        }
    }
}

//! A run as it happens: a line for what is asked, and a line for what became of it.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    budget,
    out::Out,
    style::{BAD, BOLD, DIM, GOOD, WARN, brief, fit, paint, plain, prose},
};
use crate::{
    canon::TrajectoryId,
    proposal::Refusal,
    runtime::{ChildResult, Event, EventKind},
};

/// How wide the words are that lines begin with.
const WORD: usize = 10;

/// Shows events on standard output.
pub(super) struct Stream {
    json: bool,
    run: TrajectoryId,
    /// The runs below it, by how far below they are, as far as they are shown.
    below: HashMap<TrajectoryId, (usize, Lines)>,
    lines: Lines,
}

/// What was shown of one run.
#[derive(Default)]
struct Lines {
    dispatched: Option<u64>,
    /// How many requests the turn made, and how many of them are not shown yet.
    unseen: (usize, usize),
}

impl Stream {
    pub(super) fn new(json: bool, run: TrajectoryId) -> Self {
        Self { json, run, below: HashMap::new(), lines: Lines::default() }
    }

    /// Shows an event.
    pub(super) fn show(&mut self, out: &mut Out, event: &Event) {
        if self.json {
            if let Some(value) = value(event) {
                out.json(&value);
            }
        } else {
            // A child that was there before is shown below the run, however far below it is.
            let unseen = usize::from(event.run != self.run);
            let depth = self.below.get(&event.run).map_or(unseen, |(depth, _)| *depth);
            if let EventKind::Delegated { child, .. } = &event.kind {
                self.below.insert(*child, (depth + 1, Lines::default()));
            }
            let own = &mut self.lines;
            let lines = if event.run == self.run {
                own
            } else {
                &mut self.below.entry(event.run).or_insert((depth, Lines::default())).1
            };
            out.indented(depth, |out| lines.show(out, event));
        }
    }
}

impl Lines {
    fn show(&mut self, out: &mut Out, event: &Event) {
        let seq = event.entry.map_or(0, |(seq, _)| seq);
        let room = out.width().saturating_sub(WORD + 2);
        match &event.kind {
            EventKind::TurnStarted { .. } | EventKind::Ended { .. } => self.turn_is_over(out),
            EventKind::TurnEnded { text, requests, .. } => {
                self.unseen = (*requests, *requests);
                if let Some(text) = text {
                    say(out, paint(DIM, "says"), "says", &paint(DIM, fit(&plain(text), room)));
                }
            }
            EventKind::Proposed { tool, args, .. } => {
                self.saw_one();
                let tool = plain(tool);
                let args = brief(args, room.saturating_sub(tool.len() + 1));
                say(out, paint(BOLD, "intent"), "intent", &format!("{} {args}", paint(BOLD, &tool)));
            }
            EventKind::Dispatched { .. } => self.dispatched = Some(seq),
            EventKind::Committed { output, cost, .. } => {
                let way = self.way();
                let told = format!("{way} → commit #{seq}");
                let cost = budget::words(cost);
                let output = brief(output, room.saturating_sub(told.chars().count() + cost.len() + 6));
                say(
                    out,
                    paint(GOOD, "staged"),
                    "staged",
                    &format!("{told}  {} {}", paint(DIM, &output), paint(DIM, format!("· {cost}"))),
                );
            }
            EventKind::Rejected { refusal, .. } => {
                say(out, paint(BAD, "rejected"), "rejected", &format!("#{seq} {}", refused(refusal)));
            }
            EventKind::Suspended { channel, reason, .. } => {
                let why = format!("#{seq} waits for approval on `{}`: {}", plain(channel), plain(reason));
                say(out, paint(WARN, "suspended"), "suspended", &why);
            }
            EventKind::Failed { cause, message, effect, .. } => {
                let told = format!("{} → failure #{seq}: {cause}, {} · effect: {effect}", self.way(), plain(message));
                say(out, paint(BAD, "staged"), "staged", &told);
            }
            EventKind::Delegated { child, .. } => {
                say(out, paint(GOOD, "staged"), "staged", &format!("→ delegation #{seq}  child run {}", child.short()));
            }
            EventKind::Returned(ChildResult { run, reason, answer, .. }) => {
                let told = format!("#{seq} child run {}: {reason}", run.short());
                let answer = answer.as_deref().map(|text| format!(" · {}", plain(text))).unwrap_or_default();
                say(out, paint(DIM, "returned"), "returned", &fit(&format!("{told}{answer}"), room));
            }
            EventKind::NotAttempted { .. } => {
                self.saw_one();
                say(out, paint(WARN, "skipped"), "skipped", &format!("#{seq} what came before it stopped the turn"));
            }
            EventKind::Piece(_) => {}
        }
    }

    fn saw_one(&mut self) {
        self.unseen.1 = self.unseen.1.saturating_sub(1);
    }

    /// Says how many requests of the turn came to nothing: malformed, more than are looked at, or not reached.
    fn turn_is_over(&mut self, out: &mut Out) {
        let (requests, unseen) = std::mem::take(&mut self.unseen);
        if unseen > 0 {
            let told = format!("{unseen} of {requests} requests of the turn were not looked at: see `thymos audit`");
            say(out, paint(WARN, "skipped"), "skipped", &told);
        }
    }

    /// How a staged proposal came to its outcome.
    fn way(&mut self) -> String {
        self.dispatched.take().map(|seq| format!("→ dispatch #{seq} ")).unwrap_or_default().trim_end().to_owned()
    }
}

fn say(out: &mut Out, painted: String, word: &str, rest: &str) {
    let fill = " ".repeat(WORD.saturating_sub(word.len()));
    out.line(format_args!("{painted}{fill}{}", rest.trim_start()));
}

/// A refusal in words.
pub(super) fn refused(refusal: &Refusal) -> String {
    let mut told = format!("at {}: {}", refusal.stage, refusal.code.as_str());
    // Stages that look at the writs say which link of the chain refused, the root being 0.
    let place = refusal.pointer.as_deref().map(|pointer| match pointer.strip_prefix("skill:") {
        Some(skill) => ("skill", skill),
        None if pointer.parse::<u32>().is_ok() => ("writ", pointer),
        None => ("at", pointer),
    });
    let (name, pointer) = place.unzip();
    for (name, value) in [
        (name.unwrap_or_default(), pointer),
        ("asked", refusal.asked.as_deref()),
        ("allowed", refusal.allowed.as_deref()),
    ] {
        if let Some(value) = value {
            // An empty JSON pointer is the whole of the arguments.
            let value = if value.is_empty() { "/" } else { value };
            told += &format!(" · {name} {}", plain(value));
        }
    }
    told
}

/// An answer, below its title.
pub(super) fn answer(out: &mut Out, text: &str) {
    out.line("");
    for line in prose(text.trim_end()).lines() {
        out.line(line);
    }
}

/// An event as JSON; none for what only a terminal shows.
fn value(event: &Event) -> Option<Value> {
    let mut value = match &event.kind {
        EventKind::TurnStarted { step, cognition } => {
            json!({"event": "turn_started", "step": step, "cognition": cognition})
        }
        EventKind::TurnEnded { text, requests, usage } => {
            json!({"event": "turn_ended", "text": text, "requests": requests, "usage": usage})
        }
        EventKind::Proposed { intent, tool, args, rationale } => {
            json!({"event": "proposed", "intent": intent, "tool": tool, "args": args, "rationale": rationale})
        }
        EventKind::Rejected { intent, refusal } => json!({"event": "rejected", "intent": intent, "refusal": refusal}),
        EventKind::Suspended { intent, channel, reason } => {
            json!({"event": "suspended", "intent": intent, "channel": channel, "reason": reason})
        }
        EventKind::Dispatched { intent } => json!({"event": "dispatched", "intent": intent}),
        EventKind::Committed { intent, output, cost } => {
            json!({"event": "committed", "intent": intent, "output": output, "cost": cost})
        }
        EventKind::Failed { intent, cause, message, effect } => {
            json!({"event": "failed", "intent": intent, "cause": cause, "message": message, "effect": effect})
        }
        EventKind::Delegated { intent, child } => json!({"event": "delegated", "intent": intent, "child": child}),
        EventKind::Returned(ChildResult { run, answer, reason, spent, .. }) => {
            json!({"event": "returned", "child": run, "answer": answer, "ended": reason, "spent": spent})
        }
        EventKind::NotAttempted { intent } => json!({"event": "not_attempted", "intent": intent}),
        EventKind::Ended { reason, answer } => json!({"event": "ended", "reason": reason, "answer": answer}),
        EventKind::Piece(_) => return None,
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("run".into(), event.run.to_string().into());
    }
    if let (Some((seq, entry)), Some(members)) = (event.entry, value.as_object_mut()) {
        members.insert("seq".into(), seq.into());
        members.insert("entry".into(), entry.to_string().into());
    }
    Some(value)
}

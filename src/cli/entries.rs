//! The entries of a run as an audit shows them.

use anstyle::Style;

use super::{
    budget, grant,
    out::Out,
    stream,
    style::{BAD, BOLD, DIM, GOOD, WARN, brief, count, fit, paint, plain},
    time::{rfc3339, words},
    trail::{self, Act, Action, Line, Outcome, What},
};
use crate::{
    ledger::record::{HappenedVerdict, Outcome as RequestOutcome},
    proposal::Status,
    writ::SignedWrit,
};

/// Columns before the value of a detail.
const INDENT: usize = 15;

/// Shows entries, one after the other.
pub(super) struct Entries {
    out: Out,
    authority: String,
}

impl Entries {
    pub(super) fn new(out: Out) -> Self {
        Self { out, authority: String::new() }
    }

    pub(super) fn into_out(self) -> Out {
        self.out
    }

    pub(super) fn show(&mut self, line: &Line) {
        let room = self.room();
        line.since.iter().for_each(|act| self.act(act));
        match &line.what {
            What::Start { task, chain, policy_set } => {
                let task = task.as_deref().map_or("(erased)".into(), plain);
                self.head(line, BOLD, &paint(BOLD, fit(&task, room)));
                self.out.detail("when", rfc3339(line.time_ms));
                self.start(chain);
                self.out.detail("policy", policy_set);
            }
            What::TurnStart { cognition, step } => {
                self.head(line, DIM, &paint(DIM, format!("step {step}, {} is asked", plain(cognition))));
            }
            What::Turn { text, requests, malformed, answer, error, cost } => {
                let answers = if answer.is_some() { ", answers" } else { "" };
                let told = format!(
                    "{}, cost {}{answers}",
                    count(*requests as u64, "request", "requests"),
                    budget::words(cost)
                );
                self.head(line, DIM, &paint(DIM, told));
                let said = text.iter().map(|text| ("says", text)).chain(error.iter().map(|error| ("failed", error)));
                for (name, text) in said.chain(malformed.iter().map(|bad| ("malformed", bad))) {
                    self.out.detail(name, fit(&plain(text), room));
                }
            }
            What::Action(action) => self.action(line, action),
            What::NotAttempted { tool, args, after } => {
                self.head(line, WARN, &paint(BOLD, plain(tool)));
                self.out.detail("asked", args.as_ref().map_or("(erased)".into(), |args| brief(args, room)));
                self.out.detail("because", format_args!("entry {} stopped the turn", after.short()));
            }
            What::Abandoned { tool, args } => {
                self.head(line, WARN, &paint(BOLD, plain(tool)));
                self.out.detail("asked", args.as_ref().map_or("(erased)".into(), |args| brief(args, room)));
                self.out.detail("because", "the run was interrupted: nothing came of it");
            }
            What::Resumed { in_doubt, turn, debited } => {
                self.head(line, BOLD, "taken up again");
                if turn.is_some() {
                    self.out.detail("debited", format_args!("{} for the turn under way", budget::words(debited)));
                }
                for dispatch in in_doubt {
                    self.out.detail("in doubt", format_args!("dispatch {}", dispatch.short()));
                }
            }
            What::Settled { dispatch, tool, verdict, operator, note, cost } => {
                let tool = tool.as_deref().map(plain).unwrap_or_default();
                let style = if *verdict == HappenedVerdict::Happened { GOOD } else { WARN };
                self.head(line, style, format_args!("{} {verdict}", paint(BOLD, tool)).to_string().trim_start());
                self.out.detail("dispatch", dispatch.short());
                let by = operator
                    .as_ref()
                    .map_or("the tool itself".into(), |key| format!("{} {}", plain(&key.name), key.key));
                self.out.detail("says", fit(&by, room));
                if let Some(note) = note {
                    self.out.detail("note", fit(&plain(note), room));
                }
                self.out.detail("cost", budget::words(cost));
            }
            What::Vote { request, tool, approve, approver, note, expires_at_ms } => {
                let (style, word) = if *approve { (GOOD, "approves") } else { (BAD, "denies") };
                let tool = tool.as_deref().map(plain).unwrap_or_default();
                self.head(line, style, format_args!("{} {word}", paint(BOLD, tool)).to_string().trim_start());
                self.out.detail("request", request.short());
                let by = approver
                    .as_ref()
                    .map_or("the operator who was present".into(), |key| format!("{} {}", plain(&key.name), key.key));
                self.out.detail("says", fit(&by, room));
                if let Some(note) = note {
                    self.out.detail("note", fit(&plain(note), room));
                }
                self.out.detail("until", rfc3339(*expires_at_ms));
            }
            What::RequestEnded { request, tool, outcome } => {
                let style = if *outcome == RequestOutcome::Approved { GOOD } else { WARN };
                let tool = tool.as_deref().map(plain).unwrap_or_default();
                let told = format!("{} {}", paint(BOLD, tool), ended(*outcome));
                self.head(line, style, told.trim_start());
                self.out.detail("request", request.short());
            }
            What::Returned { child, reason, answer, spent } => {
                let child = child.map_or_else(String::new, |child| child.short());
                self.head(line, BOLD, &format!("child run {child}: {reason}"));
                self.out.detail("spent", budget::words(spent));
                if let Some(answer) = answer {
                    self.out.detail("answer", fit(&plain(answer), room));
                }
            }
            What::Undo { chain, to, plan } => {
                let kept = plan.iter().filter(|target| target.keep).count();
                let steps = count((plan.len() - kept) as u64, "effect", "effects");
                self.head(line, BOLD, &format!("{steps} to be undone, back to entry {}", to.short()));
                self.out.detail("under", trail::authority(chain));
                for target in plan.iter().filter(|target| target.keep) {
                    self.out.detail("stays", format_args!("entry {} (#{})", target.entry.short(), target.seq));
                }
            }
            What::UndoStopped { at, cause, message } => {
                self.head(line, WARN, &format!("undoing stopped: {}", plain(cause)));
                self.out.detail("at", format_args!("entry {}", at.short()));
                if let Some(message) = message {
                    self.out.detail("because", fit(&plain(message), room));
                }
            }
            What::Routing { evidence, latency_ms, status } => {
                let told = format!("{}, {status} in {latency_ms} ms", plain(&evidence.selected.route));
                self.head(line, DIM, &paint(DIM, told));
                self.out.detail("decision", evidence.decision_hash);
                let (sure, rest) = (evidence.confidence_bp / 100, evidence.confidence_bp % 100);
                self.out.detail("sure", format_args!("{sure}.{rest:02} %"));
                let others: Vec<_> = evidence.alternatives.iter().map(|other| plain(&other.route)).collect();
                if !others.is_empty() {
                    self.out.detail("not", fit(&others.join(", "), room));
                }
            }
            What::Skill { definition: skill, hash, parameters } => {
                self.head(line, BOLD, &paint(BOLD, skill.reference()));
                self.out.detail("hash", hash);
                let tools: Vec<_> = skill.tools.iter().map(ToString::to_string).collect();
                self.out.detail("tools", fit(&tools.join(", "), room));
                self.out.detail("effects", format_args!("up to {}", skill.effect_ceiling));
                self.out.detail("budget", budget::cap(&skill.budget));
                if let Some(parameters) = parameters {
                    self.out.detail("with", brief(parameters, room));
                }
                self.out.detail("says", fit(&plain(&skill.instructions), room));
            }
            What::End { reason, detail, answer, spent } => {
                let detail = detail.as_deref().map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
                self.head(line, BOLD, &format!("{reason}{detail}"));
                self.out.detail("spent", budget::words(spent));
                if let Some(answer) = answer {
                    self.out.detail("answer", fit(&plain(answer), room));
                }
            }
            What::Other {} => self.head(line, DIM, &paint(DIM, line.id.short())),
        }
    }

    fn act(&mut self, act: &Act) {
        let told = match act {
            Act::ClockReset(reset) => {
                let (from, to) = (rfc3339(reset.high_water_ms), rfc3339(reset.reading_ms));
                format!("clock reset by {}, from {from} back to {to}", plain(&reset.by.name))
            }
            Act::KeyRotation(rotation) => {
                let (role, new) = (rotation.role, &rotation.new);
                let since = rotation.invalid_from.map(|position| format!(", invalid from position {position} on"));
                let since = since.unwrap_or_default();
                format!("key {} of the role {role} replaced by {} {}{since}", rotation.old, plain(&new.name), new.key)
            }
        };
        self.out.line(paint(WARN, format!("   — {told}")));
    }

    fn room(&self) -> usize {
        self.out.width().saturating_sub(INDENT)
    }

    fn head(&mut self, line: &Line, style: Style, rest: &str) {
        let when = rfc3339(line.time_ms);
        let clock = when.split_once('T').map_or(when.as_str(), |(_, clock)| clock).trim_end_matches('Z');
        let place = paint(DIM, format!("{:>4} {clock}", format!("#{}", line.seq)));
        self.out.line(format_args!("{place} {} {rest}", paint(style, &line.kind)));
    }

    fn start(&mut self, chain: &[SignedWrit]) {
        let room = self.room();
        self.authority = trail::authority(chain);
        self.out.detail("under", &self.authority);
        let Some(leaf) = chain.last().map(|signed| &signed.writ) else { return };
        if let Ok(id) = leaf.id() {
            self.out.detail("writ", id);
        }
        self.out.detail("scopes", fit(&grant::scopes(leaf), room));
        self.out.detail("effects", format_args!("up to {}", leaf.effect_ceiling));
        self.out.detail("budget", budget::words(&leaf.budget));
        self.out.detail("window", grant::window(&leaf.window));
    }

    fn action(&mut self, line: &Line, action: &Action) {
        let room = self.room();
        let style = match (&action.decision.status, &action.outcome) {
            (Status::Staged, Outcome::Failed { .. }) | (Status::Rejected(_), _) => BAD,
            (Status::Staged, _) => GOOD,
            (Status::Suspended { .. }, _) => WARN,
        };
        self.head(line, style, &paint(BOLD, plain(&action.tool)));
        let out = &mut self.out;
        out.detail("asked", action.args.as_ref().map_or("(erased)".into(), |args| brief(args, room)));
        if let Some(why) = &action.rationale {
            out.detail("because", fit(&format!("{} ({})", plain(why), plain(&action.author)), room));
        }
        if let Some(effect) = action.undoes {
            out.detail("undoes", format_args!("entry {}", effect.short()));
        }
        out.detail("under", action.presented.as_ref().unwrap_or(&self.authority));
        out.detail("decided", decided(action));
        if let Some(clock_ms) = action.decision.clock_ms {
            let behind = words(action.decision.now_ms.saturating_sub(clock_ms));
            out.detail("clock", format_args!("{} the latest time on record", paint(WARN, format!("{behind} behind"))));
        }
        for rule in &action.rules {
            out.detail("rule", fit(&format!("{} {}", plain(&rule.name), plain(&rule.verdict)), room));
        }
        if let Some(renewed) = &action.contract {
            renewed.show(out);
        }
        outcome(out, &action.outcome, room);
    }
}

fn outcome(out: &mut Out, outcome: &Outcome, room: usize) {
    match outcome {
        Outcome::Committed { output, changes, cost, dispatch } => {
            out.detail("did", output.as_ref().map_or("(erased)".into(), |output| brief(output, room)));
            if let Some(dispatch) = dispatch {
                out.detail("after", format_args!("dispatch {}", dispatch.short()));
            }
            for change in changes {
                let value = change.value.as_ref().map(|value| brief(value, room)).unwrap_or_default();
                let change = format!("{} {} {value}", change.operation, plain(&change.resource));
                out.detail("changed", fit(change.trim_end(), room));
            }
            out.detail("cost", budget::words(cost));
        }
        Outcome::Failed { cause, message, effect, cost } => {
            let message = message.as_deref().map(|message| format!(", {}", plain(message))).unwrap_or_default();
            out.detail("failed", fit(&format!("{cause}{message}"), room));
            out.detail("effect", effect);
            out.detail("cost", budget::words(cost));
        }
        Outcome::Delegated { child, cost } => {
            out.detail("started", format_args!("child run {child}"));
            out.detail("cost", budget::words(cost));
        }
        Outcome::NotCarriedOut => {}
        Outcome::Dispatched { reserved } => out.detail("held", budget::words(reserved)),
    }
}

/// How a request for approval ended, in words.
fn ended(outcome: RequestOutcome) -> &'static str {
    match outcome {
        RequestOutcome::Approved => "is approved",
        RequestOutcome::Denied => "is denied",
        RequestOutcome::Expired => "was not answered in time",
        RequestOutcome::Withdrawn => "is withdrawn: the run ends",
    }
}

/// The decision in words.
pub(super) fn decided(action: &Action) -> String {
    let told = match &action.decision.status {
        Status::Staged if action.rules.is_empty() => "staged · no rule against it".into(),
        Status::Staged => "staged".into(),
        Status::Suspended { channel, reason } => {
            format!("suspended · approval on `{}`: {}", plain(channel), plain(reason))
        }
        Status::Rejected(refusal) => format!("rejected {}", stream::refused(refusal)),
    };
    format!("{told} · compiler {}", action.decision.compiler)
}

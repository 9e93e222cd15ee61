use crate::{
    canon::shown,
    policy::PolicySet,
    proposal::{PolicyTrace, Proposal, Read, Resolved, Status, Verdict},
};

/// How a recorded decision differs from the one that its inputs give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The parts that differ; at least one.
    pub parts: Vec<Differing>,
}

/// One part of a decision that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// Which part.
    pub part: Part,
    /// What is recorded.
    pub recorded: String,
    /// What follows.
    pub derived: String,
}

/// A part of a decision, or of what it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Part {
    /// The outcome: staged, suspended or refused, and why.
    Status,
    /// The rules that fired and those that could not be judged, and what policies written in Rust said.
    Trace,
    /// The contract that the intent resolved to.
    Contract,
    /// The policy set.
    PolicySet,
    /// The readings of the clock.
    Clock,
    /// What the tool would read of the world.
    Reads,
    /// The arguments.
    Arguments,
    /// The votes that it was given.
    Approvals,
    /// The decision as a whole: its hash.
    Hash,
}

impl Part {
    /// The part's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Trace => "trace",
            Self::Contract => "contract",
            Self::PolicySet => "policy set",
            Self::Clock => "clock",
            Self::Reads => "reads",
            Self::Arguments => "arguments",
            Self::Approvals => "votes",
            Self::Hash => "hash",
        }
    }
}

impl Differing {
    pub(super) fn new(part: Part, recorded: impl ToString, derived: impl ToString) -> Self {
        Self { part, recorded: shown(&recorded.to_string()), derived: shown(&derived.to_string()) }
    }
}

impl From<Differing> for Difference {
    fn from(differing: Differing) -> Self {
        Self { parts: vec![differing] }
    }
}

impl Difference {
    /// Compares a recorded proposal with the one that follows.
    pub(super) fn between(recorded: &Proposal, derived: &Proposal, policies: &PolicySet) -> Option<Self> {
        // Proposals that are equal have the same bytes: a record is read only in the one form in which it is written.
        if recorded == derived {
            return None;
        }
        let (said, follows) = (&recorded.decision, &derived.decision);
        let mut parts = Vec::new();
        let mut compare = |differ: bool, part, recorded: String, derived: String| {
            if differ {
                parts.push(Differing::new(part, recorded, derived));
            }
        };
        compare(said.status != follows.status, Part::Status, status(&said.status), status(&follows.status));
        compare(
            said.trace != follows.trace,
            Part::Trace,
            trace(&said.trace, policies),
            trace(&follows.trace, policies),
        );
        let (of, to) = (&recorded.resolved, &derived.resolved);
        compare(of != to, Part::Contract, contract(of), contract(to));
        let (of, to) = (said.policy_set, follows.policy_set);
        compare(of != to, Part::PolicySet, of.to_string(), to.to_string());
        let reading = |ms: Option<u64>| ms.map_or("not behind".into(), |ms| format!("{ms} ms"));
        let (of, to) = (said.clock_ms, follows.clock_ms);
        compare(of != to, Part::Clock, reading(of), reading(to));
        if let (Ok(of), Ok(to)) = (said.hash(), follows.hash()) {
            compare(of != to, Part::Hash, of.short(), to.short());
        }
        Some(Self { parts })
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, Differing { part, recorded, derived }) in self.parts.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{}: recorded `{recorded}`, derived `{derived}`", part.as_str())?;
        }
        Ok(())
    }
}

pub(super) fn read(Read { resource, value, version }: &Read) -> String {
    match value {
        Some(value) => format!("{resource} at version {version}, value {}", value.short()),
        None => format!("{resource} at version {version}"),
    }
}

fn status(status: &Status) -> String {
    match status {
        Status::Staged => "staged".into(),
        Status::Suspended { channel, reason } => format!("suspended on {channel}: {reason}"),
        Status::Rejected(refusal) => format!("refused at {refusal}"),
    }
}

fn contract(resolved: &Option<Resolved>) -> String {
    resolved.as_ref().map_or("none".into(), |resolved| resolved.contract.to_string())
}

fn trace(trace: &PolicyTrace, policies: &PolicySet) -> String {
    let rule = |index: &u32| match policies.rule(*index) {
        Some((bundle, rule)) => format!("{index} {}/{}", bundle.name, rule.name),
        None => index.to_string(),
    };
    let mut told: Vec<String> = trace.fired.iter().map(|index| format!("rule {} fired", rule(index))).collect();
    told.extend(trace.unknown.iter().map(|index| format!("rule {} unknown", rule(index))));
    told.extend(trace.asserted.iter().map(|said| format!("policy {} said {}", said.policy, verdict(&said.verdict))));
    told.extend(trace.failed.iter().map(|index| format!("policy {index} failed")));
    if told.is_empty() { "nothing".into() } else { told.join(", ") }
}

fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Permit => "permit",
        Verdict::Deny { .. } => "deny",
        Verdict::RequireApproval { .. } => "require approval",
    }
}

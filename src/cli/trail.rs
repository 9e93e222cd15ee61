//! Entries as people read them: what was asked, under which rules, what became of it.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::contracts::Renewed;
use crate::{
    canon::{Commitment, EntryId, PolicySetHash, SkillHash, TrajectoryId, WritId},
    commit::{Commit, DeltaOp, Origin},
    crypto::NamedKey,
    intent::IntentRecord,
    ledger::{
        Entry, EntryError, Kind,
        record::{
            self, ApprovalOutcome, BranchStart, ClockReset, ClockResetStatement, Compensation, CompensationHalt,
            Delegated, DelegationResult, Dispatch, EndReason, Failure, FailureCause, HappenedVerdict,
            InDoubtResolution, KeyRotation, PendingApproval, PolicySetRecord, Rejection, Resumed, RotationStatement,
            RoutingOutcome, RoutingStatus, RunStart, SkillBound, Target, Terminated, Turn, TurnStart, Vote,
            WhatHappened,
        },
    },
    policy::PolicySetDefinition,
    proposal::{Decision, Proposal, RoutingEvidence, Status, Verdict},
    replay::{AuthorityLog, Replayer},
    writ::{Amounts, SignedWrit, Skill},
};

/// One entry of a run.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) id: EntryId,
    pub(super) kind: String,
    pub(super) time_ms: u64,
    /// What operators did on the authority trajectory since the entry before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) since: Vec<Act>,
    #[serde(flatten)]
    pub(super) what: What,
}

/// An operator's act that the entries after it stand under.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    ClockReset(ClockResetStatement),
    KeyRotation(RotationStatement),
}

impl Act {
    fn read(entry: &Entry) -> Option<Self> {
        match entry.header.known_kind()? {
            Kind::ClockReset => Some(Self::ClockReset(entry.body::<ClockReset>().ok()?.statement)),
            Kind::KeyRotation => Some(Self::KeyRotation(entry.body::<KeyRotation>().ok()?.statement)),
            _ => None,
        }
    }
}

/// What an entry says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "a line is shown and dropped, never kept in numbers")]
pub(super) enum What {
    Start {
        task: Option<String>,
        chain: Vec<SignedWrit>,
        policy_set: PolicySetHash,
    },
    TurnStart {
        cognition: String,
        step: u64,
    },
    Turn {
        text: Option<String>,
        requests: usize,
        malformed: Vec<String>,
        answer: Option<String>,
        error: Option<String>,
        cost: Amounts,
    },
    Action(Action),
    NotAttempted {
        tool: String,
        args: Option<Value>,
        after: EntryId,
    },
    Abandoned {
        tool: String,
        args: Option<Value>,
    },
    Resumed {
        in_doubt: Vec<EntryId>,
        turn: Option<EntryId>,
        debited: Amounts,
    },
    Settled {
        dispatch: EntryId,
        tool: Option<String>,
        verdict: HappenedVerdict,
        operator: Option<NamedKey>,
        note: Option<String>,
        cost: Amounts,
    },
    Routing {
        evidence: RoutingEvidence,
        latency_ms: u64,
        status: RoutingStatus,
    },
    Skill {
        definition: Arc<Skill>,
        hash: SkillHash,
        /// None where there are none, or they were erased.
        parameters: Option<Value>,
    },
    Vote {
        request: EntryId,
        tool: Option<String>,
        approve: bool,
        /// Absent for the operator who was present and showed no key.
        approver: Option<NamedKey>,
        note: Option<String>,
        expires_at_ms: u64,
    },
    RequestEnded {
        request: EntryId,
        tool: Option<String>,
        outcome: record::Outcome,
    },
    Returned {
        child: Option<TrajectoryId>,
        reason: EndReason,
        answer: Option<String>,
        spent: Amounts,
    },
    Undo {
        chain: Vec<SignedWrit>,
        to: EntryId,
        plan: Vec<Target>,
    },
    UndoStopped {
        at: EntryId,
        cause: String,
        message: Option<String>,
    },
    End {
        reason: EndReason,
        detail: Option<String>,
        answer: Option<String>,
        spent: Amounts,
    },
    Other {},
}

/// A decided proposal, and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Action {
    pub(super) author: String,
    pub(super) tool: String,
    pub(super) args: Option<Value>,
    pub(super) rationale: Option<String>,
    pub(super) rules: Vec<Fired>,
    pub(super) decision: Decision,
    pub(super) outcome: Outcome,
    /// What of the tool's contract is another, where it was refused for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contract: Option<Renewed>,
    /// The keys of the chain that was presented for it, where it is a step of an undo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) presented: Option<String>,
    /// The entry whose effect it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) undoes: Option<EntryId>,
    #[serde(skip)]
    dispatched: bool,
}

impl Action {
    /// Whether it waits for approval.
    pub(super) fn waits(&self) -> bool {
        matches!(self.decision.status, Status::Suspended { .. })
    }

    /// Whether a dispatch told the decision already.
    pub(super) fn follows_a_dispatch(&self) -> bool {
        self.dispatched
    }
}

/// What became of a proposal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Carried out: what the tool observed, how the world changed, and the dispatch before.
    Committed {
        output: Option<Value>,
        changes: Vec<Change>,
        cost: Amounts,
        dispatch: Option<EntryId>,
    },
    Failed {
        cause: FailureCause,
        message: Option<String>,
        effect: WhatHappened,
        cost: Amounts,
    },
    /// A child run was started.
    Delegated {
        child: TrajectoryId,
        cost: Amounts,
    },
    /// Refused or suspended; the decision says why.
    NotCarriedOut,
    /// About to be carried out.
    Dispatched {
        reserved: Amounts,
    },
}

/// One change of the world.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) operation: &'static str,
    pub(super) resource: String,
    pub(super) value: Option<Value>,
}

/// A rule that fired or could not be judged, or a policy that spoke.
#[derive(Debug, Serialize)]
pub(super) struct Fired {
    pub(super) name: String,
    pub(super) verdict: String,
}

/// Reads the entries of one run, in order.
pub(super) struct Reader {
    sets: Option<HashMap<PolicySetHash, PolicySetDefinition>>,
    values: HashMap<Commitment, Value>,
    dispatched: HashMap<EntryId, Arc<Proposal>>,
    /// The tools of requests for approval.
    requests: HashMap<EntryId, String>,
    /// The children of delegations.
    children: HashMap<EntryId, TrajectoryId>,
    /// The keys of the chains that were presented to undo the run.
    presented: HashMap<WritId, String>,
    /// How many epochs there were at the entry before.
    epochs: usize,
}

impl Reader {
    /// A reader before the first entry.
    pub(super) fn new() -> Self {
        Self {
            sets: None,
            values: HashMap::new(),
            dispatched: HashMap::new(),
            requests: HashMap::new(),
            children: HashMap::new(),
            presented: HashMap::new(),
            epochs: 0,
        }
    }

    /// Reads the next entry of the run that `replay` goes through.
    pub(super) fn read(&mut self, entry: &Entry, replay: &Replayer<'_>) -> Result<Line, EntryError> {
        self.sets.get_or_insert_with(|| rule_sets(replay.authority()));
        let header = &entry.header;
        let kind = header.known_kind().map_or_else(|| format!("kind {}", header.kind), |kind| kind.to_string());
        let since = self.since(entry, replay.authority());
        let mut what = self.what(entry)?;
        if let What::Action(Action { decision: Decision { status: Status::Rejected(refusal), .. }, contract, .. }) =
            &mut what
        {
            *contract = Renewed::of(refusal, replay.authority());
        }
        Ok(Line { seq: header.seq, id: entry.id(), kind, time_ms: header.time_ms, since, what })
    }

    fn since(&mut self, entry: &Entry, log: &AuthorityLog) -> Vec<Act> {
        let epochs = log.epochs();
        let now = epochs.iter().position(|epoch| epoch.id() == entry.header.authority).map_or(self.epochs, |at| at + 1);
        // What was before the run's first entry is not told.
        let before = if entry.header.seq == 0 { now } else { self.epochs };
        self.epochs = now;
        epochs.get(before..now).unwrap_or_default().iter().filter_map(Act::read).collect()
    }

    fn what(&mut self, entry: &Entry) -> Result<What, EntryError> {
        Ok(match entry.header.known_kind() {
            Some(kind @ (Kind::Root | Kind::Branch)) => {
                let start = match kind {
                    Kind::Branch => entry.body::<BranchStart>()?.run,
                    _ => entry.body::<RunStart>()?,
                };
                let task = text(entry, Some(start.start.task));
                What::Start { task, chain: start.chain, policy_set: start.policy_set }
            }
            Some(Kind::TurnStart) => {
                let TurnStart { cognition, step, .. } = entry.body()?;
                What::TurnStart { cognition, step }
            }
            Some(Kind::Turn) => {
                let turn: Turn = entry.body()?;
                for intent in &turn.intents {
                    self.keep(entry, intent);
                }
                let error = turn.error.map(|error| match text(entry, Some(error.message)) {
                    Some(message) => format!("{}: {message}", error.code),
                    None => error.code,
                });
                What::Turn {
                    text: text(entry, turn.text),
                    requests: turn.intents.len() + turn.malformed.len(),
                    malformed: turn.malformed.iter().filter_map(|bad| text(entry, Some(bad.reason))).collect(),
                    answer: text(entry, turn.answer),
                    error,
                    cost: turn.usage,
                }
            }
            Some(Kind::Dispatch) => {
                let Dispatch { compensates: undoes, proposal, reserved } = entry.body()?;
                self.keep(entry, &proposal.intent);
                self.dispatched.insert(entry.id(), proposal.clone());
                What::Action(Action { undoes, ..self.action(entry, &proposal, Outcome::Dispatched { reserved }) })
            }
            Some(Kind::Commit) => {
                let commit: Commit = entry.body()?;
                let changes = commit.delta.iter().map(|op| change(entry, op)).collect();
                let output = value(entry, commit.observation.output);
                let (proposal, dispatch) = self.origin(commit.origin);
                let outcome = Outcome::Committed { output, changes, cost: commit.cost, dispatch };
                match self.outcome(entry, proposal, dispatch, outcome) {
                    What::Action(action) => What::Action(Action { undoes: commit.compensates, ..action }),
                    what => what,
                }
            }
            Some(Kind::Failure) => {
                let failure: Failure = entry.body()?;
                let (message, (proposal, dispatch)) = (text(entry, failure.detail), self.origin(failure.origin));
                if let (WhatHappened::Unknown, Some(dispatch), Some(proposal)) = (failure.effect, dispatch, &proposal) {
                    self.dispatched.insert(dispatch, proposal.clone());
                }
                let outcome =
                    Outcome::Failed { cause: failure.cause, message, effect: failure.effect, cost: failure.cost };
                self.outcome(entry, proposal, dispatch, outcome)
            }
            Some(Kind::Rejection) => match entry.body()? {
                Rejection::Refused(proposal) => What::Action(self.action(entry, &proposal, Outcome::NotCarriedOut)),
                Rejection::Abandoned { intent, .. } => {
                    What::Abandoned { tool: intent.target.to_string(), args: self.value(entry, intent.args) }
                }
                Rejection::NotAttempted { after, intent } => {
                    let args = self.value(entry, intent.args);
                    What::NotAttempted { tool: intent.target.to_string(), args, after }
                }
            },
            Some(Kind::PendingApproval) => {
                let pending: PendingApproval = entry.body()?;
                self.keep(entry, &pending.proposal.intent);
                self.requests.insert(entry.id(), pending.proposal.intent.target.to_string());
                What::Action(self.action(entry, &pending.proposal, Outcome::NotCarriedOut))
            }
            Some(Kind::Vote) => {
                let Vote { note, pending, statement, .. } = entry.body()?;
                What::Vote {
                    request: pending,
                    tool: self.requests.get(&pending).cloned(),
                    approve: statement.approve,
                    approver: statement.approver,
                    note: text(entry, note),
                    expires_at_ms: statement.expires_at_ms,
                }
            }
            Some(Kind::ApprovalOutcome) => {
                let ApprovalOutcome { outcome, pending, .. } = entry.body()?;
                What::RequestEnded { request: pending, tool: self.requests.get(&pending).cloned(), outcome }
            }
            Some(Kind::Delegation) => {
                let Delegated { child, origin, .. } = entry.body()?;
                self.children.insert(entry.id(), child);
                let (proposal, _) = self.origin(origin);
                let cost = proposal.as_ref().and_then(|proposal| Some(proposal.decision.quote.as_ref()?.cost));
                let outcome = Outcome::Delegated { child, cost: cost.unwrap_or_default() };
                self.outcome(entry, proposal, None, outcome)
            }
            Some(Kind::DelegationResult) => {
                let DelegationResult { answer, delegation, reason, spent, .. } = entry.body()?;
                What::Returned { child: self.children.remove(&delegation), reason, answer: text(entry, answer), spent }
            }
            Some(Kind::Resumed) => {
                let Resumed { in_doubt, turn, debited, .. } = entry.body()?;
                What::Resumed { in_doubt, turn, debited }
            }
            Some(Kind::InDoubtResolution) => {
                let InDoubtResolution { cost, dispatch, note, operator, verdict } = entry.body()?;
                let tool = self.dispatched.remove(&dispatch).map(|proposal| proposal.intent.target.to_string());
                let operator = operator.map(|operator| operator.key);
                What::Settled { dispatch, tool, verdict, operator, note: text(entry, note), cost }
            }
            Some(Kind::Compensation) => {
                let Compensation { chain, statement, .. } = entry.body()?;
                self.presented.insert(statement.writ, authority(&chain));
                What::Undo { chain, to: statement.to, plan: statement.plan }
            }
            Some(Kind::CompensationHalt) => {
                let CompensationHalt { at, cause, detail, .. } = entry.body()?;
                What::UndoStopped { at, cause, message: text(entry, detail) }
            }
            Some(Kind::Routing) => {
                let RoutingOutcome { evidence, latency_ms, status, .. } = entry.body()?;
                What::Routing { evidence, latency_ms, status }
            }
            Some(Kind::Skill) => {
                let SkillBound { definition, hash, parameters } = entry.body()?;
                What::Skill { definition, hash, parameters: parameters.and_then(|values| value(entry, values)) }
            }
            Some(Kind::Terminated) => {
                let Terminated { answer, detail, reason, spent } = entry.body()?;
                What::End { reason, detail, answer: text(entry, answer), spent }
            }
            _ => What::Other {},
        })
    }

    fn origin(&mut self, origin: Origin) -> (Option<Arc<Proposal>>, Option<EntryId>) {
        match origin {
            Origin::Proposal(proposal) => (Some(proposal), None),
            Origin::Dispatch(dispatch) => (self.dispatched.remove(&dispatch), Some(dispatch)),
        }
    }

    fn outcome(
        &mut self,
        entry: &Entry,
        proposal: Option<Arc<Proposal>>,
        dispatch: Option<EntryId>,
        outcome: Outcome,
    ) -> What {
        // A replay refuses an outcome without its dispatch, so there is always one to read.
        let Some(proposal) = proposal else { return What::Other {} };
        What::Action(Action { dispatched: dispatch.is_some(), ..self.action(entry, &proposal, outcome) })
    }

    fn action(&mut self, entry: &Entry, proposal: &Proposal, outcome: Outcome) -> Action {
        let goes_on = matches!(outcome, Outcome::Dispatched { .. });
        let IntentRecord { args, author, rationale, target, .. } = &proposal.intent;
        let action = Action {
            author: author.clone(),
            tool: target.to_string(),
            args: self.value(entry, *args),
            rationale: rationale.and_then(|reason| self.value(entry, reason)?.as_str().map(str::to_owned)),
            rules: self.rules(&proposal.decision),
            decision: proposal.decision.clone(),
            outcome,
            contract: None,
            presented: self.presented.get(&proposal.writ).cloned(),
            undoes: None,
            dispatched: false,
        };
        if !goes_on && !action.waits() {
            self.values.remove(args);
            rationale.map(|rationale| self.values.remove(&rationale));
        }
        action
    }

    /// Keeps the values of an intent until its outcome is read.
    fn keep(&mut self, entry: &Entry, intent: &IntentRecord) {
        for commitment in [Some(intent.args), intent.rationale].into_iter().flatten() {
            if let Some(value) = value(entry, commitment) {
                self.values.insert(commitment, value);
            }
        }
    }

    fn value(&self, entry: &Entry, commitment: Commitment) -> Option<Value> {
        self.values.get(&commitment).cloned().or_else(|| value(entry, commitment))
    }

    /// The rules of a decision by name.
    fn rules(&self, decision: &Decision) -> Vec<Fired> {
        let set = self.sets.as_ref().and_then(|sets| sets.get(&decision.policy_set));
        let find = |index: u32| {
            let rules = set?.bundles.iter().flat_map(|entry| {
                let bundle = entry.bundle();
                bundle.rules.iter().map(move |rule| (bundle, rule))
            });
            rules.into_iter().nth(usize::try_from(index).ok()?)
        };
        let name = |index: u32| match find(index) {
            Some((bundle, rule)) => format!("{}/{}", bundle.name, rule.name),
            None => format!("rule #{index}"),
        };
        let fired = decision.trace.fired.iter().map(|index| {
            let verdict = find(*index).map_or_else(|| "fired".into(), |(_, rule)| verdict(&rule.decision));
            Fired { name: name(*index), verdict }
        });
        let unknown = decision
            .trace
            .unknown
            .iter()
            .map(|index| Fired { name: name(*index), verdict: "could not be judged".into() });
        let asserted = decision.trace.asserted.iter().map(|said| {
            let policy = set.and_then(|set| set.engines.get(usize::try_from(said.policy).ok()?));
            let name = policy.map_or_else(|| format!("policy #{}", said.policy), |policy| policy.name.clone());
            Fired { name, verdict: format!("{}, asserted", verdict(&said.verdict)) }
        });
        fired.chain(unknown).chain(asserted).collect()
    }
}

/// The rules that authority entries hold, by the hash that decisions name.
fn rule_sets(log: &AuthorityLog) -> HashMap<PolicySetHash, PolicySetDefinition> {
    let records = log.epochs().iter().filter(|entry| entry.header.known_kind() == Some(Kind::PolicySet));
    let sets = records.filter_map(|entry| {
        let PolicySetRecord { definition, hash } = entry.body().ok()?;
        let definition: PolicySetDefinition = serde_json::from_value(definition).ok()?;
        // A definition of another hash must not lend its names.
        (definition.hash().ok()? == hash).then_some((hash, definition))
    });
    sets.collect()
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Permit => "permits".into(),
        Verdict::Deny { reason } => format!("denies: {reason}"),
        Verdict::RequireApproval { channel, reason } => format!("needs approval on `{channel}`: {reason}"),
    }
}

fn value(entry: &Entry, commitment: Commitment) -> Option<Value> {
    entry.blob(&commitment)?.value().ok()
}

fn text(entry: &Entry, commitment: Option<Commitment>) -> Option<String> {
    match value(entry, commitment?)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn change(entry: &Entry, op: &DeltaOp) -> Change {
    let (operation, new) = match op {
        DeltaOp::Create { value, .. } => ("create", Some(*value)),
        DeltaOp::Replace { value, .. } => ("replace", Some(*value)),
        DeltaOp::Delete { .. } => ("delete", None),
    };
    Change { operation, resource: op.resource().to_string(), value: new.and_then(|new| value(entry, new)) }
}

/// The keys of a chain by name, from the issuer of its root to the one who acts.
pub(super) fn authority(chain: &[SignedWrit]) -> String {
    let issuer = chain.first().map(|signed| signed.writ.issuer.name.as_str());
    let names = issuer.into_iter().chain(chain.iter().map(|signed| signed.writ.subject.name.as_str()));
    names.map(super::style::plain).collect::<Vec<_>>().join(" → ")
}

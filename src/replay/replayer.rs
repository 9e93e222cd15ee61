use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{
    Fault, FaultKind, InvalidFrom, Pins, ReplayError, Report,
    authority::{AuthorityCursor, AuthorityLog, check_signature},
    fault::at,
    invalid::Vouching,
    origin::{Dispatches, UnknownEffect, check_balances, check_change, check_origin, check_proposal, check_staged},
};
use crate::{
    canon::{Commitment, EntryId, KeyId, PolicySetHash, ProposalId, TrajectoryId},
    commit::{Commit, DeltaOp, Origin},
    crypto::{NamedKey, Purpose, Role},
    intent::IntentRecord,
    ledger::{
        Entry, Kind, StoredBlob,
        record::{
            self, BranchStart, Dispatch, EndReason, Erasure, Failure, InDoubtResolution, Link, Operator,
            PendingApproval, Rejection, Resumed, RunStart, Terminated, Turn, TurnStart, WhatHappened,
        },
    },
    proposal::{Code, Proposal, Status},
    world::{FoldOp, World},
    writ::{Amounts, UnverifiedChain, WritChain},
};

/// Takes the entries of one trajectory in order, checks each, and folds.
///
/// Memory is bounded by the world, by what is open and by the ids of the proposals that were dispatched, 32 bytes each; not
/// by the number of entries.
pub struct Replayer<'a> {
    log: &'a AuthorityLog,
    cursor: AuthorityCursor,
    trajectory: TrajectoryId,
    pins: Pins,
    start: Option<Started>,
    next_seq: u64,
    head: EntryId,
    head_seq: u64,
    as_of_ms: u64,
    world: World,
    base_seq: u64,
    dispatches: Dispatches,
    dispatched: HashSet<ProposalId>,
    turn: Option<(EntryId, Amounts)>,
    /// Intents of the last turn without an outcome, and where their values stand.
    unanswered: Vec<IntentRecord>,
    turn_seq: u64,
    resumed: Option<EntryId>,
    steps: u64,
    ended: Option<EndReason>,
    spent: Amounts,
    commits: u64,
    derived: u64,
    asserted: u64,
    erased: u64,
    missing: HashMap<Commitment, Fault>,
    signers: Vec<NamedKey>,
    compilers: BTreeSet<u32>,
    policy_sets: BTreeSet<PolicySetHash>,
    incomplete: Vec<String>,
    pinned_entry_seen: bool,
    vouching: Vouching,
    invalid: Vec<InvalidFrom>,
}

struct Started {
    chain: WritChain,
    start: RunStart,
}

/// What a trajectory's entries amount to: enough to go on with it.
pub struct Folded {
    /// The writ chain.
    pub chain: WritChain,
    /// How the run started.
    pub start: RunStart,
    /// The world.
    pub world: World,
    /// The seq of the last commit; 0 when there is none.
    pub base_seq: u64,
    /// The last entry.
    pub head: EntryId,
    /// Its seq.
    pub head_seq: u64,
    /// What the run spent.
    pub spent: Amounts,
    /// Effects of which it is not known whether they happened, in the order of their dispatches.
    pub unknown_effects: Vec<UnknownEffect>,
    /// Intents of the last turn of which nothing is on record.
    pub unanswered: Vec<IntentRecord>,
    /// Why the run ended; `None` when it has not.
    pub ended: Option<EndReason>,
    /// What is held for dispatches and turns without an outcome.
    pub held: Amounts,
    /// The turn without an outcome, and what is held for it.
    pub open_turn: Option<(EntryId, Amounts)>,
    /// How many turns were begun.
    pub steps: u64,
}

impl<'a> Replayer<'a> {
    /// A replay of `trajectory` from its first entry on.
    pub fn new(log: &'a AuthorityLog, trajectory: TrajectoryId, pins: Pins) -> Self {
        Self {
            log,
            cursor: AuthorityCursor::new(),
            trajectory,
            pins,
            start: None,
            next_seq: 0,
            head: EntryId::ZERO,
            head_seq: 0,
            as_of_ms: 0,
            world: World::default(),
            base_seq: 0,
            dispatches: Dispatches::default(),
            dispatched: HashSet::new(),
            turn: None,
            unanswered: Vec::new(),
            turn_seq: 0,
            resumed: None,
            steps: 0,
            ended: None,
            spent: Amounts::ZERO,
            commits: 0,
            derived: 0,
            asserted: 0,
            erased: 0,
            missing: HashMap::new(),
            signers: Vec::new(),
            compilers: BTreeSet::new(),
            policy_sets: BTreeSet::new(),
            incomplete: log.unknown().to_vec(),
            pinned_entry_seen: false,
            vouching: Vouching::default(),
            invalid: Vec::new(),
        }
    }

    /// Checks and folds the next entry.
    ///
    /// # Errors
    /// The fault, with the entry. The replay must not go on then.
    pub fn push(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.step(entry).map_err(|reason| at(entry, reason))
    }

    /// Says from where on each compromised key of the store proves nothing for this run. Without it the replay of a store that
    /// has such keys is incomplete.
    pub fn invalid(&mut self, invalid: Vec<InvalidFrom>) {
        self.invalid = invalid;
    }

    /// The authority entries that the run refers to.
    pub fn authority(&self) -> &'a AuthorityLog {
        self.log
    }

    /// The world as it stands.
    pub fn world(&self) -> &World {
        &self.world
    }

    fn step(&mut self, entry: &Entry) -> Result<(), FaultKind> {
        let header = &entry.header;
        if header.store != self.log.store() {
            return Err(FaultKind::Store);
        }
        if header.trajectory != self.trajectory {
            return Err(FaultKind::Trajectory);
        }
        if header.seq != self.next_seq {
            return Err(FaultKind::Seq { expected: self.next_seq });
        }
        if header.parent != self.head {
            return Err(FaultKind::Parent);
        }
        entry.check()?;
        let id = entry.id();
        let reset = self.cursor.state().clock_reset.as_ref().map(|reset| reset.seq);
        let authority = self.cursor.advance(self.log, header.authority)?;
        check_signature(entry, authority)?;
        let reset_between = authority.clock_reset.as_ref().map(|reset| reset.seq) != reset;
        if header.time_ms < self.as_of_ms && !reset_between {
            return Err(FaultKind::Time);
        }
        self.vouching.entry(entry, authority.epoch_seq, self.log);
        if let Some(named) = authority.signing_key(&header.signer).filter(|_| header.signer != KeyId::ZERO)
            && !self.signers.contains(named)
        {
            self.signers.push(named.clone());
        }
        if let Some(pin) = &self.pins.signer {
            entry.check_signature(pin)?;
        }
        if header.base_seq != self.base_seq {
            return Err(FaultKind::Base(header.base_seq));
        }
        for blob in &entry.blobs {
            if let StoredBlob::Erased(commitment) = blob {
                self.missing.insert(*commitment, at(entry, FaultKind::Missing));
            }
        }
        self.fold(entry, id)?;
        self.pinned_entry_seen |= self.pins.contains == Some(id);
        self.head = id;
        self.head_seq = header.seq;
        self.next_seq = header.seq.saturating_add(1);
        self.as_of_ms = header.time_ms;
        Ok(())
    }

    fn fold(&mut self, entry: &Entry, id: EntryId) -> Result<(), FaultKind> {
        let Some(kind) = entry.header.known_kind() else {
            let unknown = format!("entry {} is of unknown kind {}", entry.header.seq, entry.header.kind);
            self.incomplete.push(unknown);
            return Ok(());
        };
        if kind.is_authority() || (self.start.is_none() != matches!(kind, Kind::Root | Kind::Branch)) {
            return Err(FaultKind::Misplaced);
        }
        if self.ended.is_some() && !matches!(kind, Kind::Erasure | Kind::Checkpoint | Kind::InDoubtResolution) {
            return Err(FaultKind::AfterEnd);
        }
        match kind {
            Kind::Root => {
                let start: RunStart = entry.body()?;
                if matches!(start.start.from, Some(Link::Branch(_))) {
                    return Err(FaultKind::Misplaced);
                }
                self.begin(start)?;
            }
            Kind::Branch => {
                self.begin(entry.body::<BranchStart>()?.run)?;
                self.incomplete.push("the run is a branch, and its parent's entries are not at hand".into());
            }
            Kind::TurnStart if self.turn.is_some() => return Err(FaultKind::Misplaced),
            Kind::TurnStart => {
                self.turn = Some((id, entry.body::<TurnStart>()?.reserved));
                self.steps += 1;
            }
            Kind::Turn => {
                let turn: Turn = entry.body()?;
                match self.turn.take() {
                    Some((start, _)) if start == turn.start => self.spent = self.spent.plus(&turn.usage),
                    _ => return Err(FaultKind::Misplaced),
                }
                self.unanswered = turn.intents;
                self.turn_seq = entry.header.seq;
            }
            Kind::Dispatch => {
                let dispatch: Dispatch = entry.body()?;
                self.proposal(&dispatch.proposal, entry)?;
                check_staged(&dispatch.proposal)?;
                if dispatch.proposal.decision.quote.as_ref().map(|quote| quote.cost) != Some(dispatch.reserved) {
                    return Err(FaultKind::Proposal);
                }
                if let Some(resolved) = &dispatch.proposal.resolved
                    && !self.dispatched.insert(resolved.id)
                {
                    return Err(FaultKind::DispatchedTwice(resolved.id));
                }
                let here = entry.blob(&dispatch.proposal.intent.args).is_some();
                let seq = entry.header.seq;
                let args_seq = if here { seq } else { self.turn_seq };
                let held = Some(dispatch.reserved);
                self.dispatches.dispatched(UnknownEffect { dispatch: id, seq, args_seq, held });
            }
            Kind::Commit => self.commit(entry)?,
            Kind::Failure => {
                let failure: Failure = entry.body()?;
                self.outcome(&failure.origin, failure.effect == WhatHappened::Unknown, entry)?;
                self.spent = self.spent.plus(&failure.cost);
            }
            Kind::Rejection => match entry.body()? {
                Rejection::Refused(proposal) => {
                    self.proposal(&proposal, entry)?;
                    if !matches!(proposal.decision.status, Status::Rejected(_)) {
                        return Err(FaultKind::Status { expected: "rejected" });
                    }
                }
                Rejection::Abandoned { by, intent } => {
                    if self.resumed != Some(by) || !self.unanswered.contains(&intent) {
                        return Err(FaultKind::Misplaced);
                    }
                    self.answered(&intent);
                }
                Rejection::NotAttempted { intent, .. } => self.answered(&intent),
            },
            Kind::PendingApproval => {
                let proposal = entry.body::<PendingApproval>()?.proposal;
                self.proposal(&proposal, entry)?;
                if !matches!(proposal.decision.status, Status::Suspended { .. }) {
                    return Err(FaultKind::Status { expected: "suspended" });
                }
            }
            Kind::InDoubtResolution => {
                let resolution: InDoubtResolution = entry.body()?;
                self.dispatches.settled(&resolution)?;
                self.check_operator(&resolution)?;
                self.spent = self.spent.plus(&resolution.cost);
            }
            Kind::Erasure => {
                for erased in entry.body::<Erasure>()?.blobs {
                    self.missing.remove(&erased.commitment);
                    self.erased += 1;
                }
            }
            Kind::Resumed => {
                let resumed: Resumed = entry.body()?;
                let (turn, held) = self.turn.take().unzip();
                if turn != resumed.turn {
                    return Err(FaultKind::Misplaced);
                }
                if resumed.debited != held.unwrap_or_default() || resumed.in_doubt != self.dispatches.ids() {
                    return Err(FaultKind::Untold);
                }
                self.spent = self.spent.plus(&resumed.debited);
                self.resumed = Some(id);
            }
            Kind::Terminated => {
                let Terminated { reason, spent, .. } = entry.body()?;
                if spent != self.spent {
                    return Err(FaultKind::Spent);
                }
                self.ended = Some(reason);
            }
            other => check_shape(entry, other)?,
        }
        Ok(())
    }

    fn begin(&mut self, start: RunStart) -> Result<(), FaultKind> {
        let chain = UnverifiedChain { chain: start.chain.clone() }.verify()?;
        let trajectory = start.start.trajectory().map_err(|_| FaultKind::Start)?;
        if trajectory != self.trajectory || start.start.store != self.log.store() || start.start.writ != chain.id() {
            return Err(FaultKind::Start);
        }
        let subject = &chain.leaf().subject.key;
        subject.verify(Purpose::Start, trajectory.as_bytes(), &start.signature).map_err(FaultKind::StartSignature)?;
        let issuer = chain.root().issuer.key;
        if !self.cursor.state().trust.has(&issuer, Role::WritIssuer) {
            return Err(FaultKind::Untrusted(issuer));
        }
        let opened = self.log.opened(&trajectory).ok_or(FaultKind::NotOpened)?;
        if opened.writ != chain.id() {
            return Err(FaultKind::NotOpened);
        }
        self.vouching.started(issuer);
        self.start = Some(Started { chain, start });
        Ok(())
    }

    /// An operator's word counts where it is signed by a key that was trusted as approver.
    fn check_operator(&self, resolution: &InDoubtResolution) -> Result<(), FaultKind> {
        let (Some(Operator { key, signature }), Some(statement)) = (&resolution.operator, resolution.statement())
        else {
            return Ok(());
        };
        if !self.cursor.state().trust.has(&key.key, Role::Approver) {
            return Err(FaultKind::NotApprover(key.key));
        }
        let hash = statement.hash().map_err(|_| FaultKind::Misplaced)?;
        key.key.verify(Purpose::Resolution, hash.as_bytes(), signature).map_err(FaultKind::Operator)
    }

    /// Something is on record of what became of an intent.
    fn answered(&mut self, intent: &IntentRecord) {
        self.unanswered.retain(|unanswered| unanswered != intent);
    }

    fn proposal(&mut self, proposal: &Proposal, entry: &Entry) -> Result<(), FaultKind> {
        self.answered(&proposal.intent);
        let Some(started) = &self.start else { return Err(FaultKind::Misplaced) };
        check_proposal(proposal, self.trajectory, started.chain.id(), self.log)?;
        let decision = &proposal.decision;
        let used = self.spent.plus(&self.held());
        let budgets = started.chain.links().map(|(_, writ)| writ.budget);
        check_balances(decision, budgets, &used)?;
        let time_ms = entry.header.time_ms;
        if decision.now_ms > time_ms {
            return Err(FaultKind::DecidedLater { decided_ms: decision.now_ms, time_ms });
        }
        if self.cursor.state().policy_set != Some(decision.policy_set) {
            return Err(FaultKind::NotInForce(decision.policy_set));
        }
        if let Some(required) = self.pins.compiler.filter(|required| *required != decision.compiler) {
            return Err(FaultKind::Compiler { found: decision.compiler, required });
        }
        if let Some(required) = self.pins.policy_set.filter(|required| *required != decision.policy_set) {
            return Err(FaultKind::PolicySet { found: decision.policy_set, required });
        }
        self.compilers.insert(decision.compiler);
        self.policy_sets.insert(decision.policy_set);
        let unasked = matches!(&decision.status, Status::Rejected(refusal) if refusal.code == Code::QuoteUnavailable);
        let quoted = |quote: &crate::proposal::Quote| quote.arguments.is_some() || quote.precondition.is_some();
        if decision.trace.asserted.is_empty()
            && decision.trace.failed.is_empty()
            && !unasked
            && !decision.quote.as_ref().is_some_and(quoted)
        {
            self.derived += 1;
        } else {
            self.asserted += 1;
        }
        Ok(())
    }

    fn outcome(&mut self, origin: &Origin, in_doubt: bool, entry: &Entry) -> Result<(), FaultKind> {
        check_origin(origin, self.log)?;
        match origin {
            Origin::Dispatch(dispatch) => self.dispatches.concluded(*dispatch, in_doubt),
            Origin::Proposal(proposal) => self.proposal(proposal, entry),
        }
    }

    /// What is held for turns and dispatches without an outcome.
    fn held(&self) -> Amounts {
        self.turn.map_or(Amounts::ZERO, |(_, held)| held).plus(&self.dispatches.held())
    }

    /// What was quoted is a hard cap, but for the time that the call took.
    fn check_cost(&self, commit: &Commit) -> Result<(), FaultKind> {
        let quoted = match &commit.origin {
            Origin::Dispatch(dispatch) => self.dispatches.held_for(dispatch),
            Origin::Proposal(proposal) => proposal.decision.quote.as_ref().map(|quote| quote.cost),
        };
        let cap = quoted.map(|quoted| Amounts { wall_clock_ms: Amounts::MAX.wall_clock_ms, ..quoted });
        match cap.and_then(|cap| commit.cost.exceeds(&cap)) {
            Some(dimension) => Err(FaultKind::Cost(dimension)),
            None => Ok(()),
        }
    }

    fn commit(&mut self, entry: &Entry) -> Result<(), FaultKind> {
        let commit: Commit = entry.body()?;
        self.check_cost(&commit)?;
        self.outcome(&commit.origin, false, entry)?;
        check_change(&commit, self.log)?;
        let present = if commit.delta.is_empty() { HashMap::new() } else { entry.present() };
        let value = |commitment: &Commitment| {
            let value = present.get(commitment).and_then(|blob| blob.value().ok());
            (*commitment, value.map(Arc::new))
        };
        let ops = commit.delta.iter().map(|op| match op {
            DeltaOp::Create { resource, value: new } => (resource, 0, Some(value(new))),
            DeltaOp::Replace { resource, value: new, version } => (resource, *version, Some(value(new))),
            DeltaOp::Delete { resource, version } => (resource, *version, None),
        });
        let folds = ops.map(|(resource, expected, becomes)| FoldOp { resource: resource.clone(), expected, becomes });
        let (found, _) = self.world.fold(folds.collect())?;
        if found != commit.world_root {
            return Err(FaultKind::Root { recorded: commit.world_root, found });
        }
        self.base_seq = entry.header.seq;
        self.commits += 1;
        self.spent = self.spent.plus(&commit.cost);
        Ok(())
    }

    /// Ends the replay.
    ///
    /// # Errors
    /// When there was no entry, a value is missing that nobody erased, or a pin does not hold.
    pub fn finish(mut self) -> Result<(Report, Folded), ReplayError> {
        self.incomplete.extend(self.vouching.doubts(self.log, &self.invalid));
        let held = self.held();
        let Some(Started { chain, start }) = self.start else { return Err(ReplayError::NoRun(self.trajectory)) };
        if let Some(fault) = self.missing.into_values().min_by_key(|fault| fault.seq) {
            return Err(fault.into());
        }
        let world_root = self.world.root();
        let pin = |what, found: String, required: String| {
            if found == required { Ok(()) } else { Err(ReplayError::Pin { what, found, required }) }
        };
        if let Some(required) = self.pins.world_root {
            pin("the world's root", world_root.to_string(), required.to_string())?;
        }
        if let Some(required) = self.pins.store {
            pin("the store", self.log.store().to_string(), required.to_string())?;
        }
        if let Some(required) = self.pins.contains.filter(|_| !self.pinned_entry_seen) {
            pin("an entry of the run", "not there".into(), required.to_string())?;
        }
        let report = Report {
            store: self.log.store(),
            trajectory: self.trajectory,
            writ: chain.id(),
            entries: self.next_seq,
            commits: self.commits,
            derived: self.derived,
            asserted: self.asserted,
            head: self.head,
            head_seq: self.head_seq,
            as_of_ms: self.as_of_ms,
            world_root,
            signers: self.signers,
            signer_pinned: self.pins.signer.is_some(),
            compilers: self.compilers,
            policy_sets: self.policy_sets,
            in_doubt: self.dispatches.ids(),
            erased: self.erased,
            spent: self.spent,
            ended: self.ended,
            incomplete: self.incomplete,
        };
        let folded = Folded {
            chain,
            start,
            world: self.world,
            base_seq: self.base_seq,
            head: self.head,
            head_seq: self.head_seq,
            spent: self.spent,
            unknown_effects: self.dispatches.unknown(),
            unanswered: self.unanswered,
            ended: self.ended,
            held,
            open_turn: self.turn,
            steps: self.steps,
        };
        Ok((report, folded))
    }
}

/// Reads the record of a kind that changes nothing that a replay follows: its shape still has to hold.
fn check_shape(entry: &Entry, kind: Kind) -> Result<(), FaultKind> {
    match kind {
        Kind::Vote => entry.body::<record::Vote>().map(drop)?,
        Kind::ApprovalOutcome => entry.body::<record::ApprovalOutcome>().map(drop)?,
        Kind::Delegation => entry.body::<record::Delegated>().map(drop)?,
        Kind::DelegationResult => entry.body::<record::DelegationResult>().map(drop)?,
        Kind::CompensationHalt => entry.body::<record::CompensationHalt>().map(drop)?,
        Kind::Skill => entry.body::<record::SkillBound>().map(drop)?,
        Kind::Routing => entry.body::<record::RoutingOutcome>().map(drop)?,
        Kind::Checkpoint => entry.body::<record::Checkpoint>().map(drop)?,
        _ => return Err(FaultKind::Misplaced),
    }
    Ok(())
}

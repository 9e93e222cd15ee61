mod check;
mod finish;
mod restore;

pub use finish::Folded;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    Fault, FaultKind, InvalidFrom, Pins,
    authority::{AuthorityCursor, AuthorityLog, check_signature},
    fault::at,
    invalid::Vouching,
    origin::{Dispatches, UnknownEffect, check_staged},
    rederive::Rederiver,
};
use crate::{
    canon::{Commitment, EntryId, KeyId, PolicySetHash, ProposalId, TrajectoryId},
    crypto::NamedKey,
    intent::IntentRecord,
    ledger::{
        Entry, Kind, StoredBlob,
        record::{
            self, BranchStart, Dispatch, EndReason, Erasure, Failure, InDoubtResolution, Link, PendingApproval,
            Rejection, Resumed, RunStart, Terminated, Turn, TurnStart, WhatHappened,
        },
    },
    proposal::Status,
    world::World,
    writ::{Amounts, WritChain},
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
    /// The latest time on record since the clock was reset.
    latest_ms: u64,
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
    rederiver: Option<Rederiver>,
    /// The seq of the snapshot that it went on from.
    since: Option<u64>,
}

struct Started {
    chain: WritChain,
    start: RunStart,
}

impl<'a> Replayer<'a> {
    /// A replay of `trajectory` from its first entry on.
    pub fn new(log: &'a AuthorityLog, trajectory: TrajectoryId, pins: Pins) -> Self {
        let rederiver = pins.rederive.then(Rederiver::default);
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
            latest_ms: 0,
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
            rederiver,
            since: None,
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
        self.latest_ms = if reset_between { 0 } else { self.as_of_ms };
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
                if let Some(rederiver) = &mut self.rederiver {
                    rederiver.turn(&turn.intents, entry);
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
                if let Some(rederiver) = &mut self.rederiver {
                    rederiver.resumed(self.log, &resumed.contracts);
                }
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

mod check;
mod finish;
mod prepared;
mod restore;

pub use finish::Folded;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    num::NonZeroUsize,
    sync::Arc,
};

use self::{
    check::check_signed,
    prepared::{Keys, Prepared, Preparing, Signed},
};
use super::{
    Effects, Fault, FaultKind, InvalidFrom, Pins, UndoFault,
    ahead::{self, Ahead},
    authority::{AuthorityCursor, AuthorityLog},
    fault::at,
    invalid::Vouching,
    origin::{Dispatches, UnknownEffect, check_called},
    record::Record,
    rederive::Rederiver,
    simulate::{Premise, Simulator},
    undo::Undoing,
};
use crate::{
    approval::Requests,
    canon::{Commitment, EntryId, PolicySetHash, ProposalId, TrajectoryId, WorldRoot},
    crypto::{NamedKey, PublicKey},
    delegation::{Children, Returned},
    intent::IntentRecord,
    ledger::{
        Entry, EntryError, Kind, StoredBlob,
        record::{EndReason, Link, Rejection, RunStart, Terminated},
    },
    proposal::Status,
    world::World,
    writ::{Amounts, BoundSkill, WritChain},
};

/// Takes the entries of one trajectory in order, checks each, and folds.
///
/// Memory is bounded by the world, by the entries that are handed over at once, by what is open and by the ids of the proposals
/// that were dispatched, 32 bytes each; not by the number of entries.
pub struct Replayer<'a> {
    log: &'a AuthorityLog,
    cursor: AuthorityCursor,
    trajectory: TrajectoryId,
    pins: Pins,
    keys: Arc<Keys>,
    workers: NonZeroUsize,
    start: Option<Started>,
    next_seq: u64,
    head: EntryId,
    head_seq: u64,
    as_of_ms: u64,
    /// The latest time on record since the clock was reset.
    latest_ms: u64,
    world: World,
    /// The world that a branch starts from, until it does.
    ground: Option<World>,
    /// Whether it is a branch whose parent's world is not at hand: its own is not known.
    afloat: bool,
    /// The root that the last commit records.
    last_root: Option<Recorded>,
    base_seq: u64,
    dispatches: Dispatches,
    dispatched: HashSet<ProposalId>,
    undoing: Undoing,
    turn: Option<(EntryId, Amounts)>,
    requests: Requests,
    children: Children,
    /// Whether a request was withdrawn: the run ends.
    withdrawn: bool,
    /// Intents of the last turn without an outcome, and where their values stand.
    unanswered: Vec<IntentRecord>,
    turn_seq: u64,
    resumed: Option<EntryId>,
    steps: u64,
    ended: Option<EndReason>,
    returned: Option<Returned>,
    spent: Amounts,
    skills: Vec<BoundSkill>,
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

/// What may follow the end of a run: upkeep, the settlement of doubts, and undoing.
fn may_follow_the_end(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, Erasure | Checkpoint | InDoubtResolution | Compensation | CompensationHalt)
        || matches!(kind, Dispatch | Commit | Failure | Rejection | PendingApproval | Vote | ApprovalOutcome)
}

struct Started {
    chain: WritChain,
    start: RunStart,
}

/// The root of the world as a commit records it.
struct Recorded {
    /// The commit.
    seq: u64,
    id: EntryId,
    root: WorldRoot,
}

impl<'a> Replayer<'a> {
    /// A replay of `trajectory` from its first entry on.
    pub fn new(log: &'a AuthorityLog, trajectory: TrajectoryId, pins: Pins) -> Self {
        let (rederiver, effects) = (pins.rederive.then(Rederiver::default), pins.options.effects);
        Self {
            log,
            cursor: AuthorityCursor::new(),
            trajectory,
            keys: Arc::new(Keys::of(log)),
            workers: ahead::workers(pins.options.workers),
            pins,
            start: None,
            next_seq: 0,
            head: EntryId::ZERO,
            head_seq: 0,
            as_of_ms: 0,
            latest_ms: 0,
            world: World::default(),
            ground: None,
            afloat: false,
            last_root: None,
            base_seq: 0,
            dispatches: Dispatches::default(),
            dispatched: HashSet::new(),
            undoing: Undoing::new(effects),
            turn: None,
            requests: Requests::default(),
            children: Children::default(),
            withdrawn: false,
            unanswered: Vec::new(),
            turn_seq: 0,
            resumed: None,
            steps: 0,
            ended: None,
            returned: None,
            spent: Amounts::ZERO,
            skills: Vec::new(),
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
        let mut prepared = Prepared::of(entry, &self.keys);
        self.step(entry, &mut prepared).map_err(|reason| at(entry, reason))
    }

    /// Checks and folds the next entries, on several threads where there are enough of them. `visit` sees each after it was
    /// checked, in order.
    ///
    /// # Errors
    /// The first fault, as [`push`](Self::push) finds it.
    pub fn push_all(&mut self, entries: Vec<Entry>, visit: impl FnMut(&Entry, &Self)) -> Result<(), Fault> {
        let mut ahead = self.ahead();
        ahead.give(entries);
        self.judge(&mut ahead, 0, visit)
    }

    /// Works out what entries show by themselves, ahead of the replay.
    pub(super) fn ahead(&self) -> Preparing {
        let (keys, together) = (Arc::clone(&self.keys), self.batched());
        Ahead::new(self.workers, move |entries: &[Entry]| match &together {
            Some(key) => Prepared::batch(entries, &keys, key),
            None => entries.iter().map(|entry| Prepared::of(entry, &keys)).collect(),
        })
    }

    /// Judges and folds what was given, but for the last `leave` entries.
    pub(super) fn judge(
        &mut self,
        ahead: &mut Preparing,
        leave: usize,
        mut visit: impl FnMut(&Entry, &Self),
    ) -> Result<(), Fault> {
        while let Some(mut taken) = ahead.take(leave) {
            for (entry, prepared) in taken.each() {
                self.step(entry, prepared).map_err(|reason| at(entry, reason))?;
                visit(entry, self);
            }
            ahead.give_back(taken);
        }
        Ok(())
    }

    /// The key whose signatures are verified together.
    pub(super) fn batched(&self) -> Option<PublicKey> {
        self.pins.signer.filter(|_| self.pins.options.batch)
    }

    /// Gives the world that the run starts from, where it is a branch: that of its parent at the branch point. Without it the replay of a
    /// branch is incomplete.
    pub fn ground(&mut self, world: World) {
        self.ground = Some(world);
    }

    /// Says from where on each compromised key of the store proves nothing for this run. Without it the replay of a store that
    /// has such keys is incomplete.
    pub fn invalid(&mut self, invalid: Vec<InvalidFrom>) {
        self.invalid = invalid;
    }

    /// Has every decision made once more on another premise. `child_of` started the run, and would not have.
    pub(super) fn simulate(&mut self, premise: Arc<Premise>, child_of: Option<(TrajectoryId, u64)>) {
        let simulator = Simulator::new(premise, self.trajectory, child_of);
        self.rederiver.get_or_insert_default().simulator = Some(simulator);
    }

    /// What the simulation came to at the last entry.
    pub(super) fn simulator(&self) -> Option<&Simulator> {
        self.rederiver.as_ref()?.simulator.as_ref()
    }

    /// The pinned signer.
    pub(super) fn signer(&self) -> Option<PublicKey> {
        self.pins.signer
    }

    /// The authority entries that the run refers to.
    pub fn authority(&self) -> &'a AuthorityLog {
        self.log
    }

    /// What was not undone so far.
    pub fn effects(&self) -> &Effects {
        &self.undoing.effects
    }

    /// The world as it stands.
    pub fn world(&self) -> &World {
        &self.world
    }

    fn step(&mut self, entry: &Entry, prepared: &mut Result<Prepared, EntryError>) -> Result<(), FaultKind> {
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
        let prepared = prepared.as_mut().map_err(|error| error.clone())?;
        let id = prepared.whole.id;
        let reset = self.cursor.state().clock_reset.as_ref().map(|reset| reset.seq);
        let authority = self.cursor.advance(self.log, header.authority)?;
        check_signed(header.signer, &prepared.signed, authority)?;
        let reset_between = authority.clock_reset.as_ref().map(|reset| reset.seq) != reset;
        if header.time_ms < self.as_of_ms && !reset_between {
            return Err(FaultKind::Time);
        }
        self.latest_ms = if reset_between { 0 } else { self.as_of_ms };
        self.vouching.entry(entry, authority.epoch_seq, self.log);
        if let (Signed::By(..), Some(named)) = (&prepared.signed, authority.runtime_key())
            && !self.signers.contains(named)
        {
            self.signers.push(named.clone());
        }
        self.check_pin(header.signer, &prepared.signed)?;
        if header.base_seq != self.base_seq {
            return Err(FaultKind::Base(header.base_seq));
        }
        for blob in &entry.blobs {
            if let StoredBlob::Erased(commitment) = blob {
                self.missing.insert(*commitment, at(entry, FaultKind::Missing));
            }
        }
        self.rederiver.iter_mut().for_each(Rederiver::begin);
        self.fold(entry, prepared)?;
        if let (Some(rederiver), Ok(record)) = (&mut self.rederiver, &prepared.whole.record) {
            rederiver.passed(id, header.seq, record);
        }
        self.pinned_entry_seen |= self.pins.contains == Some(id);
        self.head = id;
        self.head_seq = header.seq;
        self.next_seq = header.seq.saturating_add(1);
        self.as_of_ms = header.time_ms;
        Ok(())
    }

    fn fold(&mut self, entry: &Entry, prepared: &mut Prepared) -> Result<(), FaultKind> {
        let Prepared { whole, identity, folds, .. } = prepared;
        let (identity, folds) = (identity.take(), std::mem::take(folds));
        let (id, seq) = (whole.id, entry.header.seq);
        let Some(kind) = entry.header.known_kind() else {
            self.incomplete.push(format!("entry {seq} is of unknown kind {}", entry.header.kind));
            return Ok(());
        };
        if kind.is_authority() || (self.start.is_none() != matches!(kind, Kind::Root | Kind::Branch)) {
            return Err(FaultKind::Misplaced);
        }
        if self.ended.is_some() && !may_follow_the_end(kind) {
            return Err(FaultKind::AfterEnd);
        }
        if self.withdrawn && !matches!(kind, Kind::ApprovalOutcome | Kind::Terminated) {
            return Err(FaultKind::Misplaced);
        }
        if kind == Kind::TurnStart && self.turn.is_some() {
            return Err(FaultKind::Misplaced);
        }
        match whole.record.as_ref().map_err(EntryError::clone)? {
            Record::Root(start) => {
                if matches!(start.start.from, Some(Link::Branch(_))) {
                    return Err(FaultKind::Misplaced);
                }
                self.begin(start)?;
            }
            Record::Branch(branch) => {
                self.branch_off(branch)?;
            }
            Record::TurnStart(start) => {
                self.turn = Some((id, start.reserved));
                self.steps += 1;
            }
            Record::Turn(turn) => {
                match self.turn.take() {
                    Some((start, _)) if start == turn.start => self.spent = self.spent.plus(&turn.usage),
                    _ => return Err(FaultKind::Misplaced),
                }
                if let Some(rederiver) = &mut self.rederiver {
                    rederiver.turn(&turn.intents, entry);
                }
                self.unanswered.clone_from(&turn.intents);
                self.turn_seq = seq;
            }
            Record::Delegation(delegated) => self.delegation(delegated, identity, entry, id)?,
            Record::DelegationResult(result) => self.children.returned(result).map(drop)?,
            Record::Dispatch(dispatch) => {
                let request = self.proposal(&dispatch.proposal, identity, entry)?;
                check_called(&dispatch.proposal)?;
                if dispatch.proposal.decision.quote.as_ref().map(|quote| quote.cost) != Some(dispatch.reserved) {
                    return Err(FaultKind::Proposal);
                }
                if let Some(resolved) = &dispatch.proposal.resolved
                    && !self.dispatched.insert(resolved.id)
                {
                    return Err(FaultKind::DispatchedTwice(resolved.id));
                }
                let args_seq = match request {
                    Some(request) => request.args_seq,
                    None => self.args_seq(whole, entry, &dispatch.proposal.intent.args),
                };
                let (held, writ) = (Some(dispatch.reserved), dispatch.proposal.writ);
                self.undoing.check_mark(&writ, dispatch.compensates)?;
                self.undoing.dispatched(id, writ, &dispatch.reserved);
                self.dispatches.dispatched(UnknownEffect { dispatch: id, seq, args_seq, held });
            }
            Record::Commit(commit) => self.commit(commit, identity, folds, entry, id)?,
            Record::Failure(failure) => self.failure(failure, identity, entry, id)?,
            Record::Rejection(rejection) => match &**rejection {
                Rejection::Refused(proposal) => {
                    self.proposal(proposal, identity, entry)?;
                    if !matches!(proposal.decision.status, Status::Rejected(_)) {
                        return Err(FaultKind::Status { expected: "rejected" });
                    }
                }
                _ if self.ended.is_some() => return Err(FaultKind::AfterEnd),
                Rejection::Abandoned { by, intent } => {
                    if self.resumed != Some(*by) || !self.unanswered.contains(intent) {
                        return Err(FaultKind::Misplaced);
                    }
                    self.answered(intent);
                }
                Rejection::NotAttempted { intent, .. } => self.answered(intent),
            },
            Record::PendingApproval(pending) => {
                let earlier = self.proposal(&pending.proposal, identity, entry)?;
                if !matches!(pending.proposal.decision.status, Status::Suspended { .. }) {
                    return Err(FaultKind::Status { expected: "suspended" });
                }
                if pending.proposal.resolved.is_none() {
                    return Err(FaultKind::Proposal);
                }
                let args_seq = self.args_seq(whole, entry, &pending.proposal.intent.args);
                self.requests.asked((id, seq), args_seq, (**pending).clone(), earlier);
            }
            Record::Vote(vote) => {
                self.requests.check_vote(vote, self.cursor.state(), entry.header.time_ms)?;
                self.requests.voted(id, (**vote).clone());
            }
            Record::ApprovalOutcome(ended) => self.end_request(ended, entry.header.time_ms)?,
            Record::InDoubtResolution(resolution) => self.resolution(resolution, seq, id)?,
            Record::Compensation(record) => self.present(record, seq)?,
            Record::CompensationHalt if self.undoing.presented.is_empty() => return Err(UndoFault::NotBegun.into()),
            Record::Erasure(erasure) => {
                for erased in &erasure.blobs {
                    self.missing.remove(&erased.commitment);
                    self.erased += 1;
                }
            }
            Record::Resumed(resumed) => {
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
            Record::Routing(outcome) => {
                if outcome.turn != entry.header.parent || self.turn_seq.saturating_add(1) != seq {
                    return Err(FaultKind::Misplaced);
                }
            }
            Record::Skill(bound) => self.bind(bound, seq)?,
            Record::Terminated(end) => {
                self.requests.check_over()?;
                self.children.check_over()?;
                if end.spent != self.spent {
                    return Err(FaultKind::Spent);
                }
                (self.ended, self.withdrawn) = (Some(end.reason), false);
                let Terminated { answer, reason, spent, .. } = **end;
                self.returned = Some(Returned { answer, head: id, reason, seq, spent });
            }
            Record::Aside | Record::CompensationHalt => {}
            Record::Foreign => return Err(FaultKind::Misplaced),
        }
        Ok(())
    }
}

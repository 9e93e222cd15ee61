use std::collections::HashMap;

use super::purse::{Movement, Purse};
use crate::{
    canon::{BusinessKeyHash, EntryId, ProposalId, TrajectoryId, WritId},
    commit::{Commit, Origin},
    intent::IntentRecord,
    ledger::{
        Entry, EntryError, Head, Kind, Position,
        record::{Failure, HappenedVerdict, Outcome, Rejection, WhatHappened},
        register::ProposalState,
    },
    proposal::{Claim, ClaimState, Proposal},
    replay::{FaultKind, record::Record, whole::Whole},
    writ::Amounts,
};

/// One trajectory as it goes by in the log of the whole store. What its entries say was checked when it was replayed by
/// itself; here counts what they do to what all trajectories share.
pub(super) struct Lane {
    trajectory: TrajectoryId,
    /// What it uses of its own chain's accounts first, then of each chain that was presented to undo what it did.
    pub(super) purses: Vec<Purse>,
    /// How many entries went by.
    pub(super) entries: u64,
    /// The last of them, and its position.
    pub(super) last: (EntryId, Position),
    turn: Amounts,
    /// The requests for approval that wait.
    pub(super) waiting: Vec<Waiting>,
    open: HashMap<EntryId, Open>,
    /// Whether its last entry took the run up again.
    resumed: bool,
}

/// A request for approval that waits.
pub(super) struct Waiting {
    request: EntryId,
    intent: IntentRecord,
    pub(super) seq: u64,
    pub(super) proposal: ProposalId,
}

/// A dispatch that nothing is known of yet.
struct Open {
    seq: u64,
    /// The failure that left it in doubt.
    failed: Option<u64>,
    held: Amounts,
    proposal: ProposalId,
    key: Option<BusinessKeyHash>,
    writ: WritId,
    compensates: Option<EntryId>,
}

/// What an entry does to what all trajectories share.
#[derive(Default)]
pub(super) struct Step {
    /// The balances that a decision in it was made on.
    pub(super) balances: Option<Vec<Amounts>>,
    /// The writ that it is under, where it may be one that was presented.
    pub(super) writ: Option<WritId>,
    /// What it does to the accounts of that chain.
    pub(super) movement: Movement,
    /// What it makes of a proposal and of a business key, for good.
    pub(super) settled: Settled,
}

/// What became of a proposal, and of the business key that it has.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) outcome: Option<(ProposalId, ProposalState)>,
    /// Whether the register of the outcome may be absent: the proposal was not dispatched, and cannot come again.
    pub(super) optional: bool,
    pub(super) claim: Option<(BusinessKeyHash, Claim)>,
    /// What it undid, or is about to.
    pub(super) compensated: Option<(EntryId, Claim)>,
}

impl Lane {
    /// `purses` are those of its own chain and of those that were presented, in this order.
    pub(super) fn new(trajectory: TrajectoryId, purses: Vec<Purse>) -> Self {
        Self {
            trajectory,
            purses,
            entries: 0,
            last: (EntryId::ZERO, Position::default()),
            turn: Amounts::ZERO,
            waiting: Vec::new(),
            open: HashMap::new(),
            resumed: false,
        }
    }

    /// Checks that an entry is whole and follows, and says what it does.
    pub(super) fn push(
        &mut self,
        position: Position,
        entry: &Entry,
        whole: &Result<Whole, EntryError>,
    ) -> Result<Step, FaultKind> {
        let header = &entry.header;
        if header.seq != self.entries {
            return Err(FaultKind::Seq { expected: self.entries });
        }
        if header.parent != self.last.0 {
            return Err(FaultKind::Parent);
        }
        let whole = whole.as_ref().map_err(EntryError::clone)?;
        let id = whole.id;
        let step = self.step(header.seq, id, whole.record.as_ref().map_err(EntryError::clone)?);
        if let Some(purse) = self.purse(step.writ) {
            purse.moved(&step.movement);
        }
        self.entries += 1;
        self.last = (id, position);
        self.resumed = header.known_kind() == Some(Kind::Resumed);
        Ok(step)
    }

    /// What it uses under a writ: its own, unless that one was presented.
    pub(super) fn purse(&mut self, writ: Option<WritId>) -> Option<&mut Purse> {
        let at = self.purses.iter().position(|purse| purse.presented.is_some() && purse.presented == writ);
        self.purses.get_mut(at.unwrap_or(0))
    }

    /// Its last entry.
    pub(super) fn head(&self) -> Head {
        let (id, position) = self.last;
        Head { seq: self.entries.saturating_sub(1), id, position }
    }

    fn step(&mut self, seq: u64, id: EntryId, record: &Record) -> Step {
        let mut step = Step::default();
        if let Some(decided) = record.proposal() {
            step.writ = Some(decided.writ);
            self.waiting.retain(|waiting| waiting.intent != decided.intent);
        }
        match record {
            Record::TurnStart(start) => {
                self.turn = start.reserved;
                step.movement.reserved = self.turn;
            }
            Record::Turn(turn) => {
                step.movement.returned = std::mem::take(&mut self.turn);
                step.movement.cost = turn.usage;
            }
            Record::Resumed(resumed) => {
                step.movement.returned = std::mem::take(&mut self.turn);
                step.movement.cost = resumed.debited;
            }
            Record::Rejection(rejection) => {
                if let Rejection::Refused(proposal) = &**rejection {
                    step.balances = Some(proposal.decision.balances.clone());
                }
            }
            Record::PendingApproval(pending) => {
                let Proposal { decision, intent, resolved, .. } = &*pending.proposal;
                step.balances = Some(decision.balances.clone());
                let proposal = resolved.map_or(ProposalId::ZERO, |resolved| resolved.id);
                self.waiting.push(Waiting { request: id, intent: intent.clone(), seq, proposal });
            }
            Record::ApprovalOutcome(ended) if ended.outcome != Outcome::Approved => {
                self.waiting.retain(|waiting| waiting.request != ended.pending);
            }
            Record::Dispatch(dispatch) => {
                let (proposal, reserved) = (&dispatch.proposal, dispatch.reserved);
                let open = Open {
                    seq,
                    failed: None,
                    held: reserved,
                    proposal: proposal.resolved.map_or(ProposalId::ZERO, |resolved| resolved.id),
                    key: proposal.decision.quote.as_ref().and_then(|quote| quote.key),
                    writ: proposal.writ,
                    compensates: dispatch.compensates,
                };
                self.open.insert(id, open);
                step.balances = Some(proposal.decision.balances.clone());
                step.movement.reserved = reserved;
            }
            Record::Delegation(delegated) => {
                let cost = record.proposal().and_then(|proposal| proposal.decision.quote.as_ref());
                let cost = cost.map_or(Amounts::ZERO, |quote| quote.cost);
                self.outcome(&mut step, seq, cost, &delegated.origin, WhatHappened::None);
            }
            Record::Commit(commit) => {
                let Commit { compensates, cost, origin, .. } = &**commit;
                self.outcome(&mut step, seq, *cost, origin, WhatHappened::Happened);
                step.settled.compensated = compensates.map(|undone| (undone, self.claim(ClaimState::Done, seq)));
            }
            Record::Failure(failure) => {
                let Failure { cost, origin, effect, .. } = &**failure;
                let at_once = matches!(origin, Origin::Proposal(_));
                self.outcome(&mut step, seq, *cost, origin, *effect);
                if at_once && self.resumed {
                    // It may be of a call before, which the ledger would not take: decided then, and reserved then.
                    step.balances = None;
                    step.movement = Movement { cost: *cost, ..Movement::default() };
                }
            }
            Record::InDoubtResolution(resolution) => {
                step.movement.cost = resolution.cost;
                if let Some(open) = self.open.remove(&resolution.dispatch) {
                    step.writ = Some(open.writ);
                    step.movement.returned = open.held;
                    step.settled = self.settled(&open, seq, resolution.verdict == HappenedVerdict::Happened);
                }
            }
            _ => {}
        }
        step
    }

    fn outcome(&mut self, step: &mut Step, seq: u64, cost: Amounts, origin: &Origin, effect: WhatHappened) {
        step.movement.cost = cost;
        match origin {
            Origin::Proposal(proposal) => {
                let Proposal { decision, resolved, .. } = &**proposal;
                let held = decision.quote.as_ref().map_or(Amounts::ZERO, |quote| quote.cost);
                step.movement.reserved = held;
                step.movement.returned = held;
                step.balances = Some(decision.balances.clone());
                let key =
                    decision.quote.as_ref().and_then(|quote| quote.key).filter(|_| effect == WhatHappened::Happened);
                step.settled = Settled {
                    outcome: resolved.map(|resolved| (resolved.id, ProposalState::Concluded { seq })),
                    optional: true,
                    claim: key.map(|key| (key, self.claim(ClaimState::Done, seq))),
                    compensated: None,
                };
            }
            Origin::Dispatch(dispatch) => {
                let Some(mut open) = self.open.remove(dispatch) else { return };
                step.writ = Some(open.writ);
                step.movement.returned = std::mem::take(&mut open.held);
                match effect {
                    WhatHappened::Unknown => {
                        open.failed = Some(seq);
                        self.open.insert(*dispatch, open);
                    }
                    effect => step.settled = self.settled(&open, seq, effect == WhatHappened::Happened),
                }
            }
        }
    }

    fn settled(&self, open: &Open, seq: u64, happened: bool) -> Settled {
        let (key, done) = (open.key.filter(|_| happened), self.claim(ClaimState::Done, seq));
        Settled {
            outcome: Some((open.proposal, ProposalState::Concluded { seq })),
            optional: false,
            claim: key.map(|key| (key, done)),
            compensated: open.compensates.filter(|_| happened).map(|undone| (undone, done)),
        }
    }

    fn claim(&self, state: ClaimState, seq: u64) -> Claim {
        Claim { seq, state, trajectory: self.trajectory }
    }

    /// What there is to be of the effects that are still in doubt when all entries went by.
    pub(super) fn in_doubt(&self) -> impl Iterator<Item = Settled> {
        self.open.values().map(|open| {
            let state = match open.failed {
                Some(seq) => ProposalState::Concluded { seq },
                None => ProposalState::Dispatched { seq: open.seq },
            };
            let claim = self.claim(ClaimState::InDoubt, open.seq);
            Settled {
                outcome: Some((open.proposal, state)),
                optional: false,
                claim: open.key.map(|key| (key, claim)),
                compensated: open.compensates.map(|undone| (undone, claim)),
            }
        })
    }
}

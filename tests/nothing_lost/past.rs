//! The model of a run: what its entries say, added up by other code than the kernel's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use openthymos::{
    canon::{BusinessKeyHash, Commitment, EntryId, ProposalId, TrajectoryId, WritId},
    commit::{Commit, DeltaOp, Origin},
    ledger::{
        Entry, Kind, LedgerStore, StoreError, StoredBlob,
        record::{
            Dispatch, Failure, FailureCause, HappenedVerdict, InDoubtResolution, Resumed, RunStart, Turn, TurnStart,
            WhatHappened,
        },
    },
    proposal::{Claim, ClaimState, Proposal},
    writ::Amounts,
};

/// How a dispatch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// Nothing follows it.
    Open,
    /// A failure says that nobody knows.
    Doubtful,
    Happened,
    NotDone,
}

/// A dispatch, and the last entry about it.
#[derive(Debug, Clone)]
pub struct Dispatched {
    pub number: u64,
    pub proposal: ProposalId,
    pub stands: Stands,
    pub seq: u64,
    pub concluded: Option<u64>,
    key: Option<BusinessKeyHash>,
    reserved: Amounts,
}

#[derive(Debug)]
pub struct Past {
    pub run: TrajectoryId,
    pub writs: Vec<WritId>,
    pub spent: Amounts,
    pub held: Amounts,
    pub ended: bool,
    pub dispatches: BTreeMap<EntryId, Dispatched>,
    /// The numbers of calls that had an outcome, but for those of which it was found that nothing came of them.
    pub answered: BTreeSet<u64>,
    /// The resources that commits created.
    pub made: BTreeSet<String>,
    /// Who has which business key.
    pub claims: HashMap<BusinessKeyHash, Claim>,
    turn: Amounts,
    args: HashMap<Commitment, u64>,
}

impl Past {
    pub async fn read(ledger: &dyn LedgerStore, run: &TrajectoryId) -> Result<Self, StoreError> {
        let mut past = Self::new(*run);
        ledger.read(run, 0, usize::MAX).await?.iter().for_each(|entry| past.add(entry));
        Ok(past)
    }

    fn new(run: TrajectoryId) -> Self {
        Self {
            run,
            writs: vec![],
            spent: Amounts::ZERO,
            held: Amounts::ZERO,
            ended: false,
            dispatches: BTreeMap::new(),
            answered: BTreeSet::new(),
            made: BTreeSet::new(),
            claims: HashMap::new(),
            turn: Amounts::ZERO,
            args: HashMap::new(),
        }
    }

    /// The dispatches of which nobody knows, and their numbers.
    pub fn in_doubt(&self) -> Vec<(EntryId, u64)> {
        let unknown = |stands| matches!(stands, Stands::Open | Stands::Doubtful);
        let open = self.dispatches.iter().filter(|(_, dispatched)| unknown(dispatched.stands));
        open.map(|(id, dispatched)| (*id, dispatched.number)).collect()
    }

    fn number(&self, proposal: &Proposal) -> u64 {
        self.args[&proposal.intent.args]
    }

    fn spend(&mut self, cost: &Amounts) {
        self.spent = self.spent.plus(cost);
    }

    fn add(&mut self, entry: &Entry) {
        for blob in &entry.blobs {
            if let StoredBlob::Present(blob) = blob
                && let Some(number) = blob.value().ok().and_then(|value| value.get("amount")?.as_u64())
            {
                self.args.insert(blob.commitment(), number);
            }
        }
        match entry.header.known_kind() {
            Some(Kind::Root) => {
                let chain = entry.body::<RunStart>().unwrap().chain;
                self.writs = chain.iter().map(|signed| signed.writ.id().unwrap()).collect();
            }
            Some(Kind::TurnStart) => self.turn = entry.body::<TurnStart>().unwrap().reserved,
            Some(Kind::Turn) => {
                self.turn = Amounts::ZERO;
                self.spend(&entry.body::<Turn>().unwrap().usage);
            }
            Some(Kind::Resumed) => {
                self.turn = Amounts::ZERO;
                self.spend(&entry.body::<Resumed>().unwrap().debited);
            }
            Some(Kind::Dispatch) => self.dispatch(entry),
            Some(Kind::Commit) => {
                let commit: Commit = entry.body().unwrap();
                self.spend(&commit.cost);
                self.made.extend(commit.delta.iter().filter_map(|op| match op {
                    DeltaOp::Create { resource, .. } => Some(resource.id().to_owned()),
                    _ => None,
                }));
                self.conclude(&commit.origin, entry.header.seq, Stands::Happened);
            }
            Some(Kind::Failure) => {
                let failure: Failure = entry.body().unwrap();
                self.spend(&failure.cost);
                let stands = match failure.effect {
                    WhatHappened::None => Stands::NotDone,
                    WhatHappened::Happened => Stands::Happened,
                    WhatHappened::Unknown => Stands::Doubtful,
                };
                let number = self.conclude(&failure.origin, entry.header.seq, stands);
                if failure.cause == FailureCause::CommitFailed && failure.effect == WhatHappened::None {
                    self.answered.remove(&number);
                }
            }
            Some(Kind::InDoubtResolution) => {
                let settled: InDoubtResolution = entry.body().unwrap();
                self.spend(&settled.cost);
                let stands = match settled.verdict {
                    HappenedVerdict::Happened => Stands::Happened,
                    HappenedVerdict::NotDone => Stands::NotDone,
                };
                let number = self.conclude(&Origin::Dispatch(settled.dispatch), entry.header.seq, stands);
                if stands == Stands::NotDone {
                    self.answered.remove(&number);
                }
            }
            Some(Kind::Terminated) => self.ended = true,
            _ => {}
        }
        let open = self.dispatches.values().filter(|dispatched| dispatched.stands == Stands::Open);
        self.held = open.fold(self.turn, |sum, dispatched| sum.plus(&dispatched.reserved));
    }

    fn dispatch(&mut self, entry: &Entry) {
        let Dispatch { proposal, reserved, .. } = entry.body().unwrap();
        let (number, key) = (self.number(&proposal), proposal.decision.quote.as_ref().unwrap().key);
        let (proposal, seq) = (proposal.resolved.unwrap().id, entry.header.seq);
        if let Some(key) = key {
            self.claims.insert(key, Claim { seq, state: ClaimState::InDoubt, trajectory: self.run });
        }
        let dispatched = Dispatched { number, proposal, stands: Stands::Open, seq, concluded: None, key, reserved };
        self.dispatches.insert(entry.id(), dispatched);
    }

    fn conclude(&mut self, origin: &Origin, seq: u64, stands: Stands) -> u64 {
        let (number, key) = match origin {
            Origin::Proposal(proposal) => {
                let key = proposal.decision.quote.as_ref().unwrap().key;
                (self.number(proposal), key.filter(|_| stands == Stands::Happened))
            }
            Origin::Dispatch(id) => {
                let dispatched = self.dispatches.get_mut(id).unwrap();
                (dispatched.stands, dispatched.concluded) = (stands, Some(seq));
                (dispatched.number, dispatched.key)
            }
        };
        self.answered.insert(number);
        let Some(key) = key else { return number };
        match stands {
            Stands::Happened => {
                self.claims.insert(key, Claim { seq, state: ClaimState::Done, trajectory: self.run });
            }
            Stands::NotDone => {
                self.claims.remove(&key);
            }
            Stands::Open | Stands::Doubtful => {}
        }
        number
    }
}

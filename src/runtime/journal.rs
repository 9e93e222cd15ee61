//! One trajectory's end: where the next entry goes.

use serde_json::Value;

use super::{
    accounts::{self, Tenure},
    authority::expect_epoch,
    children::Ending,
    core::{Core, Place, Placed},
    delegation::Lineage,
    doubt::Doubt,
    error::RunError,
    in_force::InForce,
    snapshots::Snapshots,
    unrecorded::Unrecorded,
};
use crate::{
    approval::{Request, Requests},
    canon::{Bytes, EntryId, TrajectoryId, WritId},
    delegation::Children,
    ledger::{Batch, Draft, Kind, RegisterKey, RegisterOp, StoreError, register::Account},
    world::World,
    writ::{Amounts, BoundSkill, WritChain},
};

/// How often an entry is signed again because the authority changes while it is stored.
const ATTEMPTS: usize = 64;

/// A chain that the entries of a run may be decided under, and what was used under it.
pub(crate) struct Standing {
    pub(crate) chain: WritChain,
    /// Its last writ, where it was presented to undo what the run did; none for the run's own.
    pub(crate) presented: Option<WritId>,
    pub(crate) used: Account,
    /// What the registers have of it.
    pub(crate) recorded: Account,
    pub(crate) tenure: Tenure,
}

fn on_record(used: &Account) -> Amounts {
    used.spent.plus(&used.held)
}

/// A run's state: the fold of its entries, and its place in the ledger.
pub(crate) struct Journal {
    pub(crate) trajectory: TrajectoryId,
    /// What its entries are decided under at the moment: the run's own chain, or one that was presented to undo what it did.
    pub(crate) chain: WritChain,
    /// The last writ of that chain, where it was presented.
    pub(crate) presented: Option<WritId>,
    /// The other chains, with what was used under each.
    pub(crate) aside: Vec<Standing>,
    pub(crate) world: World,
    pub(crate) base_seq: u64,
    pub(crate) next_seq: u64,
    pub(crate) head: EntryId,
    pub(crate) used: Account,
    /// What the registers have of it.
    pub(crate) recorded: Account,
    /// The right to use the accounts.
    pub(crate) tenure: Tenure,
    pub(crate) steps: u64,
    /// Effects of this run of which nobody knows whether they happened.
    pub(crate) doubts: Vec<Doubt>,
    /// The requests for approval that wait, and what was denied.
    pub(crate) requests: Requests,
    /// The runs that this one started.
    pub(crate) children: Children,
    pub(super) lineage: Lineage,
    /// The arguments of what was denied, in order, as far as they were asked for; none where they are erased.
    pub(crate) denied_args: Vec<Option<Value>>,
    /// The skills that the run is bound to.
    pub(crate) skills: Vec<BoundSkill>,
    /// The turn without an outcome, and what is held for it.
    pub(crate) open_turn: Option<(EntryId, Amounts)>,
    pub(crate) ended: bool,
    /// How it ended, where this handle recorded it.
    pub(super) ending: Option<Box<Ending>>,
    /// Set when the ledger may hold something that this state does not.
    pub(crate) stale: bool,
    /// What the ledger would not take, though a tool had returned.
    pub(crate) unrecorded: Option<Unrecorded>,
    pub(crate) snapshots: Snapshots,
}

impl Journal {
    /// The journal of a run that has its first entry and no other.
    pub(crate) fn new(trajectory: TrajectoryId, chain: WritChain, head: EntryId, tenure: Tenure) -> Self {
        Self {
            trajectory,
            chain,
            presented: None,
            aside: Vec::new(),
            world: World::default(),
            base_seq: 0,
            next_seq: 1,
            head,
            used: Account::default(),
            recorded: Account::default(),
            tenure,
            steps: 0,
            doubts: Vec::new(),
            requests: Requests::default(),
            children: Children::default(),
            lineage: Lineage::top(trajectory),
            denied_args: Vec::new(),
            skills: Vec::new(),
            open_turn: None,
            ended: false,
            ending: None,
            stale: false,
            unrecorded: None,
            snapshots: Snapshots::default(),
        }
    }

    /// Whether a request for approval asks for a call under the chain of the moment.
    pub(crate) fn has_asked(&self, request: &Request) -> bool {
        request.pending.proposal.writ == self.chain.id()
    }

    /// Whether more may be recorded.
    pub(crate) fn check_open(&self) -> Result<(), RunError> {
        // What a run did may be undone after its end.
        match (self.ended && self.presented.is_none(), self.stale) {
            (true, _) => Err(RunError::Ended),
            (_, true) => Err(RunError::Stale),
            _ => Ok(()),
        }
    }

    /// Whether a request may be voted on: after the end of the run, when it is one of an undo.
    pub(crate) fn check_votable(&self, request: &EntryId) -> Result<(), RunError> {
        match self.requests.get(request) {
            Ok(request) if !self.stale && !self.has_asked(request) => Ok(()),
            _ => self.check_open(),
        }
    }

    /// Signs and appends one entry; on success it is durable and the state has moved on.
    ///
    /// It is stored only while `authority` is the last epoch. What was decided in that epoch says so in `registers`, and
    /// fails with it; anything else is signed again in the epoch that follows.
    pub(crate) async fn append(
        &mut self,
        core: &Core,
        authority: &InForce,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        self.check_open()?;
        self.append_even_after_the_end(core, authority, draft, registers).await
    }

    /// As [`append`](Self::append), also to a run that has ended: a doubt may be settled later.
    pub(crate) async fn append_even_after_the_end(
        &mut self,
        core: &Core,
        authority: &InForce,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        if self.stale {
            return Err(RunError::Stale);
        }
        let epoch_key = RegisterKey::epoch();
        if registers.iter().any(|op| matches!(op, RegisterOp::Expect { key, .. } if *key == epoch_key)) {
            return Box::pin(self.append_in(core, authority, draft, registers)).await;
        }
        Box::pin(self.append_in_any(core, authority.clone(), draft, registers)).await
    }

    /// Appends in an epoch, or in one that follows it.
    async fn append_in_any(
        &mut self,
        core: &Core,
        mut epoch: InForce,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        let epoch_key = RegisterKey::epoch();
        for _ in 0..ATTEMPTS {
            let mut registers = registers.clone();
            registers.push(expect_epoch(&epoch));
            match self.append_in(core, &epoch, draft.clone(), registers).await {
                Err(RunError::Store(StoreError::RegisterChanged { key })) if key == epoch_key => {
                    epoch = core.authority.after(core, &epoch).await?;
                }
                done => return done,
            }
        }
        Err(RunError::Stale)
    }

    /// Signs and appends one entry in an epoch.
    async fn append_in(
        &mut self,
        core: &Core,
        epoch: &InForce,
        draft: Draft,
        registers: Vec<RegisterOp>,
    ) -> Result<EntryId, RunError> {
        let place = self.place(epoch, core.now(epoch).judged_ms);
        let (kind, record) = (draft.kind, draft.record.clone());
        let recorded = recorded(&registers);
        let placed = Placed::of(core.store_id, epoch.signing()?, place, draft);
        let id = placed.id;
        let entries = vec![placed.signed().await?];
        match core.store.append(Batch { entries, registers }).await {
            Ok(_) => {
                self.head = id;
                self.next_seq += 1;
                self.recorded = recorded.unwrap_or(self.recorded);
                self.stored(core, kind, &record);
                Ok(id)
            }
            Err(error) => Err(self.not_stored(error)),
        }
    }

    /// An entry of this trajectory was stored in a batch with others, and accounts beside it.
    pub(super) fn took(&mut self, core: &Core, id: EntryId, (kind, record): (Kind, &Bytes)) {
        self.head = id;
        self.next_seq += 1;
        self.recorded = self.used;
        self.stored(core, kind, record);
    }

    /// Where the next entry goes.
    pub(super) fn place(&self, epoch: &InForce, time_ms: u64) -> Place {
        Place {
            trajectory: self.trajectory,
            seq: self.next_seq,
            parent: self.head,
            authority: epoch.epoch,
            base_seq: self.base_seq,
            time_ms,
        }
    }

    /// Signs and appends entries at a time in an epoch, all or none. `next` gives each with what it does to registers; it is told
    /// the id of the one before. Returns the id of the last.
    pub(crate) async fn append_together(
        &mut self,
        core: &Core,
        (epoch, time_ms): (&InForce, u64),
        mut registers: Vec<RegisterOp>,
        mut next: impl FnMut(Option<EntryId>) -> Result<Option<(Draft, Vec<RegisterOp>)>, RunError>,
    ) -> Result<EntryId, RunError> {
        if self.stale {
            return Err(RunError::Stale);
        }
        let (store, signer, mut place) = (core.store_id, epoch.signing()?, self.place(epoch, time_ms));
        let (mut placed, mut last, mut stored) = (Vec::new(), None, Vec::new());
        while let Some((draft, also)) = next(last)? {
            registers.extend(also);
            let (kind, record) = (draft.kind, draft.record.clone());
            let entry = Placed::of(store, signer, place, draft);
            stored.push((entry.id, kind, record));
            (last, place.parent) = (Some(entry.id), entry.id);
            place.seq = place.seq.saturating_add(1);
            placed.push(entry);
        }
        let mut entries = Vec::with_capacity(placed.len());
        for entry in placed {
            entries.push(entry.signed().await?);
        }
        let recorded = recorded(&registers);
        match core.store.append(Batch { entries, registers }).await {
            Ok(_) => {
                self.recorded = recorded.unwrap_or(self.recorded);
                for (id, kind, record) in stored {
                    (self.head, self.next_seq) = (id, self.next_seq.saturating_add(1));
                    self.stored(core, kind, &record);
                }
                Ok(self.head)
            }
            Err(error) => Err(self.not_stored(error)),
        }
    }

    /// Appends an entry and, in the same batch, one that follows it and names it, in whatever epoch is the last. Returns the id of the
    /// first.
    pub(crate) async fn append_followed(
        &mut self,
        core: &Core,
        draft: Draft,
        registers: Vec<RegisterOp>,
        follows: impl Fn(EntryId) -> Result<Draft, RunError>,
    ) -> Result<EntryId, RunError> {
        self.check_open()?;
        let mut epoch = core.authority.state();
        for _ in 0..ATTEMPTS {
            let (mut first, mut id) = (Some((draft.clone(), registers.clone())), None);
            let next = |before: Option<EntryId>| match before {
                None => Ok(first.take()),
                Some(before) if id.is_none() => {
                    id = Some(before);
                    follows(before).map(|draft| Some((draft, vec![])))
                }
                Some(_) => Ok(None),
            };
            let at_ms = core.now(&epoch).judged_ms;
            match self.append_together(core, (&epoch, at_ms), vec![expect_epoch(&epoch)], next).await {
                Err(RunError::Store(StoreError::RegisterChanged { key })) if key == RegisterKey::epoch() => {
                    epoch = core.authority.after(core, &epoch).await?;
                }
                appended => return appended.map(|last| id.unwrap_or(last)),
            }
        }
        Err(RunError::Stale)
    }

    /// What an entry that was not stored leaves: a changed register leaves the trajectory as it was; anything else may not have.
    pub(super) fn not_stored(&mut self, error: StoreError) -> RunError {
        self.stale |= !matches!(error, StoreError::RegisterChanged { .. });
        error.into()
    }

    /// The register of the request at this seq, which does not wait any more.
    pub(crate) fn answered(&self, request: Option<u64>) -> Option<RegisterOp> {
        request.map(|seq| RegisterOp::Set { key: RegisterKey::request(&self.trajectory, seq), value: None })
    }

    /// Takes the accounts over from whatever handle had the run before.
    pub(crate) fn open_accounts(&mut self, core: &Core) {
        self.tenure = core.accounts.open((self.trajectory, self.presented), &self.chain, on_record(&self.used));
        for other in &mut self.aside {
            let holder = (self.trajectory, other.presented);
            other.tenure = core.accounts.open(holder, &other.chain, on_record(&other.used));
        }
    }

    /// Leaves the accounts as the ledger has them.
    pub(crate) fn leave_accounts(&self, core: &Core) {
        core.accounts.leave(self.tenure, &self.chain, on_record(&self.used), self.ended);
        for other in &self.aside {
            core.accounts.leave(other.tenure, &other.chain, on_record(&other.used), self.ended);
        }
    }

    /// From now on entries are decided under another chain: one that was presented, or, for `None`, the run's own. Returns which
    /// it was.
    pub(crate) fn stand_under(&mut self, presented: Option<WritId>) -> Option<WritId> {
        let before = self.presented;
        if let Some(other) = self.aside.iter_mut().find(|other| other.presented == presented) {
            std::mem::swap(&mut self.chain, &mut other.chain);
            std::mem::swap(&mut self.presented, &mut other.presented);
            std::mem::swap(&mut self.used, &mut other.used);
            std::mem::swap(&mut self.recorded, &mut other.recorded);
            std::mem::swap(&mut self.tenure, &mut other.tenure);
        }
        before
    }

    /// Holds `amount` on every account of the chain, or on none. Returns what was left before either way.
    pub(crate) fn reserve(&self, core: &Core, amount: &Amounts) -> (Vec<Amounts>, bool) {
        core.accounts.reserve(self.tenure, &self.chain, amount)
    }

    /// Gives back what was held on the accounts.
    pub(crate) fn release(&self, core: &Core, held: &Amounts) {
        core.accounts.release(self.tenure, &self.chain, held);
    }

    /// Turns what was held on the accounts into what was spent.
    pub(crate) fn settle(&self, core: &Core, held: &Amounts, spent: &Amounts) {
        core.accounts.settle(self.tenure, &self.chain, held, spent);
    }

    /// The registers of this trajectory's accounts, as they shall be.
    pub(crate) fn account(&self) -> Vec<RegisterOp> {
        accounts::registers(self.recorded, self.used, &self.chain, &(self.trajectory, self.presented))
    }

    /// The seq of the last entry.
    pub(crate) fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }
}

/// The run's account as these operations leave it, where they do anything to it.
fn recorded(registers: &[RegisterOp]) -> Option<Account> {
    registers.iter().find_map(|op| match op {
        RegisterOp::Add { after, .. } => Some(*after),
        _ => None,
    })
}

use std::{collections::HashMap, sync::Arc};

use super::{Fault, FaultKind, ReplayError, fault::at, rederive::Definitions};
use crate::{
    canon::{ContractHash, EntryId, StoreId, TrajectoryId},
    contract::Contract,
    ledger::{
        AuthorityState, Entry, Kind, LedgerStore, Position, Register, RegisterKey, StoreError,
        record::{ContractRecord, KeyRotation, RunOpened},
        register::{Epoch, seq_of},
    },
};

/// Checked authority entries of one store: every one that opened an epoch, and those others that a run refers to.
#[derive(Debug, Clone)]
pub struct AuthorityLog {
    store: StoreId,
    trajectory: TrajectoryId,
    epochs: Vec<Entry>,
    others: Vec<Entry>,
    state: AuthorityState,
    contracts: HashMap<ContractHash, Contract>,
    opened: HashMap<TrajectoryId, RunOpened>,
    unknown: Vec<String>,
    /// Whether entries that opened no epoch are kept too.
    whole: bool,
    time_ms: u64,
    /// What decisions were made by, made ready to make them again.
    definitions: Arc<Definitions>,
}

impl AuthorityLog {
    /// Checks authority entries: hashes, signatures, the unbroken line of epochs from the genesis on, and that each has
    /// force.
    ///
    /// # Errors
    /// The first entry that does not hold.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, ReplayError> {
        entries.sort_by_key(|entry| entry.header.seq);
        let genesis = entries.first().ok_or(ReplayError::Empty)?;
        let mut log = Self { whole: true, ..Self::beginning(genesis)? };
        let mut before = None;
        for entry in entries {
            if let Err(reason) = follows(&entry, before).and_then(|()| log.push(&entry)) {
                return Err(at(&entry, reason).into());
            }
            before = Some((entry.header.seq, entry.id()));
        }
        Ok(log)
    }

    /// A log without entries, of the store that `genesis` begins. It keeps what opens epochs, and of others what they say.
    pub(super) fn beginning(genesis: &Entry) -> Result<Self, ReplayError> {
        if genesis.header.known_kind() != Some(Kind::Genesis) || genesis.header.seq != 0 {
            return Err(at(genesis, FaultKind::Force(crate::ledger::AuthorityError::Genesis)).into());
        }
        let store = AuthorityState::store_id(&genesis.record);
        Ok(Self {
            store,
            trajectory: AuthorityState::trajectory(store),
            epochs: Vec::new(),
            others: Vec::new(),
            state: AuthorityState::default(),
            contracts: HashMap::new(),
            opened: HashMap::new(),
            unknown: Vec::new(),
            whole: false,
            time_ms: 0,
            definitions: Arc::default(),
        })
    }

    /// Checks the next entry, but not how it is linked.
    pub(super) fn push(&mut self, entry: &Entry) -> Result<(), FaultKind> {
        let header = &entry.header;
        if header.store != self.store {
            return Err(FaultKind::Store);
        }
        if header.trajectory != self.trajectory {
            return Err(FaultKind::Trajectory);
        }
        entry.check()?;
        if !header.is_authority() {
            return Err(FaultKind::Misplaced);
        }
        if (header.authority, header.base_seq) != (self.state.epoch, self.state.epoch_seq) {
            return Err(FaultKind::Authority(header.authority));
        }
        // A reset says itself which time it begins with.
        if header.time_ms < self.time_ms && header.known_kind() != Some(Kind::ClockReset) {
            return Err(FaultKind::Time);
        }
        self.time_ms = header.time_ms;
        let Some(kind) = header.known_kind() else {
            check_signature(entry, &self.state)?;
            self.unknown.push(format!("authority entry {} is of unknown kind {}", header.seq, header.kind));
            self.keep(entry);
            return Ok(());
        };
        if kind == Kind::Genesis {
            self.state.apply(entry)?;
            check_signature(entry, &self.state)?;
            self.epochs.push(entry.clone());
            return Ok(());
        }
        if kind == Kind::KeyRotation && entry.body::<KeyRotation>()?.is_sealed_by_the_new_key() {
            self.state.apply(entry)?;
            check_signature(entry, &self.state)?;
            self.epochs.push(entry.clone());
            return Ok(());
        }
        check_signature(entry, &self.state)?;
        if kind.opens_epoch() {
            self.state.apply(entry)?;
            self.epochs.push(entry.clone());
            return Ok(());
        }
        match kind {
            Kind::Contract => {
                let record: ContractRecord = entry.body()?;
                let hash = record.definition.hash().map_err(crate::ledger::AuthorityError::from)?;
                if hash != record.hash {
                    return Err(FaultKind::Force(crate::ledger::AuthorityError::Definition));
                }
                self.contracts.insert(hash, record.definition);
            }
            Kind::RunOpened => {
                let opened: RunOpened = entry.body()?;
                if self.opened.insert(opened.trajectory, opened).is_some() {
                    return Err(FaultKind::Misplaced);
                }
            }
            _ => {}
        }
        self.keep(entry);
        Ok(())
    }

    fn keep(&mut self, entry: &Entry) {
        if self.whole {
            self.others.push(entry.clone());
        }
    }

    /// The store.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// The store's authority trajectory.
    pub fn trajectory(&self) -> TrajectoryId {
        self.trajectory
    }

    /// The authority as it stands after the last entry.
    pub fn state(&self) -> &AuthorityState {
        &self.state
    }

    /// The entries, by seq.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.epochs.iter().chain(&self.others).collect();
        entries.sort_by_key(|entry| entry.header.seq);
        entries
    }

    /// The entries that opened epochs, in order.
    pub fn epochs(&self) -> &[Entry] {
        &self.epochs
    }

    /// Entries of kinds that this build does not know: they make every verification incomplete.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// A recorded contract.
    pub fn contract(&self, hash: &ContractHash) -> Option<&Contract> {
        self.contracts.get(hash)
    }

    /// All recorded contracts, by name and version.
    pub(super) fn contracts(&self) -> Vec<&Contract> {
        let mut contracts: Vec<_> = self.contracts.iter().collect();
        contracts.sort_by(|(hash, one), (of, other)| {
            (&one.name, &one.version, hash).cmp(&(&other.name, &other.version, of))
        });
        contracts.into_iter().map(|(_, contract)| contract).collect()
    }

    pub(super) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// How a run was opened.
    pub fn opened(&self, trajectory: &TrajectoryId) -> Option<&RunOpened> {
        self.opened.get(trajectory)
    }
}

/// Checks that no entry is there twice, and that neighbours are linked. Between others are those that no run refers to.
fn follows(entry: &Entry, before: Option<(u64, EntryId)>) -> Result<(), FaultKind> {
    let header = &entry.header;
    match before {
        Some((seq, _)) if header.seq <= seq => Err(FaultKind::Seq { expected: seq.saturating_add(1) }),
        Some((seq, id)) if header.seq - seq == 1 && header.parent != id => Err(FaultKind::Parent),
        None if header.parent != EntryId::ZERO => Err(FaultKind::Parent),
        _ => Ok(()),
    }
}

/// Checks an entry's signature against the runtime's keys; in a store that is run unsigned there is none.
pub(super) fn check_signature(entry: &Entry, authority: &AuthorityState) -> Result<(), FaultKind> {
    if authority.runtime_keys.is_empty() {
        let unsigned = entry.header.signer == crate::canon::KeyId::ZERO && entry.signature.is_none();
        return if unsigned { Ok(()) } else { Err(FaultKind::Signer(entry.header.signer)) };
    }
    let key = authority.signing_key(&entry.header.signer).ok_or(FaultKind::Signer(entry.header.signer))?;
    Ok(entry.check_signature(&key.key)?)
}

/// The authority as it stood when an entry was written, moved on from entry to entry.
#[derive(Debug)]
pub(super) struct AuthorityCursor {
    state: AuthorityState,
    next: usize,
}

impl AuthorityCursor {
    pub(super) fn new() -> Self {
        Self { state: AuthorityState::default(), next: 0 }
    }

    /// The authority as it stands.
    pub(super) fn state(&self) -> &AuthorityState {
        &self.state
    }

    /// Moves on to the epoch that `id` opened. It never moves back.
    pub(super) fn advance(&mut self, log: &AuthorityLog, id: EntryId) -> Result<&AuthorityState, FaultKind> {
        while self.state.epoch != id {
            let entry = log.epochs.get(self.next).ok_or(FaultKind::Authority(id))?;
            self.state.apply(entry)?;
            self.next += 1;
        }
        Ok(&self.state)
    }
}

/// Which contracts of a store are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Contracts<'a> {
    /// All that were ever recorded.
    All,
    /// These.
    Of(&'a [ContractHash]),
}

/// How many registers are read at a time.
const PAGE: usize = 512;

/// The authority of a store with the opening of `run` and its contracts, all checked.
///
/// It walks the line of epochs backwards, so what it reads does not grow with the number of runs.
///
/// # Errors
/// When the store is empty or fails, or an entry does not hold.
pub async fn authority_of(
    store: &dyn LedgerStore,
    run: Option<&TrajectoryId>,
    contracts: Contracts<'_>,
) -> Result<AuthorityLog, ReplayError> {
    let genesis = store.scan(Position(0), 1).await?.into_iter().next().ok_or(ReplayError::Empty)?.1;
    let trajectory = AuthorityState::trajectory(AuthorityState::store_id(&genesis.record));
    let mut entries = vec![genesis];
    let epoch = store.register(&RegisterKey::epoch()).await?;
    let mut seq = epoch.map(|value| Epoch::from_bytes(&value)).transpose()?.map(|epoch| epoch.seq);
    while let Some(at) = seq.filter(|at| *at > 0) {
        let entry = entry_at(store, &trajectory, at).await?;
        seq = (entry.header.base_seq < at).then_some(entry.header.base_seq);
        entries.push(entry);
    }
    let mut wanted = Vec::new();
    if let Some(run) = run {
        wanted.extend(store.register(&RegisterKey::opened(run)).await?);
    }
    match contracts {
        Contracts::Of(hashes) => {
            for hash in hashes {
                wanted.extend(store.register(&RegisterKey::contract(hash)).await?);
            }
        }
        Contracts::All => {
            let (prefix, mut after) = (RegisterKey::all(Register::Contract), None);
            loop {
                let page = store.registers(prefix.as_bytes(), after.as_ref(), PAGE).await?;
                after = page.last().map(|(key, _)| key.clone());
                let read = page.len();
                wanted.extend(page.into_iter().map(|(_, value)| value));
                if read < PAGE {
                    break;
                }
            }
        }
    }
    for value in wanted {
        entries.push(entry_at(store, &trajectory, seq_of(&value)?).await?);
    }
    entries.sort_by_key(|entry| entry.header.seq);
    entries.dedup_by_key(|entry| entry.header.seq);
    AuthorityLog::new(entries)
}

async fn entry_at(store: &dyn LedgerStore, trajectory: &TrajectoryId, seq: u64) -> Result<Entry, ReplayError> {
    let found = store.read(trajectory, seq, 1).await?.into_iter().next();
    Ok(found.ok_or_else(|| StoreError::Damaged(format!("authority entry {seq} is not there")))?)
}

impl From<Fault> for ReplayError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

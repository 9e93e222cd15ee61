//! A copy of a store that a test changes as somebody could who writes to its file, or holds its key.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use futures::executor::block_on;
use openthymos::{
    canon::{Bytes, EntryId, TrajectoryId, WritId},
    crypto::Purpose,
    ledger::{
        Batch, Entry, Head, LedgerStore, Position, RegisterKey, StoreError,
        register::{Account, Epoch, Register},
    },
    replay::{self, Progress, ReplayError, StoreFault, StorePins, StoreReport},
    writ::Amounts,
};

use crate::common::{RUNTIME, key};

#[derive(Clone)]
pub struct Altered {
    /// What a scan gives.
    pub log: Vec<(u64, Entry)>,
    /// What reading a trajectory gives; the log, where it is absent.
    pub read: Option<Vec<Entry>>,
    pub heads: BTreeMap<TrajectoryId, Head>,
    /// What the list of trajectories gives; the heads, where it is absent.
    pub listed: Option<Vec<(TrajectoryId, Head)>>,
    pub registers: BTreeMap<RegisterKey, Bytes>,
    /// A scan fails from this position on.
    pub unreadable: u64,
}

impl Altered {
    pub fn of(store: &Arc<dyn LedgerStore>) -> Self {
        let log: Vec<_> = block_on(store.scan(Position(0), usize::MAX)).unwrap();
        Self {
            log: log.into_iter().map(|(position, entry)| (position.0, entry)).collect(),
            read: None,
            heads: block_on(store.trajectories(None, usize::MAX)).unwrap().into_iter().collect(),
            listed: None,
            registers: block_on(store.registers(&[], None, usize::MAX)).unwrap().into_iter().collect(),
            unreadable: u64::MAX,
        }
    }

    pub fn verify(&self, pins: StorePins) -> Result<StoreReport, ReplayError> {
        block_on(replay::store(self, pins, |_| {}))
    }

    /// What is found of the runs, with what is found of the whole.
    pub fn told(&self) -> (Vec<(TrajectoryId, bool)>, Result<StoreReport, ReplayError>) {
        let mut runs = Vec::new();
        let tell = |progress: Progress<'_>| {
            if let Progress::Run { run, outcome } = progress {
                runs.push((run, outcome.is_ok()));
            }
        };
        let outcome = block_on(replay::store(self, StorePins::default(), tell));
        (runs, outcome)
    }

    pub fn error(&self) -> ReplayError {
        self.verify(StorePins::default()).expect_err("the change passed")
    }

    /// The fault of the whole store.
    pub fn fault(&self) -> StoreFault {
        match self.error() {
            ReplayError::Whole(fault) => *fault,
            other => panic!("{other}"),
        }
    }

    /// The register that is at fault: its name, what it is to be and what is stored.
    pub fn register(&self) -> (String, Option<String>, Option<String>) {
        match self.fault() {
            StoreFault::Register { register, rebuilt, stored } => (register, rebuilt, stored),
            other => panic!("{other}"),
        }
    }

    pub fn of_class(&self, class: Register) -> Vec<RegisterKey> {
        self.registers.keys().filter(|key| Register::of(key) == Some(class)).cloned().collect()
    }

    pub fn entries(&self, run: &TrajectoryId) -> Vec<(u64, Entry)> {
        self.log.iter().filter(|(_, entry)| entry.header.trajectory == *run).cloned().collect()
    }

    pub fn position(&self, run: &TrajectoryId, seq: u64) -> u64 {
        let at = |(_, entry): &&(u64, Entry)| entry.header.trajectory == *run && entry.header.seq == seq;
        self.log.iter().find(at).unwrap().0
    }

    /// Takes entries out, and the head of their trajectory back; the positions keep their gaps.
    pub fn take_out(&mut self, run: &TrajectoryId, from_seq: u64) {
        self.log.retain(|(_, entry)| entry.header.trajectory != *run || entry.header.seq < from_seq);
        self.heads_anew();
    }

    /// Numbers the positions anew, so that nothing seems to be missing.
    pub fn close_gaps(&mut self) {
        for (at, (position, _)) in (0..).zip(&mut self.log) {
            *position = at;
        }
        self.heads_anew();
    }

    pub fn heads_anew(&mut self) {
        self.heads.clear();
        for (position, entry) in &self.log {
            let head = Head { seq: entry.header.seq, id: entry.id(), position: Position(*position) };
            self.heads.insert(entry.header.trajectory, head);
        }
    }

    /// Changes the records of a run, then chains and signs all of it anew with the runtime's key.
    pub fn forge(&mut self, run: &TrajectoryId, change: impl Fn(u64, String) -> String) {
        let key = key(RUNTIME);
        let (mut parent, mut seq) = (EntryId::ZERO, 0);
        let mut renamed: HashMap<String, String> = HashMap::new();
        for (_, entry) in self.log.iter_mut().filter(|(_, entry)| entry.header.trajectory == *run) {
            let before = entry.id();
            let mut text = change(seq, String::from_utf8(entry.record.to_vec()).unwrap());
            for (old, new) in &renamed {
                text = text.replace(old, new);
            }
            entry.record = text.into_bytes().into();
            entry.header.record = entry.record_hash();
            (entry.header.parent, entry.header.seq) = (parent, seq);
            parent = entry.id();
            entry.signature = Some(key.sign(Purpose::Entry, parent.as_bytes()));
            renamed.insert(before.to_string(), parent.to_string());
            seq += 1;
        }
        self.heads_anew();
    }

    /// Numbers, chains and signs the whole store anew with the runtime's key.
    pub fn seal(&mut self) {
        let (mut heads, mut renamed) = (HashMap::new(), HashMap::new());
        for (_, entry) in &mut self.log {
            let before = entry.id();
            let mut text = String::from_utf8(entry.record.to_vec()).unwrap();
            for (old, new) in &renamed {
                text = text.replace(&EntryId::to_string(old), &EntryId::to_string(new));
            }
            entry.record = text.into_bytes().into();
            entry.header.record = entry.record_hash();
            entry.header.blobs = u32::try_from(entry.blobs.len()).unwrap();
            let (seq, parent) = heads.get(&entry.header.trajectory).copied().unwrap_or((0, EntryId::ZERO));
            (entry.header.seq, entry.header.parent) = (seq, parent);
            if let Some(epoch) = renamed.get(&entry.header.authority) {
                entry.header.authority = *epoch;
            }
            let id = entry.id();
            entry.signature = Some(key(RUNTIME).sign(Purpose::Entry, id.as_bytes()));
            heads.insert(entry.header.trajectory, (seq + 1, id));
            if id != before {
                renamed.insert(before, id);
            }
        }
        let epoch = Epoch::from_bytes(&self.registers[&RegisterKey::epoch()]).unwrap();
        let entry = renamed.get(&epoch.entry).copied().unwrap_or(epoch.entry);
        self.registers.insert(RegisterKey::epoch(), Epoch { entry, ..epoch }.to_bytes());
        self.close_gaps();
    }

    /// Sets what the registers say that a run spent, and the totals with it.
    pub fn spent(&mut self, run: &TrajectoryId, spent: impl Fn(Amounts) -> Amounts) {
        for key in self.of_class(Register::Account) {
            if key.as_bytes().ends_with(run.as_bytes()) {
                let account = Account::from_bytes(&self.registers[&key]).unwrap();
                let changed = Account { spent: spent(account.spent), ..account };
                let total = RegisterKey::total(&WritId(key.as_bytes()[1..33].try_into().unwrap()));
                let sum = Account::from_bytes(&self.registers[&total]).unwrap().add(&account, &changed);
                self.registers.extend([(key, changed.to_bytes()), (total, sum.to_bytes())]);
            }
        }
    }
}

#[async_trait]
impl LedgerStore for Altered {
    async fn append(&self, _: Batch) -> Result<Position, StoreError> {
        Err(StoreError::Poisoned("read only".into()))
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        Ok(self.heads.get(trajectory).copied())
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let all: Vec<&Entry> = match &self.read {
            Some(read) => read.iter().collect(),
            None => self.log.iter().map(|(_, entry)| entry).collect(),
        };
        let of = all.into_iter().filter(|entry| entry.header.trajectory == *trajectory);
        Ok(of.skip(from_seq as usize).take(limit).cloned().collect())
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        if from.0.saturating_add(limit as u64) > self.unreadable {
            return Err(StoreError::Damaged("unreadable".into()));
        }
        let wanted = self.log.iter().filter(|(position, _)| *position >= from.0).take(limit);
        Ok(wanted.map(|(position, entry)| (Position(*position), entry.clone())).collect())
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        let all = self.listed.clone().unwrap_or_else(|| self.heads.iter().map(|(id, head)| (*id, *head)).collect());
        Ok(all.into_iter().filter(|(id, _)| after.is_none_or(|after| id > after)).take(limit).collect())
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        Ok(self.registers.get(key).cloned())
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        let wanted = self.registers.iter().filter(|(key, _)| key.as_bytes().starts_with(prefix));
        let wanted = wanted.filter(|(key, _)| after.is_none_or(|after| *key > after));
        Ok(wanted.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

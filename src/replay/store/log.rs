use std::collections::HashMap;

use super::{
    Authority, Kept, PAGE, Progress, StoreFault, StorePins, accounts::Accounts, lane::Lane, lineages::Lineages,
    registers::Lookups, runs::Runs,
};
use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::{Entry, EntryError, Head, Kind, LedgerStore, Position},
    replay::{
        FaultKind, ReplayError,
        ahead::{self, Ahead},
        fault::at,
        pages::PageSize,
        whole::Whole,
    },
};

/// All entries of a store in the order in which they were stored, gone through to the end.
pub(super) struct Log {
    pub(super) lanes: HashMap<TrajectoryId, Lane>,
    pub(super) accounts: Accounts,
    pub(super) lookups: Lookups,
    pub(super) lineages: Lineages,
    pub(super) entries: u64,
    pub(super) head: Kept,
    pub(super) as_of_ms: u64,
    /// The last authority entry that opened an epoch.
    epoch: EntryId,
    /// Whether accounts and registers can be judged.
    judged: bool,
}

impl Log {
    /// Reads the whole log: every entry whole and in its place, each trajectory as it was replayed by itself, the budgets
    /// kept at every position.
    pub(super) async fn read(
        store: &dyn LedgerStore,
        authority: &Authority,
        runs: &Runs,
        pins: &StorePins,
        progress: &mut (impl FnMut(Progress<'_>) + Send),
    ) -> Result<Self, ReplayError> {
        let mut accounts = Accounts::default();
        let mut lanes = HashMap::from([(authority.trajectory, Lane::new(authority.trajectory, vec![]))]);
        for (run, _) in &authority.openings {
            let mut purses = Vec::new();
            if let Some(replayed) = runs.by_id.get(run) {
                purses.push(accounts.open(&replayed.member.chain, false));
                purses.extend(replayed.presented.iter().map(|chain| accounts.open(chain, true)));
            }
            lanes.insert(*run, Lane::new(*run, purses));
        }
        let head = Kept { position: Position::default(), entry: EntryId::ZERO };
        let lookups = Lookups::default();
        let lineages = Lineages::of(&runs.by_id).map_err(|(run, fault)| ReplayError::Lineage { run, fault })?;
        let mut log = Self {
            lanes,
            accounts,
            lookups,
            lineages,
            entries: 0,
            head,
            as_of_ms: 0,
            epoch: EntryId::ZERO,
            judged: !runs.unknown,
        };
        let work = |page: &[(Position, Entry)]| page.iter().map(|(_, entry)| Whole::of(entry)).collect();
        let mut ahead = Ahead::new(ahead::workers(pins.options.workers), work);
        let (mut from, mut size) = (Position::default(), PageSize::new());
        loop {
            let page = match store.scan(from, size.get()).await {
                Ok(page) => page,
                Err(error) => {
                    // What is wrong before it is told first.
                    log.judge(store, pins, &mut ahead, 0).await?;
                    return Err(error.into());
                }
            };
            let (entries, last) = (page.len(), size.read(page.iter().map(|(_, entry)| entry.bytes())));
            from = page.last().map_or(from, |(position, _)| Position(position.0.saturating_add(1)));
            ahead.give(page);
            // While these are worked on elsewhere, those before them are judged here.
            log.judge(store, pins, &mut ahead, if last { 0 } else { entries }).await?;
            progress(Progress::Entries(log.entries));
            if last {
                break;
            }
        }
        if let Some(kept) = pins.kept.iter().find(|kept| kept.position.0 >= log.entries) {
            check_kept(pins, kept.position, None)?;
        }
        log.check_lengths(authority, runs)?;
        if log.judged {
            for settled in log.lanes.values().flat_map(Lane::in_doubt) {
                log.lookups.settled(store, &settled).await?;
            }
        }
        Ok(log)
    }

    /// Judges what was given, but for the last `leave` entries.
    async fn judge(
        &mut self,
        store: &dyn LedgerStore,
        pins: &StorePins,
        ahead: &mut Ahead<(Position, Entry), Result<Whole, EntryError>>,
        leave: usize,
    ) -> Result<(), ReplayError> {
        while let Some(mut taken) = ahead.take(leave) {
            for ((position, entry), whole) in taken.each() {
                if position.0 != self.entries {
                    return Err(StoreFault::Gap { expected: self.entries, found: position.0 }.into());
                }
                self.push(store, *position, entry, whole).await?;
                check_kept(pins, *position, Some(self.head.entry))?;
            }
            ahead.give_back(taken);
        }
        Ok(())
    }

    async fn push(
        &mut self,
        store: &dyn LedgerStore,
        position: Position,
        entry: &Entry,
        whole: &Result<Whole, EntryError>,
    ) -> Result<(), ReplayError> {
        let trajectory = entry.header.trajectory;
        // An entry is stored only while the epoch that it names is the last one: a key that was replaced signs nothing more.
        if entry.header.authority != self.epoch {
            let fault = Box::new(at(entry, FaultKind::Authority(entry.header.authority)));
            return Err(StoreFault::Entry { position: position.0, trajectory, fault }.into());
        }
        if entry.header.known_kind().is_some_and(Kind::opens_epoch) {
            self.epoch = entry.id();
        }
        let record = whole.as_ref().ok().and_then(|whole| whole.record.as_ref().ok());
        let lineage = self.lineages.push(entry, record);
        lineage.map_err(|fault| ReplayError::Lineage { run: trajectory, fault })?;
        let lane = self.lanes.get_mut(&trajectory).ok_or(StoreFault::Unopened(trajectory))?;
        let step = lane.push(position, entry, whole).map_err(|reason| {
            let fault = Box::new(at(entry, reason));
            StoreFault::Entry { position: position.0, trajectory, fault }
        })?;
        if self.judged {
            if let Some(purse) = lane.purse(step.writ) {
                if let Some(balances) = &step.balances {
                    self.accounts.check_balances(purse, trajectory, position.0, balances)?;
                }
                self.accounts.add(purse, trajectory, position.0, &step.movement)?;
            }
            self.lookups.settled(store, &step.settled).await?;
        }
        self.entries += 1;
        self.head = Kept { position, entry: lane.last.0 };
        self.as_of_ms = entry.header.time_ms;
        Ok(())
    }

    /// Checks that the log has of each trajectory what was replayed of it.
    fn check_lengths(&self, authority: &Authority, runs: &Runs) -> Result<(), StoreFault> {
        let replayed = runs.by_id.iter().map(|(run, replayed)| (run, (replayed.entries, replayed.head)));
        let (seq, head) = authority.head;
        for (trajectory, (entries, head)) in replayed.chain([(&authority.trajectory, (seq + 1, head))]) {
            let logged = self.lanes.get(trajectory).map(|lane| (lane.entries, lane.last.0));
            if logged != Some((entries, head)) {
                let logged = logged.map_or(0, |(entries, _)| entries);
                return Err(StoreFault::Log { trajectory: *trajectory, entries, logged });
            }
        }
        Ok(())
    }

    /// Checks that the store's heads are the last entries, and that there are no others.
    pub(super) async fn check_heads(&self, store: &dyn LedgerStore) -> Result<(), ReplayError> {
        let check = |trajectory: TrajectoryId, stored: Option<Head>| {
            let last = self.lanes.get(&trajectory).map(Lane::head);
            if last == stored { Ok(()) } else { Err(StoreFault::Head { trajectory, last, stored }) }
        };
        for trajectory in self.lanes.keys() {
            check(*trajectory, store.head(trajectory).await?)?;
        }
        let (mut listed, mut after) = (0, None);
        loop {
            let page = store.trajectories(after.as_ref(), PAGE).await?;
            for (trajectory, head) in &page {
                check(*trajectory, Some(*head))?;
                // One that is listed twice would make up for one that is not.
                listed += usize::from(after < Some(*trajectory));
                after = Some(*trajectory);
            }
            if page.len() < PAGE {
                break;
            }
        }
        if listed != self.lanes.len() {
            return Err(StoreFault::List { listed, trajectories: self.lanes.len() }.into());
        }
        Ok(())
    }
}

fn check_kept(pins: &StorePins, position: Position, found: Option<EntryId>) -> Result<(), StoreFault> {
    match pins.kept.iter().find(|kept| kept.position == position && Some(kept.entry) != found) {
        Some(kept) => Err(StoreFault::Kept { position: position.0, found, kept: kept.entry }),
        None => Ok(()),
    }
}

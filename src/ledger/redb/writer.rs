use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use redb::{Database, Durability, ReadableTable, WriteTransaction};

use super::{
    error::{again, storage},
    job::Job,
    poison::{Poison, PoisonOnPanic},
    rows::Log,
    stage::Stage,
    tables::{ENTRIES, prepare},
};
use crate::ledger::{Position, StoreError};

/// The most batches, and about the most bytes, that share one commit.
const GROUP_BATCHES: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;
/// A commit this quick costs less than waiting for company.
const QUICK_COMMIT: Duration = Duration::from_millis(1);

/// The only one that writes: takes what is queued, commits it as one transaction, and answers.
pub(super) struct Committer {
    database: Arc<Database>,
    poison: Arc<Poison>,
    log: Log,
    /// How many more bytes of entries until commits store what a quick repair needs.
    quick_repair_after: u64,
}

impl Committer {
    pub(super) fn new(
        database: Arc<Database>,
        poison: Arc<Poison>,
        quick_repair_after: u64,
    ) -> Result<Self, StoreError> {
        let mut committer = Self { database, poison, log: Log::default(), quick_repair_after };
        let transaction = committer.begin()?;
        let changed = prepare(&transaction)?;
        if let Some(row) = transaction.open_table(ENTRIES).map_err(storage)?.last().map_err(storage)? {
            committer.log = Log::resume(row.0.value(), row.1.value())?;
        }
        if changed {
            transaction.commit().map_err(storage)?;
        } else {
            transaction.abort().map_err(storage)?;
        }
        Ok(committer)
    }

    /// Serves the queue until nobody can add to it any more.
    pub(super) fn run(mut self, queue: &mpsc::Receiver<Job>) {
        let poison = Arc::clone(&self.poison);
        let _guard = PoisonOnPanic(&poison);
        let mut pace = Pace::default();
        while let Ok(first) = queue.recv() {
            let group = group(first, queue, &pace);
            let (batches, start) = (group.len(), Instant::now());
            self.serve(group);
            pace.note(batches, start.elapsed());
        }
    }

    fn serve(&mut self, mut group: Vec<Job>) {
        match self.poison.check().and_then(|()| self.commit(&mut group)) {
            Ok(results) => {
                for (job, result) in group.into_iter().zip(results) {
                    // Whoever has stopped waiting for the answer finds the batch in the ledger.
                    drop(job.answer.send(result));
                }
            }
            Err(error) => {
                self.poison.set(error.to_string());
                for job in group {
                    drop(job.answer.send(Err(again(&error))));
                }
            }
        }
    }

    /// Commits what is not in conflict. Nothing is answered before: even a conflict may be with a batch of this group.
    fn commit(&mut self, group: &mut [Job]) -> Result<Vec<Result<Position, StoreError>>, StoreError> {
        let bytes: usize = group.iter().map(Job::bytes).sum();
        self.quick_repair_after = self.quick_repair_after.saturating_sub(bytes as u64);
        let transaction = self.begin()?;
        let mut stage = Stage::new(&transaction, &mut self.log)?;
        let mut results = Vec::with_capacity(group.len());
        for job in group {
            match stage.add(job) {
                Err(error @ (StoreError::Io(_) | StoreError::Poisoned(_))) => return Err(error),
                result => results.push(result),
            }
        }
        if stage.is_empty() {
            drop(stage);
            transaction.abort().map_err(storage)?;
        } else {
            stage.write()?;
            transaction.commit().map_err(storage)?;
        }
        Ok(results)
    }

    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write().map_err(storage)?;
        transaction.set_durability(Durability::Immediate).map_err(storage)?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(self.quick_repair_after == 0);
        Ok(transaction)
    }
}

/// How large the last groups were and how long the last one took.
#[derive(Debug, Default)]
struct Pace {
    batches: [usize; 2],
    took: Duration,
}

impl Pace {
    fn note(&mut self, batches: usize, took: Duration) {
        let [last, _] = self.batches;
        *self = Self { batches: [batches, last], took };
    }

    /// How many batches are likely to come at once.
    fn expected(&self) -> usize {
        self.batches.into_iter().max().unwrap_or_default()
    }

    /// How long it pays to wait for them: nothing where commits are quick.
    fn patience(&self) -> Duration {
        self.took.saturating_sub(QUICK_COMMIT) / 16
    }
}

/// The batches that wait, up to what one commit takes. Those who were just answered are given a moment to come back:
/// otherwise the quickest of them gets a commit of its own and all others wait for it. A lone writer never waits.
fn group(first: Job, queue: &mpsc::Receiver<Job>, pace: &Pace) -> Vec<Job> {
    let deadline = Instant::now() + pace.patience();
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
        let next = queue.try_recv().ok().or_else(|| {
            let left = deadline.saturating_duration_since(Instant::now());
            if group.len() < pace.expected() { queue.recv_timeout(left).ok() } else { None }
        });
        let Some(job) = next else { break };
        bytes += job.bytes();
        group.push(job);
    }
    group
}

//! When a snapshot of a run is taken, and how it comes into the store. A run goes on without one.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, lock::Mutex};

use super::{core::Core, error::RunError, journal::Journal};
use crate::{
    canon::{Bytes, EntryId},
    crypto::Purpose,
    host::Signer,
    ledger::{
        Kind, LedgerStore,
        record::{Terminated, Turn},
    },
    replay::Snapshot,
    writ::Amounts,
};

/// At least so many entries follow a snapshot for each resource in it.
const PER_RESOURCE: u64 = 8;
/// At the end of a run, one this many times nearer to the last still pays.
const AT_THE_END: u64 = 8;

/// What a run's handle knows of the run's snapshots, and what they hold that nothing else asks for.
#[derive(Debug)]
pub(crate) struct Snapshots {
    /// The seq of the last one.
    pub(super) last: u64,
    /// The seq of the last turn.
    pub(super) turn_seq: u64,
    /// The entry that took the run up last.
    pub(super) resumed: Option<EntryId>,
    /// Whether it is known that every intent of the last turn has an outcome.
    pub(super) answered: bool,
    /// One that was taken and is not kept yet.
    pub(super) due: Option<Box<Snapshot>>,
}

impl Default for Snapshots {
    /// Of a run that has its first entry.
    fn default() -> Self {
        Self { last: 0, turn_seq: 0, resumed: None, answered: true, due: None }
    }
}

impl Journal {
    /// Takes a snapshot after the last entry, which was just stored, where one is due and nothing is under way. It is kept when
    /// the operation that stored the entry is over.
    pub(super) fn stored(&mut self, core: &Core, kind: Kind, record: &Bytes) {
        let seq = self.last_seq();
        if kind == Kind::Turn {
            (self.snapshots.turn_seq, self.snapshots.answered) = (seq, false);
        }
        // A snapshot does not tell what is to be undone: of a run for which that was asked none is taken. It tells values by the entries
        // of its own run, and a branch has some of its parent.
        if core.snapshot_every == 0 || !self.aside.is_empty() || self.lineage.is_branch() {
            return;
        }
        let mut asked = Vec::new();
        if kind == Kind::Turn {
            let Ok(turn) = serde_json::from_slice::<Turn>(record) else { return };
            // A turn that only answers leaves nothing to be done.
            self.snapshots.answered = turn.intents.is_empty();
            asked = turn.intents;
        }
        let settled = self.doubts.is_empty() && self.requests.waiting().is_empty() && self.used.held == Amounts::ZERO;
        if !self.is_due(core, kind) || !settled {
            return;
        }
        let mut snapshot = Snapshot::new(core.store_id, self.trajectory, (seq, self.head), &self.world);
        (snapshot.spent, snapshot.steps) = (self.used.spent, self.steps);
        (snapshot.requests, snapshot.skills) = (self.requests.clone(), self.skills.clone());
        snapshot.children = self.children.clone();
        (snapshot.resumed, snapshot.turn_seq) = (self.snapshots.resumed, self.snapshots.turn_seq);
        match kind {
            Kind::Turn => snapshot.unanswered = asked,
            Kind::Terminated => match serde_json::from_slice::<Terminated>(record) {
                Ok(terminated) => snapshot.ended = Some(terminated.reason),
                Err(_) => return,
            },
            _ => {}
        }
        self.snapshots.last = seq;
        self.snapshots.due = Some(Box::new(snapshot));
    }

    /// Whether enough entries follow the last snapshot, and the last entry is of a kind that leaves nothing open which is not
    /// at hand: a turn, or anything that cannot be the outcome of one of its intents.
    fn is_due(&self, core: &Core, kind: Kind) -> bool {
        let since = self.last_seq().saturating_sub(self.snapshots.last);
        let every = self.interval(core);
        let enough = since >= if kind == Kind::Terminated { every / AT_THE_END } else { every };
        let closed = match kind {
            Kind::Turn => true,
            Kind::Commit | Kind::Rejection | Kind::Terminated => self.snapshots.answered && self.open_turn.is_none(),
            _ => false,
        };
        enough && closed
    }

    /// How many entries follow a snapshot before the next, so that all of them together stay small beside the entries.
    fn interval(&self, core: &Core) -> u64 {
        core.snapshot_every.max(PER_RESOURCE * self.world.len() as u64)
    }
}

/// Keeps a snapshot of what a replay came to, where enough entries follow the last one. That it is not kept matters to nobody.
pub(super) async fn keep_replayed(core: &Core, journal: &mut Journal, snapshot: Snapshot) {
    if core.snapshot_every > 0
        && !journal.lineage.is_branch()
        && snapshot.seq.saturating_sub(journal.snapshots.last) >= journal.interval(core)
    {
        journal.snapshots.last = snapshot.seq;
        drop(keep(&*core.store, core.authority.state().signer.as_deref(), &snapshot).await);
    }
}

/// Keeps the snapshot that an operation has made due, where one has. That it is not kept matters to nobody.
pub(super) async fn keep_due(core: &Core, journal: &Mutex<Journal>) {
    let due = journal.lock().await.snapshots.due.take();
    if let Some(snapshot) = due {
        let signer = core.authority.state().signer;
        let keep = Box::pin(keep(&*core.store, signer.as_deref(), &snapshot));
        drop(AssertUnwindSafe(keep).catch_unwind().await);
    }
}

/// Signs a snapshot, and hands it to the store.
async fn keep(store: &dyn LedgerStore, signer: Option<&dyn Signer>, snapshot: &Snapshot) -> Result<(), RunError> {
    let sealed = snapshot.seal()?;
    let signature = match signer {
        Some(signer) => Some(signer.sign(Purpose::Snapshot, sealed.hash.as_bytes()).await?),
        None => None,
    };
    Ok(store.keep_snapshot(&snapshot.trajectory, snapshot.seq, sealed.signed(signature)).await?)
}

use super::{Outcome, ensure};
use crate::{
    canon::{Bytes, EntryId, KeyId, RecordHash, StoreId, TrajectoryId, domain},
    ledger::{Batch, Entry, Header, Kind, LedgerStore, Position, RegisterKey, RegisterOp, StoreError},
};

/// Makes the entries of one trajectory, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    trajectory: TrajectoryId,
    seq: u64,
    parent: EntryId,
}

impl Chain {
    /// A trajectory whose id starts with `number`.
    pub(super) fn new(number: u8) -> Self {
        let id = std::array::from_fn(|at| if at == 0 { number } else { 0xa5 });
        Self { trajectory: TrajectoryId(id), seq: 0, parent: EntryId::ZERO }
    }

    pub(super) fn id(&self) -> TrajectoryId {
        self.trajectory
    }

    /// An entry that would come next, with `record`.
    pub(super) fn peek(&self, record: &[u8]) -> Entry {
        let header = Header {
            kind: Kind::Turn.code(),
            store: StoreId([1; 32]),
            trajectory: self.trajectory,
            seq: self.seq,
            parent: self.parent,
            time_ms: 1_700_000_000_000 + self.seq,
            signer: KeyId::ZERO,
            authority: EntryId::ZERO,
            base_seq: 0,
            record: RecordHash(domain::RECORD.hash(&[record])),
        };
        Entry { header, record: record.into(), blobs: Vec::new(), signature: None }
    }

    /// The next entry; the one after it will follow it.
    pub(super) fn next(&mut self, record: &[u8]) -> Entry {
        let entry = self.peek(record);
        self.follow(&entry);
        entry
    }

    /// Lets the next entry follow `entry`.
    pub(super) fn follow(&mut self, entry: &Entry) {
        self.resume(entry.header.seq, entry.id());
    }

    /// Lets the next entry follow a head.
    pub(super) fn resume(&mut self, seq: u64, id: EntryId) {
        self.seq = seq + 1;
        self.parent = id;
    }

    /// The next `count` entries.
    pub(super) fn take(&mut self, count: usize) -> Vec<Entry> {
        (0..count).map(|number| self.next(format!("{{\"number\":{number}}}").as_bytes())).collect()
    }
}

pub(super) fn entries(entries: Vec<Entry>) -> Batch {
    Batch { entries, registers: Vec::new() }
}

pub(super) fn registers(registers: Vec<RegisterOp>) -> Batch {
    Batch { entries: Vec::new(), registers }
}

pub(super) fn key(key: &[u8]) -> RegisterKey {
    RegisterKey::from(key.to_vec())
}

pub(super) fn expect(at: &[u8], value: Option<&[u8]>) -> RegisterOp {
    RegisterOp::Expect { key: key(at), value: value.map(Bytes::from) }
}

pub(super) fn set(at: &[u8], value: Option<&[u8]>) -> RegisterOp {
    RegisterOp::Set { key: key(at), value: value.map(Bytes::from) }
}

/// Turns a store's error into a reason.
pub(super) fn said(error: StoreError) -> String {
    format!("the store said: {error}")
}

/// Appends a batch that must be taken.
pub(super) async fn append(store: &impl LedgerStore, batch: Batch) -> Result<Position, String> {
    store.append(batch).await.map_err(said)
}

/// All that a store holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    entries: Vec<(Position, Entry)>,
    trajectories: Vec<(TrajectoryId, crate::ledger::Head)>,
    registers: Vec<(RegisterKey, Bytes)>,
}

pub(super) async fn contents(store: &impl LedgerStore) -> Result<Contents, String> {
    Ok(Contents {
        entries: store.scan(Position(0), usize::MAX).await.map_err(said)?,
        trajectories: store.trajectories(None, usize::MAX).await.map_err(said)?,
        registers: store.registers(&[], None, usize::MAX).await.map_err(said)?,
    })
}

/// Checks that a trajectory holds exactly `expected`.
pub(super) async fn holds(store: &impl LedgerStore, trajectory: &TrajectoryId, expected: &[Entry]) -> Outcome {
    let found = store.read(trajectory, 0, usize::MAX).await.map_err(said)?;
    ensure!(
        found == expected,
        "trajectory {} holds {} entries that are not the {} appended",
        trajectory.short(),
        found.len(),
        expected.len()
    );
    Ok(())
}

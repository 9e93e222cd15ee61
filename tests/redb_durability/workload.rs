use futures::executor::block_on;
use openthymos::{
    canon::{Blob, Bytes, EntryId, KeyId, RecordHash, Salt, StoreId, TrajectoryId},
    ledger::{Batch, Entry, Head, Header, LedgerStore, MemoryLedger, Position, RegisterKey, RegisterOp, StoredBlob},
};

/// Makes the entries of one trajectory, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    pub trajectory: TrajectoryId,
    pub seq: u64,
    pub parent: EntryId,
}

impl Chain {
    pub fn new(number: u8) -> Self {
        Self { trajectory: TrajectoryId([number; 32]), seq: 0, parent: EntryId::ZERO }
    }

    pub fn after(trajectory: TrajectoryId, head: Option<Head>) -> Self {
        let (seq, parent) = head.map_or((0, EntryId::ZERO), |head| (head.seq + 1, head.id));
        Self { trajectory, seq, parent }
    }

    pub fn next(&mut self, size: usize) -> Entry {
        let header = Header {
            kind: 4,
            store: StoreId([1; 32]),
            trajectory: self.trajectory,
            seq: self.seq,
            parent: self.parent,
            time_ms: 0,
            signer: KeyId::ZERO,
            authority: EntryId::ZERO,
            base_seq: 0,
            record: RecordHash([2; 32]),
        };
        let blob = Blob { salt: Salt([3; 16]), bytes: vec![b'b'; size / 2].into() };
        let blobs = vec![StoredBlob::Present(blob), StoredBlob::Erased];
        let entry = Entry { header, record: vec![b'r'; size].into(), blobs, signature: None };
        (self.seq, self.parent) = (self.seq + 1, entry.id());
        entry
    }
}

fn counter(number: usize) -> Option<Bytes> {
    number.checked_sub(1).map(|number| vec![number as u8].into())
}

/// Batches over several trajectories and registers; each is bound to the one before it by a register.
pub fn script(length: usize) -> Vec<Batch> {
    let mut chains = [Chain::new(1), Chain::new(2), Chain::new(3)];
    let key = || RegisterKey::from(b"count".to_vec());
    let batch = |number: usize| {
        let sizes = [10, 3_000, 700, 20_000];
        let entries = (0..=number % 4).map(|at| chains[(number + at) % 3].next(sizes[(number + at) % 4])).collect();
        let own = RegisterKey::from(vec![b'o', number as u8 / 2]);
        let registers = vec![
            RegisterOp::Expect { key: key(), value: counter(number) },
            RegisterOp::Set { key: key(), value: counter(number + 1) },
            RegisterOp::Set { key: own, value: (number % 2 == 0).then(|| vec![0; number].into()) },
        ];
        Batch { entries, registers }
    };
    (0..length).map(batch).collect()
}

/// All that a ledger holds, read in every way that there is.
#[derive(Debug, PartialEq)]
pub struct Contents {
    log: Vec<(Position, Entry)>,
    trajectories: Vec<(TrajectoryId, Head)>,
    chains: Vec<Vec<Entry>>,
    registers: Vec<(RegisterKey, Bytes)>,
}

pub fn contents(ledger: &dyn LedgerStore) -> Contents {
    let trajectories = block_on(ledger.trajectories(None, usize::MAX)).unwrap();
    let chain = |(trajectory, _): &(TrajectoryId, Head)| block_on(ledger.read(trajectory, 0, usize::MAX)).unwrap();
    Contents {
        log: block_on(ledger.scan(Position(0), usize::MAX)).unwrap(),
        chains: trajectories.iter().map(chain).collect(),
        trajectories,
        registers: block_on(ledger.registers(&[], None, usize::MAX)).unwrap(),
    }
}

/// What a ledger holds after each of the batches, from none to all.
pub fn model(script: &[Batch]) -> Vec<Contents> {
    let ledger = MemoryLedger::new();
    let mut states = vec![contents(&ledger)];
    for batch in script {
        block_on(ledger.append(batch.clone())).unwrap();
        states.push(contents(&ledger));
    }
    states
}

use std::collections::BTreeMap;

use super::StorePins;
use crate::{
    canon::{ContractHash, EntryId, TrajectoryId},
    ledger::{
        AuthorityState, Entry, Kind, LedgerStore, Position,
        record::{ContractRecord, RunOpened},
    },
    replay::{AuthorityLog, FaultKind, ReplayError, fault::at, pages::PageSize},
};

/// The authority trajectory of a store, every entry of it checked.
pub(in crate::replay) struct Authority {
    pub(in crate::replay) log: AuthorityLog,
    pub(in crate::replay) trajectory: TrajectoryId,
    /// The runs in the order in which they were opened, with the seq of the entry that did.
    pub(in crate::replay) openings: Vec<(TrajectoryId, u64)>,
    /// The seq of the last entry that holds each contract.
    pub(in crate::replay) contracts: BTreeMap<ContractHash, u64>,
    /// The last entry: its seq and id.
    pub(in crate::replay) head: (u64, EntryId),
}

impl Authority {
    /// Reads and checks every entry: hashes, signatures, seq and parent, and that each has force.
    pub(in crate::replay) async fn read(store: &dyn LedgerStore, pins: &StorePins) -> Result<Self, ReplayError> {
        let genesis = store.scan(Position(0), 1).await?.into_iter().next().ok_or(ReplayError::Empty)?.1;
        let trajectory = AuthorityState::trajectory(AuthorityState::store_id(&genesis.record));
        let mut authority = Self {
            log: AuthorityLog::beginning(&genesis)?,
            trajectory,
            openings: Vec::new(),
            contracts: BTreeMap::new(),
            head: (0, EntryId::ZERO),
        };
        let (mut next, mut size) = (0, PageSize::new());
        loop {
            let page = store.read(&trajectory, next, size.get()).await?;
            for entry in &page {
                authority.push(entry, next, pins).map_err(|reason| at(entry, reason))?;
                next += 1;
            }
            if size.read(page.iter().map(Entry::bytes)) {
                break;
            }
        }
        if next == 0 {
            return Err(at(&genesis, FaultKind::Trajectory).into());
        }
        Ok(authority)
    }

    fn push(&mut self, entry: &Entry, expected: u64, pins: &StorePins) -> Result<(), FaultKind> {
        let header = &entry.header;
        if header.seq != expected {
            return Err(FaultKind::Seq { expected });
        }
        if header.parent != self.head.1 {
            return Err(FaultKind::Parent);
        }
        self.log.push(entry)?;
        if let Some(signer) = &pins.signer {
            entry.check_signature(signer)?;
        }
        match header.known_kind() {
            Some(Kind::RunOpened) => self.openings.push((entry.body::<RunOpened>()?.trajectory, header.seq)),
            Some(Kind::Contract) => drop(self.contracts.insert(entry.body::<ContractRecord>()?.hash, header.seq)),
            _ => {}
        }
        self.head = (header.seq, entry.id());
        Ok(())
    }
}

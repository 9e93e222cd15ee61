use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{accounts::Accounts, authority::Authority, secrets::Plaintexts};
use crate::{
    canon::{KeyId, StoreId, TrajectoryId},
    crypto::Purpose,
    host::{Host, SignError, Signer},
    ledger::{Draft, Entry, Header, LedgerStore, StoredBlob},
    policy::PolicySet,
    redact::Redactor,
    tool::ToolRegistry,
};

/// What all runs of a runtime share.
pub(crate) struct Core {
    pub(crate) accounts: Accounts,
    pub(crate) authority: Authority,
    pub(crate) high_water_ms: AtomicU64,
    pub(crate) host: Host,
    pub(crate) plaintexts: Plaintexts,
    pub(crate) policies: PolicySet,
    pub(crate) redactor: Redactor,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) store: Arc<dyn LedgerStore>,
    pub(crate) store_id: StoreId,
    pub(crate) tools: ToolRegistry,
}

/// Two readings: what the clock says, and the later of that and the latest time on record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) clock_ms: u64,
    pub(crate) judged_ms: u64,
}

/// Where an entry goes.
pub(crate) struct Place {
    pub(crate) trajectory: TrajectoryId,
    pub(crate) seq: u64,
    pub(crate) parent: crate::canon::EntryId,
    pub(crate) authority: crate::canon::EntryId,
    pub(crate) base_seq: u64,
    pub(crate) time_ms: u64,
}

impl Core {
    pub(crate) fn now(&self) -> Now {
        let clock_ms = self.host.clock.now_ms().min(crate::canon::MAX_INTEGER);
        let before = self.high_water_ms.fetch_max(clock_ms, Ordering::SeqCst);
        Now { clock_ms, judged_ms: before.max(clock_ms) }
    }

    pub(crate) async fn seal(&self, place: Place, draft: Draft) -> Result<Entry, SignError> {
        seal(self.store_id, self.signer.as_deref(), place, draft).await
    }
}

/// Places a draft on a trajectory and signs it.
pub(crate) async fn seal(
    store: StoreId,
    signer: Option<&dyn Signer>,
    place: Place,
    draft: Draft,
) -> Result<Entry, SignError> {
    let header = Header {
        kind: draft.kind.code(),
        blobs: u32::try_from(draft.blobs.len()).unwrap_or(u32::MAX),
        store,
        trajectory: place.trajectory,
        seq: place.seq,
        parent: place.parent,
        time_ms: place.time_ms,
        signer: signer.map_or(KeyId::ZERO, |signer| signer.public_key().id()),
        authority: place.authority,
        base_seq: place.base_seq,
        record: draft.hash(),
    };
    let signature = match signer {
        Some(signer) => Some(signer.sign(Purpose::Entry, header.id().as_bytes()).await?),
        None => None,
    };
    let blobs = draft.blobs.into_iter().map(StoredBlob::Present).collect();
    Ok(Entry { header, record: draft.record, blobs, signature })
}

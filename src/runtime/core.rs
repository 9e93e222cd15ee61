use std::sync::Arc;

use super::{
    accounts::Accounts,
    authority::Authority,
    calls::Calls,
    error::RunError,
    in_force::{InForce, Now},
    secrets::Plaintexts,
};
use crate::{
    canon::{EntryId, KeyId, StoreId, TrajectoryId},
    crypto::Purpose,
    host::{Host, SignError, Signer},
    ledger::{Draft, Entry, Header, LedgerStore},
    policy::PolicySet,
    redact::Redactor,
    tool::ToolRegistry,
};

/// What all runs of a runtime share.
pub(crate) struct Core {
    pub(crate) accounts: Accounts,
    pub(crate) authority: Authority,
    pub(crate) calls: Calls,
    pub(crate) host: Host,
    pub(crate) plaintexts: Plaintexts,
    pub(crate) policies: PolicySet,
    pub(crate) redactor: Redactor,
    /// Whether runs can be started: not by a runtime that was opened for the authority alone.
    pub(crate) runs: bool,
    /// How many entries of a run may follow its last snapshot; 0 when none are taken or used.
    pub(crate) snapshot_every: u64,
    pub(crate) store: Arc<dyn LedgerStore>,
    pub(crate) store_id: StoreId,
    pub(crate) tools: ToolRegistry,
}

/// Where an entry goes.
pub(crate) struct Place {
    pub(crate) trajectory: TrajectoryId,
    pub(crate) seq: u64,
    pub(crate) parent: EntryId,
    pub(crate) authority: EntryId,
    pub(crate) base_seq: u64,
    pub(crate) time_ms: u64,
}

impl Core {
    pub(crate) fn now(&self, epoch: &InForce) -> Now {
        epoch.now(&*self.host.clock)
    }

    /// Places a draft, signed with the key of its epoch.
    pub(crate) async fn seal(&self, epoch: &InForce, place: Place, draft: Draft) -> Result<(Entry, EntryId), RunError> {
        if let (Some(named), None) = (epoch.runtime_key(), &epoch.signer) {
            return Err(RunError::KeyReplaced { key: named.key });
        }
        Ok(seal(self.store_id, epoch.signer.as_deref(), place, draft).await?)
    }
}

/// Places a draft on a trajectory and signs it. Returns the entry with its id.
pub(crate) async fn seal(
    store: StoreId,
    signer: Option<&dyn Signer>,
    place: Place,
    draft: Draft,
) -> Result<(Entry, EntryId), SignError> {
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
    let id = header.id();
    let signature = match signer {
        Some(signer) => Some(signer.sign(Purpose::Entry, id.as_bytes()).await?),
        None => None,
    };
    Ok((draft.into_entry(header, signature), id))
}

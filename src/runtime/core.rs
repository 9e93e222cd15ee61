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

    /// What entries of an epoch are signed with, if they are signed.
    pub(crate) fn signer<'a>(&self, epoch: &'a InForce) -> Result<Option<&'a dyn Signer>, RunError> {
        match (epoch.runtime_key(), &epoch.signer) {
            (Some(named), None) => Err(RunError::KeyReplaced { key: named.key }),
            (_, signer) => Ok(signer.as_deref()),
        }
    }
}

/// Places a draft on a trajectory, to be [signed](sign). Returns the entry with its id.
pub(crate) fn placed(store: StoreId, signer: Option<&dyn Signer>, place: Place, draft: Draft) -> (Entry, EntryId) {
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
    (draft.into_entry(header, None), id)
}

/// Signs an entry where it is.
pub(crate) async fn sign(signer: Option<&dyn Signer>, entry: &mut Entry, id: EntryId) -> Result<(), SignError> {
    if let Some(signer) = signer {
        entry.signature = Some(signer.sign(Purpose::Entry, id.as_bytes()).await?);
    }
    Ok(())
}

/// Places a draft on a trajectory and signs it. Returns the entry with its id.
pub(crate) async fn seal(
    store: StoreId,
    signer: Option<&dyn Signer>,
    place: Place,
    draft: Draft,
) -> Result<(Entry, EntryId), SignError> {
    let (mut entry, id) = placed(store, signer, place, draft);
    sign(signer, &mut entry, id).await?;
    Ok((entry, id))
}

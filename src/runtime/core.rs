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

/// A draft with its place on a trajectory, still to be signed.
pub(crate) struct Placed {
    pub(crate) id: EntryId,
    header: Header,
    draft: Draft,
}

impl Placed {
    /// Signs it, where entries are signed.
    pub(crate) async fn signed(self: Box<Self>, signer: Option<&dyn Signer>) -> Result<Entry, SignError> {
        let signature = match signer {
            Some(signer) => Some(signer.sign(Purpose::Entry, self.id.as_bytes()).await?),
            None => None,
        };
        Ok(self.draft.into_entry(self.header, signature))
    }
}

/// Places a draft on a trajectory. Boxed: a future that signs it is copied with all that it holds.
pub(crate) fn placed(store: StoreId, signer: Option<&dyn Signer>, place: Place, draft: Draft) -> Box<Placed> {
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
    Box::new(Placed { id: header.id(), header, draft })
}

/// Places a draft on a trajectory and signs it. Returns the entry with its id.
pub(crate) async fn seal(
    store: StoreId,
    signer: Option<&dyn Signer>,
    place: Place,
    draft: Draft,
) -> Result<(Entry, EntryId), SignError> {
    let placed = placed(store, signer, place, draft);
    let id = placed.id;
    Ok((placed.signed(signer).await?, id))
}

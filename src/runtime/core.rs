use std::sync::Arc;

use super::{
    accounts::Accounts,
    authority::Authority,
    calls::Calls,
    delegation::Subjects,
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
    /// How long a request for approval waits for votes, in milliseconds.
    pub(crate) request_valid_ms: u64,
    /// Whether runs can be started: not by a runtime that was opened for the authority alone.
    pub(crate) runs: bool,
    /// How many entries of a run may follow its last snapshot; 0 when none are taken or used.
    pub(crate) snapshot_every: u64,
    pub(crate) store: Arc<dyn LedgerStore>,
    /// The keys that sign the writs of children.
    pub(crate) subjects: Subjects,
    pub(crate) store_id: StoreId,
    pub(crate) tools: ToolRegistry,
}

/// Where an entry goes.
#[derive(Clone, Copy)]
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
}

/// A draft with its place on a trajectory, still to be signed.
pub(crate) struct Placed<'a> {
    pub(crate) id: EntryId,
    header: Header,
    draft: Draft,
    signer: Option<&'a dyn Signer>,
}

impl<'a> Placed<'a> {
    /// Boxed: a future that signs it is copied with all that it holds.
    pub(crate) fn of(store: StoreId, signer: Option<&'a dyn Signer>, place: Place, draft: Draft) -> Box<Self> {
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
        Box::new(Self { id: header.id(), header, draft, signer })
    }

    /// The entry, signed with the key that its header names.
    pub(crate) async fn signed(self: Box<Self>) -> Result<Entry, SignError> {
        let signature = match self.signer {
            Some(signer) => Some(signer.sign(Purpose::Entry, self.id.as_bytes()).await?),
            None => None,
        };
        Ok(self.draft.into_entry(self.header, signature))
    }
}

/// Places a draft on a trajectory and signs it. Returns the entry with its id.
pub(crate) async fn seal(
    store: StoreId,
    signer: Option<&dyn Signer>,
    place: Place,
    draft: Draft,
) -> Result<(Entry, EntryId), SignError> {
    let placed = Placed::of(store, signer, place, draft);
    let id = placed.id;
    Ok((placed.signed().await?, id))
}

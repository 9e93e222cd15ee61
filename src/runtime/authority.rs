//! The authority trajectory of this process: its state, and the only writer to it.

use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};

use futures::{
    future::BoxFuture,
    lock::{Mutex, MutexGuard},
};

use super::{
    core::{Core, Place, seal},
    error::RunError,
    in_force::{InForce, Mark},
};
use crate::{
    canon::{Bytes, CanonError, TrajectoryId},
    crypto::{NamedKey, PublicKey, Role},
    host::Signer,
    ledger::{
        AuthorityState, Batch, Draft, Entry, Head, Kind, RegisterKey, RegisterOp, StoreError,
        record::{ClockReset, KeyRotation},
        register::Epoch,
    },
    replay::{Contracts, ReplayError, authority_of},
};

/// What is trusted, revoked and in force, shared by all runs.
pub(crate) struct Authority {
    pub(crate) trajectory: TrajectoryId,
    current: RwLock<InForce>,
    /// The keys that the host gave to sign entries with; the ledger says which of them does.
    held: StdMutex<Vec<Arc<dyn Signer>>>,
    /// The roots of trust that the host named.
    trust: StdMutex<Vec<(NamedKey, Vec<Role>)>>,
    /// The last entry; absent while an append is under way, and after one whose caller went away.
    writer: Mutex<Option<Head>>,
}

/// What the epoch register holds.
fn epoch_of(state: &AuthorityState) -> Option<Bytes> {
    Some(Epoch { entry: state.epoch, seq: state.epoch_seq }.to_bytes())
}

/// Fails a batch that was decided in another epoch.
pub(crate) fn expect_epoch(state: &AuthorityState) -> RegisterOp {
    RegisterOp::Expect { key: RegisterKey::epoch(), value: epoch_of(state) }
}

impl Authority {
    pub(crate) fn new(
        trajectory: TrajectoryId,
        state: AuthorityState,
        mark_ms: u64,
        head: Head,
        held: Vec<Arc<dyn Signer>>,
        trust: Vec<(NamedKey, Vec<Role>)>,
    ) -> Self {
        let signer = find(&held, &state);
        let current = InForce::new(Arc::new(state), Mark::at(mark_ms), signer);
        Self {
            trajectory,
            current: RwLock::new(current),
            held: StdMutex::new(held),
            trust: StdMutex::new(trust),
            writer: Mutex::new(Some(head)),
        }
    }

    /// The epoch as this process knows it, with the key that signs in it and the clock's mark.
    pub(crate) fn state(&self) -> InForce {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The epoch after one that is over. Hardly ever asked for: boxed, so that no call's own future has room for it.
    pub(crate) fn after<'a>(
        &'a self,
        core: &'a Core,
        over: &AuthorityState,
    ) -> BoxFuture<'a, Result<InForce, RunError>> {
        let over = over.epoch;
        Box::pin(async move {
            if self.state().epoch == over {
                self.refresh(core).await?;
            }
            Ok(self.state())
        })
    }

    /// Adds a key to those that may come to sign entries.
    pub(crate) fn hold(&self, signer: Arc<dyn Signer>) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(signer);
    }

    /// The roots of trust that the host named, to be read or changed.
    pub(crate) fn with_trust<T>(&self, with: impl FnOnce(&mut Vec<(NamedKey, Vec<Role>)>) -> T) -> T {
        with(&mut self.trust.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends authority entries, with what else belongs into the same batch. `registers` sees the seq of each entry.
    pub(crate) async fn append(
        &self,
        core: &Core,
        drafts: Vec<Draft>,
        also: Vec<Entry>,
        registers: impl FnOnce(u64) -> Vec<RegisterOp> + Send,
    ) -> Result<(), RunError> {
        self.writing(core).await?.append(core, drafts, also, registers).await
    }

    /// Waits until nobody else appends; nobody does before the answer is dropped.
    pub(crate) async fn writing(&self, core: &Core) -> Result<Writing<'_>, RunError> {
        let mut head = self.writer.lock().await;
        if head.is_none() {
            *head = Some(self.reload(core).await?);
        }
        Ok(Writing { authority: self, head })
    }

    /// Waits for an append under way, and takes over what the ledger has.
    pub(crate) async fn refresh(&self, core: &Core) -> Result<(), RunError> {
        // Not held while the ledger is read: the caller may go away, and its run keep this call for later.
        self.writer.lock().await.take();
        self.reload(core).await.map(drop)
    }

    async fn reload(&self, core: &Core) -> Result<Head, RunError> {
        let log = authority_of(&*core.store, None, Contracts::Of(&[])).await;
        let log = log.map_err(|error| match error {
            // A ledger that cannot be read is not a damaged one.
            ReplayError::Store(error) => error,
            error => StoreError::Damaged(error.to_string()),
        })?;
        self.move_on(log.state().clone());
        let head = core.store.head(&self.trajectory).await?;
        Ok(head.ok_or_else(|| StoreError::Damaged("the authority trajectory is gone".into()))?)
    }

    /// Takes over what was read or appended, unless more was appended meanwhile. Key, mark and state change together, so that
    /// nobody signs or judges by half of them.
    fn move_on(&self, state: AuthorityState) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if state.epoch_seq < self.state().epoch_seq {
            return;
        }
        // A key that was replaced signs nothing more.
        let retired = |key: &PublicKey| state.runtime_keys.iter().rev().skip(1).any(|named| named.key == *key);
        held.retain(|signer| !retired(&signer.public_key()));
        let signer = find(&held, &state);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = current.followed_by(Arc::new(state), signer);
    }

    fn held(&self, key: &PublicKey) -> Option<Arc<dyn Signer>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().find(|signer| signer.public_key() == *key).cloned()
    }
}

/// The right to append to the authority trajectory: what is read of the authority meanwhile stays so until the append.
pub(crate) struct Writing<'a> {
    authority: &'a Authority,
    head: MutexGuard<'a, Option<Head>>,
}

impl Writing<'_> {
    /// As [`Authority::append`].
    pub(crate) async fn append(
        &mut self,
        core: &Core,
        drafts: Vec<Draft>,
        also: Vec<Entry>,
        registers: impl FnOnce(u64) -> Vec<RegisterOp> + Send,
    ) -> Result<(), RunError> {
        let authority = self.authority;
        let head = match self.head.take() {
            Some(head) => head,
            None => authority.reload(core).await?,
        };
        let before = authority.state();
        let mut state = AuthorityState::clone(&before);
        let (mut seq, mut parent) = (head.seq, head.id);
        let first = head.seq + 1;
        let mut entries = Vec::with_capacity(drafts.len() + also.len());
        for draft in drafts {
            seq += 1;
            let (epoch, base_seq) = (state.epoch, state.epoch_seq);
            let (time_ms, signing) = placed(core, &before, &state, &draft)?;
            let place = Place { trajectory: authority.trajectory, seq, parent, authority: epoch, base_seq, time_ms };
            let signer = signing.map(|key| authority.held(&key).ok_or(RunError::KeyReplaced { key })).transpose()?;
            let (entry, id) = seal(core.store_id, signer.as_deref(), place, draft).await?;
            parent = id;
            // An entry that would have no force in replay must not be written.
            state.apply(&entry).map_err(|error| StoreError::Damaged(error.to_string()))?;
            entries.push(entry);
        }
        entries.extend(also);
        let mut ops = vec![expect_epoch(&before)];
        ops.extend(registers(first));
        if state.epoch != before.epoch {
            ops.push(RegisterOp::Set { key: RegisterKey::epoch(), value: epoch_of(&state) });
        }
        let position = core.store.append(Batch { entries, registers: ops }).await?;
        *self.head = Some(Head { seq, id: parent, position });
        if state.epoch != before.epoch {
            authority.move_on(state);
        }
        Ok(())
    }
}

/// The signer that is the runtime's key of an epoch, if it is held.
fn find(held: &[Arc<dyn Signer>], state: &AuthorityState) -> Option<Arc<dyn Signer>> {
    let key = state.runtime_key()?.key;
    held.iter().find(|signer| signer.public_key() == key).cloned()
}

/// The time of the next authority entry, and the key that signs it.
fn placed(
    core: &Core,
    before: &InForce,
    state: &AuthorityState,
    draft: &Draft,
) -> Result<(u64, Option<PublicKey>), RunError> {
    let mut time_ms = before.now(&*core.host.clock).judged_ms;
    let mut key = state.runtime_key().map(|named| named.key);
    let shape = |error: serde_json::Error| CanonError::NotJson { what: error.to_string() };
    match draft.kind {
        Kind::ClockReset => {
            time_ms = serde_json::from_slice::<ClockReset>(&draft.record).map_err(shape)?.statement.reading_ms;
        }
        Kind::KeyRotation => {
            let rotation: KeyRotation = serde_json::from_slice(&draft.record).map_err(shape)?;
            if rotation.is_sealed_by_the_new_key() {
                key = Some(rotation.statement.new.key);
            }
        }
        _ => {}
    }
    Ok((time_ms, key))
}

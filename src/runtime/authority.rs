//! The authority trajectory of this process: its state, and the only writer to it.

use std::sync::{Arc, PoisonError, RwLock};

use futures::lock::Mutex;

use super::{
    core::{Core, Place},
    error::RunError,
};
use crate::{
    canon::{Bytes, TrajectoryId},
    ledger::{AuthorityState, Batch, Draft, Entry, Head, RegisterKey, RegisterOp, StoreError, register::Epoch},
    replay::{Contracts, authority_of},
};

/// What is trusted, revoked and in force, shared by all runs.
pub(crate) struct Authority {
    pub(crate) trajectory: TrajectoryId,
    state: RwLock<Arc<AuthorityState>>,
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
    pub(crate) fn new(trajectory: TrajectoryId, state: AuthorityState, head: Head) -> Self {
        Self { trajectory, state: RwLock::new(Arc::new(state)), writer: Mutex::new(Some(head)) }
    }

    pub(crate) fn state(&self) -> Arc<AuthorityState> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends authority entries, with what else belongs into the same batch. `registers` sees the seq of each entry.
    pub(crate) async fn append(
        &self,
        core: &Core,
        drafts: Vec<Draft>,
        also: Vec<Entry>,
        registers: impl FnOnce(u64) -> Vec<RegisterOp> + Send,
    ) -> Result<(), RunError> {
        let mut writer = self.writer.lock().await;
        let head = match writer.take() {
            Some(head) => head,
            None => self.reload(core).await?,
        };
        let before = self.state();
        let mut state = AuthorityState::clone(&before);
        let (mut seq, mut parent) = (head.seq, head.id);
        let first = head.seq + 1;
        let mut entries = Vec::with_capacity(drafts.len() + also.len());
        for draft in drafts {
            seq += 1;
            let (authority, base_seq) = (state.epoch, state.epoch_seq);
            let (trajectory, time_ms) = (self.trajectory, core.now().judged_ms);
            let place = Place { trajectory, seq, parent, authority, base_seq, time_ms };
            let entry = core.seal(place, draft).await?;
            parent = entry.id();
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
        *writer = Some(Head { seq, id: parent, position });
        if state.epoch != before.epoch {
            *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        }
        Ok(())
    }

    /// Waits for an append under way, and takes over what the ledger has.
    pub(crate) async fn refresh(&self, core: &Core) -> Result<(), RunError> {
        // Not held while the ledger is read: the caller may go away, and its run keep this call for later.
        self.writer.lock().await.take();
        self.reload(core).await.map(drop)
    }

    async fn reload(&self, core: &Core) -> Result<Head, RunError> {
        let log = authority_of(&*core.store, None, Contracts::Of(&[])).await;
        let log = log.map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.move_on(log.state());
        let head = core.store.head(&self.trajectory).await?;
        Ok(head.ok_or_else(|| StoreError::Damaged("the authority trajectory is gone".into()))?)
    }

    /// Takes over what was read, unless more was appended meanwhile.
    fn move_on(&self, read: &AuthorityState) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if read.epoch_seq >= state.epoch_seq {
            *state = Arc::new(read.clone());
        }
    }
}

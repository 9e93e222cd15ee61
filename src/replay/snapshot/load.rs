//! From what a store kept to a replay that goes on from there; anything that does not fit is `None`.

use std::sync::Arc;

use super::{KeptResource, Snapshot};
use crate::{
    canon::{Commitment, TrajectoryId},
    ledger::{Entry, Kind, LedgerStore, StoredBlob},
    replay::{AuthorityLog, Fault, FaultKind, Pins, Replayer, fault::at},
    world::{Resource, World},
};

/// The most entries that are read at a time.
const PAGE: u64 = 512;
/// Values so many entries apart are read together.
const NEAR: u64 = 8;

/// A replay that goes on from the snapshot that the store kept at `seq`.
///
/// The snapshot is signed by the runtime's key of today. A key that was called compromised vouches for nothing, so there is
/// none to go on from in a store that has one.
pub(super) async fn load<'a>(
    store: &dyn LedgerStore,
    log: &'a AuthorityLog,
    trajectory: &TrajectoryId,
    (seq, kept): (u64, &[u8]),
) -> Option<Replayer<'a>> {
    let state = log.state();
    if !state.compromised.is_empty() || !log.unknown().is_empty() {
        return None;
    }
    let snapshot = Snapshot::read(kept, state.runtime_key().map(|named| &named.key))?;
    if (snapshot.store, snapshot.trajectory, snapshot.seq) != (log.store(), *trajectory, seq) {
        return None;
    }
    let mut replayer = Replayer::new(log, *trajectory, Pins::default());
    replayer.push(&entry_at(store, trajectory, 0).await?).ok()?;
    let last = entry_at(store, trajectory, seq).await?;
    let commit = match last.header.known_kind()? {
        Kind::Commit => Some(last.clone()),
        _ if last.header.base_seq == 0 => None,
        _ => Some(entry_at(store, trajectory, last.header.base_seq).await?),
    };
    let (world, missing) = world(store, trajectory, &snapshot.resources).await?;
    replayer.restore(snapshot, world, missing, commit.as_ref(), &last).ok()?;
    Some(replayer)
}

async fn entry_at(store: &dyn LedgerStore, trajectory: &TrajectoryId, seq: u64) -> Option<Entry> {
    store.read(trajectory, seq, 1).await.ok()?.into_iter().next()
}

/// The world with its values, and those of them that were erased since: an erasure has to name them.
async fn world(
    store: &dyn LedgerStore,
    trajectory: &TrajectoryId,
    resources: &[KeptResource],
) -> Option<(World, Vec<(Commitment, Fault)>)> {
    let mut wanted: Vec<_> = resources.iter().collect();
    wanted.sort_unstable_by_key(|kept| kept.seq);
    let (mut found, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
    let mut page = Vec::<Entry>::new();
    for (index, kept) in wanted.iter().enumerate() {
        if page.last().is_none_or(|last| last.header.seq < kept.seq) {
            let limit = together(wanted.get(index..)?);
            page = store.read(trajectory, kept.seq, usize::try_from(limit).ok()?).await.ok()?;
        }
        let first = page.first()?.header.seq;
        let entry = page.get(usize::try_from(kept.seq.checked_sub(first)?).ok()?)?;
        let value = match entry.blobs.iter().find(|blob| blob.commitment() == kept.value)? {
            StoredBlob::Present(blob) => Some(Arc::new(blob.value().ok()?)),
            StoredBlob::Erased(commitment) => {
                if !kept.erased {
                    missing.push((*commitment, at(entry, FaultKind::Missing)));
                }
                None
            }
        };
        let resource = Resource { version: kept.version, commitment: kept.value, value, seq: kept.seq };
        found.push((kept.resource.clone(), resource));
    }
    Some((World::of(found), missing))
}

/// How many entries from the first resource's on hold the values of all that stand close together.
fn together(wanted: &[&KeptResource]) -> u64 {
    let first = wanted.first().map_or(0, |kept| kept.seq);
    let mut last = first;
    for kept in wanted {
        if kept.seq - last > NEAR || kept.seq - first >= PAGE {
            break;
        }
        last = kept.seq;
    }
    last - first + 1
}

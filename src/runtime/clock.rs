//! The latest time on record: how it is found, and how an operator resets it.

use std::collections::BTreeSet;

use super::{core::Core, error::RunError, in_force::reading};
use crate::{
    canon::TrajectoryId,
    crypto::{NamedKey, PublicKey, Purpose, Role, SignatureError},
    host::Signer,
    ledger::{
        Batch, Draft, Entry, Kind, LedgerStore, Position, StoreError,
        record::{ClockReset, ClockResetStatement},
    },
};

/// How many entries are read at a time.
const PAGE: u64 = 512;

/// What the clock says, and the latest time on record; milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStatus {
    /// The latest time on record since the last reset.
    pub high_water_ms: u64,
    /// What the clock says.
    pub reading_ms: u64,
}

impl ClockStatus {
    /// How far the clock is behind, in milliseconds.
    pub fn behind_ms(&self) -> u64 {
        self.high_water_ms.saturating_sub(self.reading_ms)
    }
}

/// Why the clock was not reset. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The key may not reset the clock here.
    #[error("key {key} is not trusted as writ issuer, so it cannot reset the clock here")]
    NotTrusted {
        /// The key.
        key: PublicKey,
    },
    /// The clock is not behind.
    #[error("the clock is not behind the latest time on record: there is nothing to reset")]
    NotBehind,
    /// The signer's signature does not verify under its key.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The ledger or the key failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Accepts the clock as it is: its reading becomes the latest time on record.
pub(super) async fn reset(core: &Core, name: &str, signer: &dyn Signer) -> Result<ClockStatus, ClockError> {
    let (epoch, key) = (core.authority.state(), signer.public_key());
    if !epoch.trust.has(&key, Role::WritIssuer) {
        return Err(ClockError::NotTrusted { key });
    }
    let now = epoch.peek(&*core.host.clock);
    let status = ClockStatus { high_water_ms: now.judged_ms, reading_ms: now.clock_ms };
    if status.behind_ms() == 0 {
        return Err(ClockError::NotBehind);
    }
    let statement = ClockResetStatement {
        by: NamedKey::new(name, key),
        high_water_ms: status.high_water_ms,
        reading_ms: status.reading_ms,
        store: core.store_id,
    };
    let hash = statement.hash().map_err(RunError::from)?;
    let signature = signer.sign(Purpose::ClockReset, hash.as_bytes()).await.map_err(RunError::from)?;
    key.verify(Purpose::ClockReset, hash.as_bytes(), &signature)?;
    let record = ClockReset { signature, statement };
    let draft = Draft::seal(Kind::ClockReset, &record, vec![]).map_err(RunError::from)?;
    core.authority.append(core, vec![draft], vec![], |_| vec![]).await?;
    Ok(status)
}

/// What the clock says now, and the latest time on record.
pub(super) fn status(core: &Core) -> ClockStatus {
    let now = core.authority.state().peek(&*core.host.clock);
    ClockStatus { high_water_ms: now.judged_ms, reading_ms: reading(&*core.host.clock) }
}

/// The latest time on record in a store since the last reset of its clock, in milliseconds since 1970; 0 in an empty one.
///
/// It reads the end of the store only. Times do not strictly ascend with positions: an entry may be stored after one that
/// was written later on another run. But most of a run's entries are stored one by one, and what is written after another entry was
/// stored has a time at or after all that stand before that one. So where a run has two such entries in what was read, nothing
/// further back is later.
///
/// # Errors
/// When the store fails.
pub async fn latest_time(store: &dyn LedgerStore) -> Result<u64, StoreError> {
    let Position(mut end) = length(store).await?;
    let (mut latest, mut seen) = (0, BTreeSet::<TrajectoryId>::new());
    while end > 0 {
        let from = end.saturating_sub(PAGE);
        let page = store.scan(Position(from), usize::try_from(end - from).unwrap_or(usize::MAX)).await?;
        let mut bounded = false;
        for (_, entry) in page.iter().rev() {
            latest = latest.max(entry.header.time_ms);
            if entry.header.known_kind() == Some(Kind::ClockReset) {
                return Ok(latest);
            }
            bounded |= seen.contains(&entry.header.trajectory);
            if stored_alone(entry) {
                seen.insert(entry.header.trajectory);
            }
        }
        if bounded {
            break;
        }
        end = from;
    }
    Ok(latest)
}

/// How many entries a store has. A read-only store takes no batch, not even an empty one.
async fn length(store: &dyn LedgerStore) -> Result<Position, StoreError> {
    match store.append(Batch::default()).await {
        Ok(next) => Ok(next),
        Err(_) => {
            let (mut after, mut last) = (None, None);
            loop {
                let page = store.trajectories(after.as_ref(), 512).await?;
                last = page.iter().map(|(_, head)| head.position).max().max(last);
                match page.last() {
                    Some((trajectory, _)) => after = Some(*trajectory),
                    None => return Ok(last.map_or(Position(0), |Position(last)| Position(last + 1))),
                }
            }
        }
    }
}

/// Whether no entry of the same trajectory can have been stored in one batch with it.
fn stored_alone(entry: &Entry) -> bool {
    match entry.header.known_kind() {
        Some(kind) if kind.is_authority() => matches!(kind, Kind::RunOpened | Kind::StartRefused | Kind::Revocation),
        // Beside the vote that decides it, or the end of the run.
        Some(Kind::Vote | Kind::ApprovalOutcome | Kind::Terminated) => false,
        _ => true,
    }
}

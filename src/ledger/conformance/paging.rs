use std::{fmt::Debug, sync::Arc};

use super::{
    Outcome, ensure,
    sample::{Chain, append, entries, key, registers, said, set},
};
use crate::ledger::{LedgerStore, Position, StoreError};

/// Checks one page: what is expected after the start, cut at the limit.
fn page<T: PartialEq + Debug>(
    what: &str,
    found: Result<Vec<T>, StoreError>,
    expected: impl Iterator<Item = T>,
    limit: usize,
) -> Outcome {
    let (found, expected) = (found.map_err(said)?, expected.take(limit).collect::<Vec<_>>());
    ensure!(found.len() == expected.len(), "{what}, at most {limit}: {} instead of {}", found.len(), expected.len());
    ensure!(found == expected, "{what}, at most {limit}: other content or order than stored");
    Ok(())
}

const LIMITS: [usize; 6] = [0, 1, 2, 33, 100, usize::MAX];

pub(super) async fn reading_a_trajectory_pages(store: Arc<impl LedgerStore>) -> Outcome {
    let (mut one, mut two) = (Chain::new(1), Chain::new(2));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        first.extend(one.take(1));
        second.extend(two.take(1));
        let batch = [first.last(), second.last()].into_iter().flatten().cloned().collect();
        append(&*store, entries(batch)).await?;
    }
    for (chain, stored) in [(one, first), (two, second)] {
        for from in [0, 1, 31, 32, 33, 63, 64, 98, 99, 100, 101, u64::MAX] {
            for limit in LIMITS {
                let found = store.read(&chain.id(), from, limit).await;
                let start = usize::try_from(from).unwrap_or(usize::MAX);
                page(&format!("reading from seq {from}"), found, stored.iter().skip(start).cloned(), limit)?;
            }
        }
    }
    let found = store.read(&Chain::new(3).id(), 0, 10).await;
    page("reading a trajectory that is not there", found, std::iter::empty(), 10)
}

pub(super) async fn scanning_pages(store: Arc<impl LedgerStore>) -> Outcome {
    let mut stored = Vec::new();
    for number in 0..10 {
        let batch = Chain::new(number).take(10);
        append(&*store, entries(batch.clone())).await?;
        stored.extend(batch);
    }
    let stored: Vec<_> = (0..).map(Position).zip(stored).collect();
    for from in [0, 1, 15, 31, 32, 50, 98, 99, 100, 101, u64::MAX] {
        for limit in LIMITS {
            let found = store.scan(Position(from), limit).await;
            let start = usize::try_from(from).unwrap_or(usize::MAX);
            page(&format!("scanning from position {from}"), found, stored.iter().skip(start).cloned(), limit)?;
        }
    }
    Ok(())
}

pub(super) async fn listing_trajectories_pages(store: Arc<impl LedgerStore>) -> Outcome {
    for number in [200, 0, 255, 3, 100] {
        append(&*store, entries(Chain::new(number).take(usize::from(number) % 7 + 1))).await?;
    }
    let mut expected = Vec::new();
    for number in [0, 3, 100, 200, 255] {
        let trajectory = Chain::new(number).id();
        let head = store.head(&trajectory).await.map_err(said)?.ok_or("a trajectory has no head")?;
        expected.push((trajectory, head));
    }
    for limit in LIMITS {
        page("listing trajectories", store.trajectories(None, limit).await, expected.iter().copied(), limit)?;
        for after in [0, 1, 3, 150, 200, 255] {
            let id = Chain::new(after).id();
            let rest = expected.iter().copied().filter(|(other, _)| *other > id);
            page(
                &format!("listing trajectories after {after}"),
                store.trajectories(Some(&id), limit).await,
                rest,
                limit,
            )?;
        }
    }
    Ok(())
}

pub(super) async fn listing_registers_pages(store: Arc<impl LedgerStore>) -> Outcome {
    let keys: [&[u8]; 10] = [b"", b"\0", b"a", b"a\0", b"a1", b"a2", b"a2\xff", b"b", b"\xff", b"\xff\xff"];
    append(&*store, registers(keys.iter().rev().map(|key| set(key, Some(key))).collect())).await?;
    let others: [&[u8]; 4] = [b"a11", b"A", b"c", b"\xff\xff\xff"];
    for prefix in keys.iter().chain(&others) {
        for after in std::iter::once(None).chain(keys.iter().chain(&others).map(Some)) {
            for limit in LIMITS {
                let found = store.registers(prefix, after.map(|after| key(after)).as_ref(), limit).await;
                let expected =
                    keys.iter().filter(|key| key.starts_with(prefix) && after.is_none_or(|after| *key > after));
                let what = format!("listing registers with prefix {prefix:?} after {after:?}");
                page(&what, found, expected.map(|bytes| (key(bytes), (*bytes).into())), limit)?;
            }
        }
    }
    Ok(())
}

use std::sync::Arc;

use super::{
    Outcome, ensure,
    sample::{Chain, append, contents, entries, holds, key, registers, said, set},
};
use crate::{
    canon::EntryId,
    ledger::{Batch, Entry, Head, LedgerStore, Position, StoreError},
};

pub(super) async fn an_empty_store_holds_nothing(store: Arc<impl LedgerStore>) -> Outcome {
    let trajectory = Chain::new(1).id();
    ensure!(store.head(&trajectory).await.map_err(said)?.is_none(), "a trajectory that was never started has a head");
    ensure!(
        store.read(&trajectory, 0, 10).await.map_err(said)?.is_empty(),
        "a trajectory that was never started has entries"
    );
    ensure!(store.scan(Position(0), 10).await.map_err(said)?.is_empty(), "the new store has entries");
    ensure!(store.trajectories(None, 10).await.map_err(said)?.is_empty(), "the new store has trajectories");
    ensure!(store.register(&key(b"r")).await.map_err(said)?.is_none(), "the new store has registers");
    ensure!(store.registers(&[], None, 10).await.map_err(said)?.is_empty(), "the new store lists registers");
    Ok(())
}

pub(super) async fn positions_ascend_without_gaps(store: Arc<impl LedgerStore>) -> Outcome {
    let mut chains = [Chain::new(1), Chain::new(2), Chain::new(3)];
    let mut expected = Vec::new();
    for round in 0..40 {
        let mut batch = Vec::new();
        for (number, chain) in chains.iter_mut().enumerate() {
            batch.extend(chain.take((round + number) % 3));
        }
        let first = append(&*store, entries(batch.clone())).await?;
        ensure!(
            first == Position(expected.len() as u64),
            "a batch was put at position {}, and {} entries were there before",
            first.0,
            expected.len()
        );
        expected.extend(batch);
    }
    let found = store.scan(Position(0), usize::MAX).await.map_err(said)?;
    let expected: Vec<_> = (0..).map(Position).zip(expected).collect();
    ensure!(found == expected, "the store lists its entries at other positions or in another order than appended");
    Ok(())
}

pub(super) async fn an_empty_batch_tells_the_next_position(store: Arc<impl LedgerStore>) -> Outcome {
    for (batch, next) in [
        (Batch::default(), 0),
        (registers(vec![set(b"r", Some(b"1"))]), 0),
        (entries(Chain::new(1).take(3)), 0),
        (Batch::default(), 3),
        (registers(vec![set(b"r", None)]), 3),
    ] {
        let found = append(&*store, batch).await?;
        ensure!(found == Position(next), "a batch was answered with position {}, and {next} comes next", found.0);
    }
    Ok(())
}

pub(super) async fn heads_follow_the_entries(store: Arc<impl LedgerStore>) -> Outcome {
    let (mut one, mut two) = (Chain::new(1), Chain::new(2));
    let mut position = 0;
    for round in 0..80 {
        for chain in [&mut one, &mut two] {
            let batch = chain.take(round % 2 + 1);
            let last = batch.last().cloned();
            position += batch.len() as u64;
            append(&*store, entries(batch)).await?;
            let head = store.head(&chain.id()).await.map_err(said)?;
            let expected = last.map(|last| head_at(&last, position - 1));
            ensure!(head == expected, "the head is {head:?} after appending {expected:?}");
        }
    }
    Ok(())
}

fn head_at(entry: &Entry, position: u64) -> Head {
    Head { seq: entry.header.seq, id: entry.id(), position: Position(position) }
}

pub(super) async fn an_entry_must_follow_its_head(store: Arc<impl LedgerStore>) -> Outcome {
    let mut chain = Chain::new(1);
    let stored = chain.take(3);
    append(&*store, entries(stored.clone())).await?;
    let before = contents(&*store).await?;

    let next = chain.peek(b"next");
    let with = |change: fn(&mut Entry), mut entry: Entry| {
        change(&mut entry);
        entry
    };
    let fresh = Chain::new(2).peek(b"first");
    let mut after = chain.clone();
    after.follow(&next);
    let wrong = [
        ("the head's seq again", vec![with(|e| e.header.seq -= 1, next.clone())]),
        ("the first seq again", vec![with(|e| (e.header.seq, e.header.parent) = (0, EntryId::ZERO), next.clone())]),
        ("a seq too far", vec![with(|e| e.header.seq += 1, next.clone())]),
        ("the last seq that there is", vec![with(|e| e.header.seq = u64::MAX, next.clone())]),
        ("another parent", vec![with(|e| e.header.parent = EntryId([7; 32]), next.clone())]),
        ("no parent", vec![with(|e| e.header.parent = EntryId::ZERO, next.clone())]),
        ("the grandparent as parent", stored.get(1).map(|e| with_parent(&next, e.id())).into_iter().collect()),
        ("a new trajectory that starts at 1", vec![with(|e| e.header.seq = 1, fresh.clone())]),
        ("a new trajectory with a parent", vec![with(|e| e.header.parent = EntryId([7; 32]), fresh.clone())]),
        ("one entry twice in a batch", vec![next.clone(), next.clone()]),
        ("two entries with one parent in a batch", vec![next.clone(), with(|e| e.header.seq += 1, next.clone())]),
        ("a batch in descending order", vec![after.peek(b"after"), next.clone()]),
    ];
    for (what, batch) in wrong {
        let refused = batch.iter().map(|entry| (entry.header.trajectory, entry.header.seq)).collect::<Vec<_>>();
        match store.append(entries(batch)).await {
            Err(StoreError::HeadMoved { trajectory, found }) if refused.contains(&(trajectory, found)) => {}
            other => return Err(format!("{what} was answered with {other:?}")),
        }
        ensure!(contents(&*store).await? == before, "{what} was refused and changed the store all the same");
    }
    append(&*store, entries(vec![next, after.peek(b"after")])).await.map(drop)
}

fn with_parent(entry: &Entry, parent: EntryId) -> Entry {
    let mut entry = entry.clone();
    entry.header.parent = parent;
    entry
}

pub(super) async fn a_refused_batch_leaves_nothing(store: Arc<impl LedgerStore>) -> Outcome {
    let (mut one, mut two) = (Chain::new(1), Chain::new(2));
    let first = [one.take(2), two.take(2)].concat();
    append(&*store, Batch { entries: first, registers: vec![set(b"r", Some(b"1"))] }).await?;
    let before = contents(&*store).await?;

    let mut wrong = two.peek(b"wrong");
    wrong.header.seq += 1;
    let mut good = one.clone().take(2);
    good.push(Chain::new(3).peek(b"root"));
    let changes = vec![set(b"r", Some(b"2")), set(b"s", Some(b"3"))];
    for place in 0..=good.len() {
        let mut batch = good.clone();
        batch.insert(place, wrong.clone());
        match store.append(Batch { entries: batch, registers: changes.clone() }).await {
            Err(StoreError::HeadMoved { trajectory, found }) if (trajectory, found) == (two.id(), wrong.header.seq) => {
            }
            other => return Err(format!("a batch with a wrong entry at place {place} was answered with {other:?}")),
        }
        ensure!(
            contents(&*store).await? == before,
            "a refused batch with a wrong entry at place {place} left something"
        );
    }
    let next = append(&*store, entries(good.clone())).await?;
    ensure!(next == Position(4), "refused batches used up positions: the next was {}", next.0);
    holds(&*store, &Chain::new(3).id(), good.get(2..).unwrap_or_default()).await
}

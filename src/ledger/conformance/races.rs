use std::sync::{Arc, Barrier};

use futures::{channel::oneshot, executor::block_on};

use super::{
    Outcome, ensure,
    sample::{Chain, entries, expect, holds, key, registers, said, set},
};
use crate::{
    canon::Bytes,
    ledger::{Entry, LedgerStore, StoreError},
};

const WRITERS: u8 = 8;
const ROUNDS: usize = 25;
/// How often a writer may lose before it gives up: far more often than it can lose to writers that make progress.
const ATTEMPTS: usize = 10_000;

/// Runs `work` on eight threads at once and collects what each returns.
async fn race<S, T>(
    store: &Arc<S>,
    work: impl Fn(u8, &S) -> Result<T, String> + Clone + Send + 'static,
) -> Result<Vec<T>, String>
where
    S: LedgerStore + 'static,
    T: Send + 'static,
{
    let start = Arc::new(Barrier::new(WRITERS.into()));
    let mut results = Vec::new();
    for writer in 0..WRITERS {
        let (store, start, work) = (Arc::clone(store), Arc::clone(&start), work.clone());
        let (sender, receiver) = oneshot::channel();
        let run = move || {
            start.wait();
            drop(sender.send(work(writer, &store)));
        };
        std::thread::Builder::new().spawn(run).map_err(|error| format!("no thread could be started: {error}"))?;
        results.push(receiver);
    }
    let mut done = Vec::new();
    for result in results {
        done.push(result.await.map_err(|_| "the store panicked")??);
    }
    Ok(done)
}

pub(super) async fn one_writer_wins_each_seq<S: LedgerStore + 'static>(store: Arc<S>) -> Outcome {
    let won = race(&store, |writer, store| {
        let (mut chain, mut won) = (Chain::new(1), Vec::new());
        for _ in 0..ATTEMPTS {
            if won.len() == ROUNDS {
                break;
            }
            let entry = chain.peek(&[writer]);
            match block_on(store.append(entries(vec![entry.clone()]))) {
                Ok(_) => won.push(entry),
                Err(StoreError::HeadMoved { .. }) => {}
                Err(error) => return Err(said(error)),
            }
            let head = block_on(store.head(&chain.id())).map_err(said)?.ok_or("the trajectory has no head")?;
            ensure!(
                won.last().is_none_or(|last: &Entry| last.header.seq <= head.seq),
                "an acknowledged append is behind the head that is read after it"
            );
            chain.resume(head.seq, head.id);
        }
        ensure!(won.len() == ROUNDS, "a writer lost {ATTEMPTS} times");
        Ok(won)
    })
    .await?;
    let mut won: Vec<_> = won.into_iter().flatten().collect();
    won.sort_by_key(|entry| entry.header.seq);
    let seqs = won.iter().map(|entry| entry.header.seq);
    ensure!(seqs.eq(0..won.len() as u64), "two appends were acknowledged for one seq");
    holds(&*store, &Chain::new(1).id(), &won).await
}

pub(super) async fn writers_of_different_trajectories_do_not_disturb_each_other<S: LedgerStore + 'static>(
    store: Arc<S>,
) -> Outcome {
    let written = race(&store, |writer, store| {
        let (mut chain, mut stored, mut positions) = (Chain::new(writer), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let batch = chain.take(round % 3 + 1);
            let first = block_on(store.append(entries(batch.clone()))).map_err(said)?;
            positions.extend((first.0..).take(batch.len()));
            stored.extend(batch);
            block_on(holds(store, &chain.id(), &stored))?;
        }
        Ok((chain.id(), stored, positions))
    })
    .await?;
    let mut positions = Vec::new();
    for (trajectory, stored, used) in written {
        holds(&*store, &trajectory, &stored).await?;
        positions.extend(used);
    }
    positions.sort_unstable();
    ensure!(positions.iter().copied().eq(0..positions.len() as u64), "positions were given twice or left out");
    Ok(())
}

pub(super) async fn a_compared_register_loses_no_update<S: LedgerStore + 'static>(store: Arc<S>) -> Outcome {
    race(&store, |_, store| {
        let mut left = ROUNDS;
        for _ in 0..ATTEMPTS {
            if left == 0 {
                return Ok(());
            }
            let value = block_on(store.register(&key(b"count"))).map_err(said)?;
            let next = (count(value.as_ref())? + 1).to_be_bytes();
            let ops = vec![expect(b"count", value.as_deref()), set(b"count", Some(&next))];
            match block_on(store.append(registers(ops))) {
                Ok(_) => left -= 1,
                Err(StoreError::RegisterChanged { .. }) => {}
                Err(error) => return Err(said(error)),
            }
        }
        Err(format!("a writer lost {ATTEMPTS} times"))
    })
    .await?;
    let expected = u64::from(WRITERS) * ROUNDS as u64;
    let found = count(store.register(&key(b"count")).await.map_err(said)?.as_ref())?;
    ensure!(found == expected, "{expected} increments were acknowledged, and the register counts {found}");
    Ok(())
}

fn count(value: Option<&Bytes>) -> Result<u64, String> {
    let Some(value) = value else { return Ok(0) };
    let value = <[u8; 8]>::try_from(&**value).map_err(|_| "a register came back with another length")?;
    Ok(u64::from_be_bytes(value))
}

use std::{
    collections::HashMap,
    convert::Infallible,
    num::NonZeroUsize,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// How many items a thread takes at a time.
const CHUNK: usize = 64;
/// From so many chunks on it pays to wake other threads.
const WORTH_HELP: usize = 2;

/// How many threads work at once: as many as were asked for, or as the machine runs.
pub(super) fn count(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Works on all items, chunk by chunk on several threads, and hands each result to `take` in the order of the items, on the
/// caller's thread. It stops at the first error of `take`.
///
/// `work` gives one result for each item of a chunk.
pub(super) fn in_order<I: Sync, T: Send, E>(
    workers: NonZeroUsize,
    items: &[I],
    work: impl Fn(&[I]) -> Vec<T> + Sync,
    mut take: impl FnMut(&I, T) -> Result<(), E>,
) -> Result<(), E> {
    let mut take_all =
        |chunk: &[I], results: Vec<T>| chunk.iter().zip(results).try_for_each(|(item, of)| take(item, of));
    let chunks: Vec<_> = items.chunks(CHUNK).collect();
    let helpers = if chunks.len() < WORTH_HELP { 0 } else { (workers.get() - 1).min(chunks.len()) };
    if helpers == 0 {
        return chunks.into_iter().try_for_each(|chunk| take_all(chunk, work(chunk)));
    }
    let next = AtomicUsize::new(0);
    let claim = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        chunks.get(at).map(|chunk| (at, *chunk))
    };
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..helpers {
            let sender = sender.clone();
            let help = || {
                let sender = sender;
                while let Some((at, chunk)) = claim() {
                    if sender.send((at, work(chunk))).is_err() {
                        break;
                    }
                }
            };
            // A thread that cannot be had leaves more to the others.
            drop(thread::Builder::new().spawn_scoped(scope, help));
        }
        drop(sender);
        let mut done = HashMap::new();
        for (at, chunk) in chunks.iter().enumerate() {
            let found = loop {
                done.extend(results.try_iter());
                if let Some(found) = done.remove(&at) {
                    break found;
                }
                let (at, found) = match claim() {
                    Some((at, chunk)) => (at, work(chunk)),
                    // Another thread has it. When all are gone without it, one has panicked, and this scope will too.
                    None => results.recv().unwrap_or_else(|_| (at, work(chunk))),
                };
                done.insert(at, found);
            };
            if let Err(error) = take_all(chunk, found) {
                next.store(chunks.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    })
}

/// The results for all items, in their order.
pub(super) fn map<I: Sync, T: Send>(
    workers: Option<NonZeroUsize>,
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let mut results = Vec::with_capacity(items.len());
    let take = |_: &I, result| {
        results.push(result);
        Ok::<_, Infallible>(())
    };
    let Ok(()) = in_order(count(workers), items, |chunk| chunk.iter().map(&work).collect(), take);
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn results_come_in_order_whoever_works_and_end_at_the_first_error(
            (count, workers, bad) in (0usize..700, 1usize..6, 0usize..900),
        ) {
            let items: Vec<_> = (0..count).collect();
            let mut taken = Vec::new();
            let double = |chunk: &[usize]| chunk.iter().map(|item| item * 2).collect();
            let ended = in_order(NonZeroUsize::new(workers).unwrap(), &items, double, |item, doubled| {
                taken.push((*item, doubled));
                if *item == bad { Err(*item) } else { Ok(()) }
            });
            prop_assert_eq!(ended.err(), (bad < count).then_some(bad));
            let until = count.min(bad + 1);
            prop_assert_eq!(taken, (0..until).map(|item| (item, item * 2)).collect::<Vec<_>>());
        }
    }
}

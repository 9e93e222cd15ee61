use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

/// How many items a thread takes at a time.
const CHUNK: usize = 64;

/// How many threads work at once: as many as were asked for, or as the machine runs.
pub(super) fn workers(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Works on items chunk by chunk on several threads, ahead of the caller, who takes the results in order.
///
/// The caller's thread is one of them, whenever it would have to wait. The others start when there is more than one chunk,
/// and end when this is dropped.
pub(super) struct Ahead<I, T> {
    shared: Arc<Shared<I, T>>,
    workers: NonZeroUsize,
    threads: Vec<JoinHandle<()>>,
    sender: mpsc::Sender<(u64, Found<T>)>,
    receiver: mpsc::Receiver<(u64, Found<T>)>,
    /// What was given and not taken, the oldest first.
    given: VecDeque<Chunk<I>>,
    /// The number of the oldest.
    oldest: u64,
    /// What was found for others before their turn.
    found: HashMap<u64, Found<T>>,
}

/// Some items of those that were given together.
struct Chunk<I> {
    all: Arc<[I]>,
    range: Range<usize>,
}

/// The results for a chunk; none where a thread panicked over it.
struct Found<T> {
    results: Option<Vec<T>>,
    /// Whether it was not the caller's thread.
    elsewhere: bool,
}

/// Items with their results.
pub(super) struct Taken<I, T> {
    chunk: Chunk<I>,
    results: Vec<T>,
    elsewhere: bool,
}

/// Gives one result for each item.
type Work<I, T> = dyn Fn(&[I]) -> Vec<T> + Send + Sync;

struct Shared<I, T> {
    work: Box<Work<I, T>>,
    queue: Mutex<Queue<I, T>>,
    more: Condvar,
}

struct Queue<I, T> {
    waiting: VecDeque<(u64, Chunk<I>)>,
    /// Results that nobody needs any more.
    spent: Vec<Vec<T>>,
    closed: bool,
}

impl<I> Clone for Chunk<I> {
    fn clone(&self) -> Self {
        Self { all: Arc::clone(&self.all), range: self.range.clone() }
    }
}

impl<I> Chunk<I> {
    fn items(&self) -> &[I] {
        self.all.get(self.range.clone()).unwrap_or_default()
    }
}

impl<I, T> Taken<I, T> {
    /// The items, and the result for each.
    pub(super) fn each(&mut self) -> impl Iterator<Item = (&I, &mut T)> {
        self.chunk.items().iter().zip(&mut self.results)
    }
}

impl<I, T> Shared<I, T> {
    fn queue(&self) -> MutexGuard<'_, Queue<I, T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on a chunk. A panic is kept for when its turn comes: what stands before it comes first.
    fn work_on(&self, chunk: &Chunk<I>, elsewhere: bool) -> Found<T> {
        let results = catch_unwind(AssertUnwindSafe(|| (self.work)(chunk.items()))).ok();
        Found { results, elsewhere }
    }

    /// The next chunk, as soon as there is one, and what is spent; none when there will be no more.
    fn wait(&self) -> Option<(u64, Chunk<I>, Vec<Vec<T>>)> {
        let mut queue = self.queue();
        while !queue.closed {
            if let Some((number, chunk)) = queue.waiting.pop_front() {
                return Some((number, chunk, std::mem::take(&mut queue.spent)));
            }
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }
}

impl<I: Send + Sync + 'static, T: Send + 'static> Ahead<I, T> {
    /// `work` gives one result for each item of a chunk.
    pub(super) fn new(workers: NonZeroUsize, work: impl Fn(&[I]) -> Vec<T> + Send + Sync + 'static) -> Self {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), spent: Vec::new(), closed: false });
        let (sender, receiver) = mpsc::channel();
        Self {
            shared: Arc::new(Shared { work: Box::new(work), queue, more: Condvar::new() }),
            workers,
            threads: Vec::new(),
            sender,
            receiver,
            given: VecDeque::new(),
            oldest: 0,
            found: HashMap::new(),
        }
    }

    /// Hands over the next items, to be worked on from now on.
    pub(super) fn give(&mut self, items: Vec<I>) {
        let all: Arc<[I]> = items.into();
        let chunk = |start: usize| Chunk { all: Arc::clone(&all), range: start..all.len().min(start + CHUNK) };
        let chunks: Vec<_> = (0..all.len()).step_by(CHUNK).map(chunk).collect();
        let first = self.oldest + self.given.len() as u64;
        self.shared.queue().waiting.extend((first..).zip(chunks.iter().cloned()));
        self.given.extend(chunks);
        if self.given.len() > 1 {
            self.start();
            self.shared.more.notify_all();
        }
    }

    /// Starts as many threads as there is work for.
    fn start(&mut self) {
        while self.threads.len() + 1 < self.workers.get().min(self.given.len()) {
            let (shared, sender) = (Arc::clone(&self.shared), self.sender.clone());
            let help = move || {
                while let Some((number, chunk, spent)) = shared.wait() {
                    drop(spent);
                    if sender.send((number, shared.work_on(&chunk, true))).is_err() {
                        break;
                    }
                }
            };
            match thread::Builder::new().spawn(help) {
                Ok(thread) => self.threads.push(thread),
                // A thread that cannot be had leaves more to the others.
                Err(_) => break,
            }
        }
    }

    /// The oldest items that were not taken, with their results, as long as there are more than `leave`.
    pub(super) fn take(&mut self, leave: usize) -> Option<Taken<I, T>> {
        if self.given.len() <= leave.div_ceil(CHUNK) {
            return None;
        }
        let chunk = self.given.pop_front()?;
        let found = self.find();
        self.oldest += 1;
        // Where the work panicked, it does so again: here.
        let results = found.results.unwrap_or_else(|| (self.shared.work)(chunk.items()));
        Some(Taken { chunk, results, elsewhere: found.elsewhere })
    }

    /// Gives back what was taken. Memory is best freed by the thread that asked for it: here the two would stand in each
    /// other's way.
    pub(super) fn give_back(&mut self, taken: Taken<I, T>) {
        if taken.elsewhere {
            self.shared.queue().spent.push(taken.results);
        }
    }

    /// What was found for the oldest chunk.
    fn find(&mut self) -> Found<T> {
        loop {
            self.found.extend(self.receiver.try_iter());
            if let Some(found) = self.found.remove(&self.oldest) {
                return found;
            }
            let next = self.shared.queue().waiting.pop_front();
            self.found.extend(match next {
                Some((number, chunk)) => Some((number, self.shared.work_on(&chunk, false))),
                // Another thread has it.
                None => self.receiver.recv().ok(),
            });
        }
    }
}

impl<I, T> Drop for Ahead<I, T> {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.more.notify_all();
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    proptest! {
        #[test]
        fn results_come_in_order_whoever_works(
            (pages, leave, count) in (prop::collection::vec(0usize..300, 0..6), 0usize..300, 1usize..6),
        ) {
            let mut ahead = Ahead::new(some(count), |chunk: &[usize]| chunk.iter().map(|item| item * 2).collect());
            let (mut given, mut taken) = (0, Vec::new());
            let leaves: Vec<_> = pages.iter().skip(1).map(|_| leave).chain([0]).collect();
            for (page, leave) in pages.into_iter().zip(leaves) {
                ahead.give((given..given + page).collect());
                given += page;
                while let Some(mut chunk) = ahead.take(leave) {
                    taken.extend(chunk.each().map(|(item, doubled)| (*item, *doubled)));
                    ahead.give_back(chunk);
                }
                prop_assert!(given - taken.len() < leave + CHUNK);
            }
            prop_assert_eq!(taken, (0..given).map(|item| (item, item * 2)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_when_its_turn_comes() {
        let mut ahead = Ahead::new(some(3), |chunk: &[usize]| {
            assert!(!chunk.contains(&400), "it is the four hundredth");
            chunk.to_vec()
        });
        ahead.give((0..1000).collect());
        let mut taken = 0;
        let took = catch_unwind(AssertUnwindSafe(|| {
            while let Some(mut chunk) = ahead.take(0) {
                taken += chunk.each().count();
            }
        }));
        assert!(took.is_err());
        assert_eq!(taken, 384);
    }
}

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::job::Job;

/// The most batches, and about the most bytes, that share one commit.
const GROUP_BATCHES: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;

/// The batches on their way to the writer. It is woken when as many wait as it wants, and not for each of them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    enough: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// How many the writer waits for.
    wanted: usize,
    /// Nobody adds any more, or nobody takes.
    closed: bool,
}

impl Queue {
    /// Adds a batch. Where the writer has stopped it is dropped, and with it the sender of the answer.
    pub(super) fn push(&self, job: Job) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        waiting.bytes += job.bytes();
        waiting.jobs.push_back(job);
        if waiting.is_enough() {
            drop(waiting);
            self.enough.notify_one();
        }
    }

    /// Takes no more batches; those that wait are still served.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.enough.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that is done under the lock can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_enough(&self) -> bool {
        self.closed || self.jobs.len() >= self.wanted.min(GROUP_BATCHES) || self.bytes >= GROUP_BYTES
    }
}

/// The writer's end of the queue. Nothing is added once it is gone, and nobody waits in vain for an answer.
#[derive(Debug)]
pub(super) struct Served(pub(super) Arc<Queue>);

impl Served {
    /// Waits until there is a batch, or never will be: then the answer is `false`.
    pub(super) fn wait(&self) -> bool {
        let mut waiting = self.0.lock();
        waiting.wanted = 1;
        while !waiting.is_enough() {
            waiting = self.0.enough.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        !waiting.jobs.is_empty()
    }

    /// Waits until there are `wanted` batches, or none has come for the time of `gap`, or that of `patience` has passed.
    pub(super) fn wait_for(&self, wanted: usize, gap: Duration, patience: Duration) {
        let mut waiting = self.0.lock();
        waiting.wanted = wanted;
        let (mut before, mut left) = (0, patience);
        while !waiting.is_enough() && waiting.jobs.len() > before && !left.is_zero() {
            before = waiting.jobs.len();
            let pause = gap.min(left);
            let until_enough = |waiting: &mut Waiting| !waiting.is_enough();
            let woken = self.0.enough.wait_timeout_while(waiting, pause, until_enough);
            (waiting, _) = woken.unwrap_or_else(PoisonError::into_inner);
            left = left.saturating_sub(pause);
        }
    }

    /// Takes the batches that wait, up to what one commit takes.
    pub(super) fn take(&self) -> Vec<Job> {
        let mut waiting = self.0.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
            let Some(job) = waiting.jobs.pop_front() else { break };
            bytes += job.bytes();
            group.push(job);
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        group
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.closed = true;
        let jobs = std::mem::take(&mut waiting.jobs);
        // Whoever waits for an answer is woken without the lock.
        drop(waiting);
        drop(jobs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Batch, Position, StoreError};
    use futures::channel::oneshot::{Receiver, channel};

    const LONG: Duration = Duration::from_secs(3600);

    fn push(queue: &Queue) -> Receiver<Result<Position, StoreError>> {
        let (answer, answered) = channel();
        queue.push(Job::new(Batch::default(), answer).unwrap());
        answered
    }

    #[test]
    fn waiting_ends_when_as_many_have_come_as_are_wanted() {
        let served = Served(Arc::default());
        let _first = push(&served.0);
        assert!(served.wait());
        std::thread::scope(|scope| {
            let _others = scope.spawn(|| [push(&served.0), push(&served.0)]);
            served.wait_for(3, LONG, LONG);
        });
        assert_eq!((served.take().len(), served.take().len()), (3, 0));
    }

    #[test]
    fn waiting_ends_when_nobody_comes_and_when_it_was_long_enough() {
        let served = Served(Arc::default());
        let _first = push(&served.0);
        served.wait_for(2, Duration::from_millis(1), LONG);
        served.wait_for(2, LONG, Duration::from_millis(1));
        assert_eq!(served.take().len(), 1);
    }

    #[test]
    fn what_was_added_before_the_end_is_served_and_nothing_after_it() {
        let served = Served(Arc::default());
        let (_first, _second) = (push(&served.0), push(&served.0));
        served.0.close();
        served.wait_for(9, LONG, LONG);
        assert!(served.wait());
        assert_eq!(served.take().len(), 2);
        assert!(!served.wait());
        assert!(futures::executor::block_on(push(&served.0)).is_err());
    }

    #[test]
    fn a_writer_that_stops_leaves_nobody_waiting() {
        let served = Served(Arc::default());
        let (queue, answered) = (Arc::clone(&served.0), push(&served.0));
        drop(served);
        assert!(futures::executor::block_on(answered).is_err());
        assert!(futures::executor::block_on(push(&queue)).is_err());
    }

    #[test]
    fn a_commit_takes_so_many_bytes_and_batches() {
        let served = Served(Arc::default());
        let _answers: Vec<_> = (0..=GROUP_BATCHES).map(|_| push(&served.0)).collect();
        served.wait_for(usize::MAX, LONG, LONG);
        assert_eq!((served.take().len(), served.take().len()), (GROUP_BATCHES, 1));

        let large = |_| {
            let (answer, answered) = channel();
            served.0.push(Job::keep([0; 40], vec![0; GROUP_BYTES / 2 + 1].into(), answer));
            answered
        };
        let _answers: Vec<_> = (0..3).map(large).collect();
        served.wait_for(usize::MAX, LONG, LONG);
        assert_eq!((served.take().len(), served.take().len()), (2, 1));
    }
}

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures::{channel::oneshot, future::BoxFuture};

/// Wakes a future after a time.
///
/// # Contract
/// The future completes not before `after` has passed, and soon afterwards.
pub trait Timer: Send + Sync {
    /// A future that completes `after` from now.
    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()>;
}

/// One thread of the standard library for all timers of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadTimer;

impl Timer for ThreadTimer {
    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()> {
        let (sender, receiver) = oneshot::channel();
        let Some(at) = Instant::now().checked_add(after) else {
            return Box::pin(futures::future::pending());
        };
        Queue::global().push(at, sender);
        Box::pin(async move {
            // A timer that cannot fire counts as fired: what it guards ends, never hangs.
            receiver.await.ok();
        })
    }
}

#[derive(Default)]
struct Queue {
    heap: Mutex<(BinaryHeap<Reverse<Due>>, u64)>,
    wake: Condvar,
}

struct Due {
    at: Instant,
    order: u64,
    sender: oneshot::Sender<()>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl Queue {
    fn global() -> &'static Arc<Self> {
        static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();
        QUEUE.get_or_init(|| {
            let queue = Arc::new(Self::default());
            let worker = Arc::clone(&queue);
            // Without a thread the senders pile up unfired; `push` then drops them, which fires at once.
            if std::thread::Builder::new().name("thymos-timer".into()).spawn(move || worker.run()).is_err() {
                queue.lock().1 = u64::MAX;
            }
            queue
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (BinaryHeap<Reverse<Due>>, u64)> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, at: Instant, sender: oneshot::Sender<()>) {
        let mut heap = self.lock();
        if heap.1 == u64::MAX {
            return;
        }
        heap.1 += 1;
        let order = heap.1;
        heap.0.push(Reverse(Due { at, order, sender }));
        drop(heap);
        self.wake.notify_one();
    }

    fn run(&self) {
        let mut heap = self.lock();
        loop {
            let now = Instant::now();
            while heap.0.peek().is_some_and(|Reverse(due)| due.at <= now || due.sender.is_canceled()) {
                if let Some(Reverse(due)) = heap.0.pop() {
                    // Nobody waits any more: nothing to tell.
                    due.sender.send(()).ok();
                }
            }
            let wait = heap.0.peek().map(|Reverse(due)| due.at.saturating_duration_since(now));
            heap = match wait {
                Some(wait) => self.wake.wait_timeout(heap, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(heap).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_not_early() {
        let start = Instant::now();
        let late = ThreadTimer.sleep(Duration::from_millis(40));
        let early = ThreadTimer.sleep(Duration::from_millis(10));
        let first = futures::executor::block_on(futures::future::select(late, early));
        assert!(matches!(first, futures::future::Either::Right(_)));
        assert!(start.elapsed() >= Duration::from_millis(10));
    }
}

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Runs work that may block away from the caller's thread.
///
/// # Contract
/// Every job runs exactly once, soon, and jobs do not wait for one another.
pub trait Spawn: Send + Sync {
    /// Runs `job` on another thread.
    ///
    /// # Errors
    /// When no thread can be had; the job did not run then.
    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) -> std::io::Result<()>;
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads of the standard library, kept for ten seconds after their last job.
#[derive(Default)]
pub struct ThreadSpawn {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
}

const KEEP: Duration = Duration::from_secs(10);

impl Spawn for ThreadSpawn {
    fn spawn_blocking(&self, job: Job) -> std::io::Result<()> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.idle > state.jobs.len() {
            state.jobs.push_back(job);
            drop(state);
            self.shared.wake.notify_one();
            return Ok(());
        }
        drop(state);
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new().name("thymos-tool".into()).spawn(move || shared.work(job)).map(drop)
    }
}

impl Shared {
    fn work(&self, first: Job) {
        let mut job = first;
        loop {
            // A job that panics has told its caller through its own channel; the thread goes on.
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
            match self.next() {
                Some(next) => job = next,
                None => return,
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle += 1;
        let waited = self.wake.wait_timeout_while(state, KEEP, |state| state.jobs.is_empty());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.jobs.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_runs_even_behind_one_that_panics_or_blocks() {
        let spawn = ThreadSpawn::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        spawn.spawn_blocking(Box::new(move || blocked.recv().unwrap_or(()))).unwrap();
        spawn.spawn_blocking(Box::new(|| std::panic::panic_any(()))).unwrap();
        for number in 0..100 {
            let sender = sender.clone();
            spawn.spawn_blocking(Box::new(move || sender.send(number).unwrap())).unwrap();
        }
        let mut seen: Vec<i32> = (0..100).map(|_| receiver.recv_timeout(KEEP).unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        drop(release);
    }
}

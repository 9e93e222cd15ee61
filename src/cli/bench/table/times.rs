use std::time::{Duration, Instant};

use super::Failed;

/// How many short pieces of work are timed before it is the floor's turn.
pub(super) const BLOCK: usize = 100;

/// How many pieces of work in a row say how fast it goes while a machine is quiet.
const ROUND: usize = 500;

/// How long something took, and what came of it.
pub(super) fn timed<T>(work: impl FnOnce() -> Result<T, Failed>) -> Result<(Duration, T), Failed> {
    let start = Instant::now();
    let value = work()?;
    Ok((start.elapsed(), value))
}

/// Times of single pieces of work.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The time in nanoseconds that `percent` of them do not exceed.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(f64::NAN, |time| nanos(*time))
    }

    /// The median of the quietest [`ROUND`] in a row, in nanoseconds.
    pub(super) fn quietest(&self) -> f64 {
        let medians = self.0.chunks_exact(ROUND).map(|round| Self(round.to_vec()).percentile(50));
        medians.fold(f64::NAN, f64::min)
    }

    /// The shortest of them, in nanoseconds.
    pub(super) fn best(&self) -> f64 {
        self.0.iter().min().map_or(f64::NAN, |time| nanos(*time))
    }
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// Times of the product and of its floor.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) product: Times,
    pub(super) floor: Times,
}

impl Turns {
    /// Takes the times of `count` pieces of work, `block` of the product and then as many of its floor: noise meets both, and
    /// each finds its own caches warm, as in a process that does nothing else. The first tenth warms up and is left out.
    pub(super) fn of(
        count: usize,
        block: usize,
        mut product: impl FnMut(usize) -> Result<Duration, Failed>,
        mut floor: impl FnMut(usize) -> Result<Duration, Failed>,
    ) -> Result<Self, Failed> {
        let mut turns = Self::default();
        for from in (0..count).step_by(block.max(1)) {
            let numbers = from..count.min(from + block);
            for number in numbers.clone() {
                turns.product.0.push(product(number)?);
            }
            for number in numbers {
                turns.floor.0.push(floor(number)?);
            }
        }
        turns.product.0.drain(..count / 10);
        turns.floor.0.drain(..count / 10);
        Ok(turns)
    }

    /// Adds others, which were taken later.
    pub(super) fn extend(&mut self, later: Self) {
        self.product.0.extend(later.product.0);
        self.floor.0.extend(later.floor.0);
    }

    /// The medians: of the product and of its floor.
    pub(super) fn medians(&self) -> (f64, f64) {
        (self.product.percentile(50), self.floor.percentile(50))
    }
}

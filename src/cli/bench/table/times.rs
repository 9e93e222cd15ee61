use std::time::{Duration, Instant};

use super::Failed;

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
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time in nanoseconds that `percent` of them do not exceed. The first tenth warmed up and is left out.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted: Vec<Duration> = self.0.iter().skip(self.0.len() / 10).copied().collect();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(f64::NAN, |time| nanos(*time))
    }

    pub(super) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The shortest of them, in nanoseconds.
    pub(super) fn best(&self) -> f64 {
        self.0.iter().min().map_or(f64::NAN, |time| nanos(*time))
    }
}

pub(super) fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// Times of the product and of its floor, taken in turns so that noise meets both.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) product: Times,
    pub(super) floor: Times,
}

impl Turns {
    pub(super) fn take(&mut self, product: Duration, floor: Duration) {
        self.product.push(product);
        self.floor.push(floor);
    }

    /// The medians: of the product and of its floor.
    pub(super) fn medians(&self) -> (f64, f64) {
        (self.product.median(), self.floor.median())
    }
}

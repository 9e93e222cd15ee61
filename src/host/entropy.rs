use std::sync::atomic::{AtomicU64, Ordering};

/// The machine's random source failed.
#[derive(Debug, thiserror::Error)]
#[error("the random source failed: {0}")]
pub struct EntropyError(pub String);

/// Draws random bytes: salts and nonces.
///
/// # Contract
/// Unpredictable to anyone who does not hold the ledger. Only tests may use a seeded source.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the source fails; nothing may be sealed then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;

    /// Fills each of several salts and nonces, in order. A source that takes time to ask fills them at once.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    fn fill_each(&self, parts: &mut [[u8; 16]]) -> Result<(), EntropyError> {
        parts.iter_mut().try_for_each(|part| self.fill(part))
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|error| EntropyError(error.to_string()))
    }

    fn fill_each(&self, parts: &mut [[u8; 16]]) -> Result<(), EntropyError> {
        self.fill(parts.as_flattened_mut())
    }
}

/// A repeatable stream for tests and golden vectors: BLAKE3 of the seed and a counter. Not a secret.
#[derive(Debug, Default)]
pub struct SeededEntropy {
    seed: u64,
    counter: AtomicU64,
}

impl SeededEntropy {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let counter = self.counter.fetch_add(1, Ordering::SeqCst);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes()).update(&counter.to_le_bytes());
        hasher.finalize_xof().fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_at_once_is_drawn_for_each() {
        let (one_by_one, at_once) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let mut expected = [[0; 16]; 5];
        expected.iter_mut().for_each(|part| one_by_one.fill(part).unwrap());
        let mut drawn = [[0; 16]; 5];
        at_once.fill_each(&mut drawn).unwrap();
        assert_eq!(drawn, expected);

        let mut drawn = [[0; 16]; 100];
        SystemEntropy.fill_each(&mut drawn).unwrap();
        drawn.sort_unstable();
        assert!(drawn.windows(2).all(|pair| pair[0] != pair[1]) && drawn[0] != [0; 16]);
    }
}

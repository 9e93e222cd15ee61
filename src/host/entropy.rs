use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};

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
}

/// The operating system's random source.
///
/// Each thread asks it for some bytes ahead, since asking takes longer than all else about a salt; no byte is given twice. A
/// process that forks and goes on in both halves would give some twice: let its child start another program.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        AHEAD.with_borrow_mut(|ahead| ahead.give(bytes))
    }
}

/// How many bytes a thread asks for ahead.
const AHEAD_BYTES: usize = 512;

thread_local! {
    static AHEAD: RefCell<Ahead> = const { RefCell::new(Ahead { bytes: [0; AHEAD_BYTES], left: 0 }) };
}

/// Bytes that were asked for and not given yet.
struct Ahead {
    bytes: [u8; AHEAD_BYTES],
    left: usize,
}

impl Ahead {
    fn give(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if bytes.len() > AHEAD_BYTES {
            return system(bytes);
        }
        if self.left < bytes.len() {
            self.left = 0;
            system(&mut self.bytes)?;
            self.left = AHEAD_BYTES;
        }
        let (rest, _) = self.bytes.split_at_mut(self.left);
        self.left -= bytes.len();
        let (_, given) = rest.split_at_mut(self.left);
        bytes.copy_from_slice(given);
        given.fill(0);
        Ok(())
    }
}

fn system(bytes: &mut [u8]) -> Result<(), EntropyError> {
    getrandom::fill(bytes).map_err(|error| EntropyError(error.to_string()))
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
    fn no_byte_is_given_twice_by_any_thread() {
        let draw = || {
            let drawn = (0..300).map(|number| {
                // Now and then more than is there, and more than ever is.
                let mut bytes = vec![0; [16, 16, 32, AHEAD_BYTES - 1, AHEAD_BYTES, AHEAD_BYTES + 1][number % 6]];
                SystemEntropy.fill(&mut bytes).unwrap();
                bytes
            });
            drawn.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let mut drawn = draw();
        drawn.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        let mut pieces: Vec<_> = drawn.iter().flat_map(|bytes| bytes.windows(8)).collect();
        let count = pieces.len();
        pieces.sort_unstable();
        pieces.dedup();
        assert_eq!(pieces.len(), count);
        // What was given is nowhere but with whom it was given to.
        AHEAD.with_borrow(|ahead| assert!(ahead.left > 0 && ahead.bytes[ahead.left..].iter().all(|byte| *byte == 0)));
    }
}

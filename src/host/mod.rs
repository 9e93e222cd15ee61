//! Ports to the machine: clock, timer, threads, entropy, secrets and signing keys, with defaults on the standard library.
//!
//! The kernel names no executor and reads no clock but through these. A host replaces them to plug in its own
//! executor, an attested clock, a key service, or fixed values in tests.

mod clock;
mod entropy;
mod secrets;
mod signer;
mod spawn;
mod timer;

/// Runs a future on the calling thread until it completes: for hosts without an executor.
pub use futures::executor::block_on;

pub use clock::{Clock, FixedClock, SystemClock};
pub use entropy::{Entropy, EntropyError, SeededEntropy, SystemEntropy};
pub use secrets::{EnvSecrets, MapSecrets, NoSecrets, SecretError, SecretStore};
pub use signer::{SignError, Signer};
pub use spawn::{Spawn, ThreadSpawn};
pub use timer::{ThreadTimer, Timer};

use std::sync::Arc;

/// The ports that a runtime works through, with their defaults.
#[derive(Clone)]
pub struct Host {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws salts and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Has the secrets that arguments name by handle.
    pub secrets: Arc<dyn SecretStore>,
    /// Runs what may block.
    pub spawn: Arc<dyn Spawn>,
    /// Wakes after a time.
    pub timer: Arc<dyn Timer>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy),
            secrets: Arc::new(NoSecrets),
            spawn: Arc::new(ThreadSpawn::default()),
            timer: Arc::new(ThreadTimer),
        }
    }
}

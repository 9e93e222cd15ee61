//! Ports to the machine: clock, timer, threads, entropy and signing keys, with defaults on the standard library.
//!
//! The kernel names no executor and reads no clock but through these. A host replaces them to plug in its own
//! executor, an attested clock, a key service, or fixed values in tests.

mod clock;
mod entropy;
mod signer;
mod spawn;
mod timer;

pub use clock::{Clock, FixedClock, SystemClock};
pub use entropy::{Entropy, EntropyError, SeededEntropy, SystemEntropy};
pub use signer::{SignError, Signer};
pub use spawn::{Spawn, ThreadSpawn};
pub use timer::{ThreadTimer, Timer};

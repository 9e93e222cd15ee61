use std::{hint::black_box, thread};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};

/// As many bytes as the message has that is signed for an entry.
const MESSAGE_BYTES: usize = 62;

/// How many signatures a replay verifies together.
const BATCH: usize = 64;

/// Signatures with nothing around.
pub(crate) struct Signing {
    key: SigningKey,
    public: VerifyingKey,
    message: [u8; MESSAGE_BYTES],
    signature: Signature,
}

impl Signing {
    pub(crate) fn new() -> Self {
        let (key, message) = (SigningKey::from_bytes(&[3; 32]), [7; MESSAGE_BYTES]);
        Self { public: key.verifying_key(), signature: key.sign(&message), message, key }
    }

    pub(crate) fn sign(&self) {
        black_box(self.key.sign(black_box(&self.message)));
    }

    pub(crate) fn verify(&self) {
        black_box(self.public.verify_strict(black_box(&self.message), &self.signature).is_ok());
    }

    /// Verifies `times` signatures on that many cores, in batches.
    pub(crate) fn verify_batches(&self, cores: usize, times: usize) {
        let (messages, signatures, keys) = ([&self.message[..]; BATCH], [self.signature; BATCH], [self.public; BATCH]);
        let verify = || drop(black_box(verify_batch(black_box(&messages), &signatures, &keys)));
        Self::on_cores(cores, times.div_ceil(BATCH), verify);
    }

    /// Does `work` that many times, on that many cores.
    pub(crate) fn on_cores(cores: usize, times: usize, work: impl Fn() + Sync) {
        thread::scope(|scope| {
            for core in 1..cores {
                let work = &work;
                scope.spawn(move || (core..times).step_by(cores).for_each(|_| work()));
            }
            (0..times).step_by(cores).for_each(|_| work());
        });
    }
}

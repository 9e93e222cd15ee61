use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};

/// As many bytes as the message has that is signed for an entry.
const MESSAGE_BYTES: usize = 62;

/// How many signatures a replay verifies together.
const BATCH: usize = 64;

type Message = [u8; MESSAGE_BYTES];

/// Signatures with nothing around: of one key, and each time of another message.
pub(crate) struct Signing {
    key: SigningKey,
    public: VerifyingKey,
    signed: Vec<(Message, Signature)>,
    turn: AtomicUsize,
}

impl Signing {
    pub(crate) fn new() -> Self {
        let key = SigningKey::from_bytes(&[3; 32]);
        let messages = (0..=u8::MAX).map(|number| [number; MESSAGE_BYTES]);
        let signed = messages.map(|message| (message, key.sign(&message))).collect();
        Self { public: key.verifying_key(), signed, turn: AtomicUsize::new(0), key }
    }

    pub(crate) fn sign(&self) {
        for (message, _) in self.next(1) {
            black_box(self.key.sign(black_box(message)));
        }
    }

    pub(crate) fn verify(&self) {
        for (message, signature) in self.next(1) {
            black_box(self.public.verify_strict(black_box(message), signature).is_ok());
        }
    }

    /// The next `count` of them: a processor does not learn by heart how they go.
    fn next(&self, count: usize) -> impl Iterator<Item = &(Message, Signature)> {
        let turn = self.turn.fetch_add(count, Ordering::Relaxed);
        self.signed.iter().cycle().skip(turn % self.signed.len()).take(count)
    }

    /// Verifies `times` signatures on that many cores, in batches.
    pub(crate) fn verify_batches(&self, cores: usize, times: usize) {
        Self::on_cores(cores, times.div_ceil(BATCH), || {
            let (messages, signatures): (Vec<_>, Vec<_>) =
                self.next(BATCH).map(|(message, signature)| (message.as_slice(), *signature)).unzip();
            black_box(verify_batch(black_box(&messages), &signatures, &[self.public; BATCH]).is_ok());
        });
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

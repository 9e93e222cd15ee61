use std::sync::OnceLock;

use blake3::hazmat::{HasherExt, hash_derive_key_context};
use serde::Serialize;

use super::{CanonError, with_canonical};

/// One kind of hashed thing: a BLAKE3 `derive_key` context string.
///
/// Two domains never give the same hash for the same bytes, so a hash of one kind cannot pass for another.
pub struct Domain {
    context: &'static str,
    key: OnceLock<[u8; 32]>,
}

impl Domain {
    const fn new(context: &'static str) -> Self {
        Self { context, key: OnceLock::new() }
    }

    /// The context string, as the ledger format names it.
    pub fn context(&self) -> &'static str {
        self.context
    }

    /// BLAKE3 `derive_key(context, parts[0] ‖ parts[1] ‖ …)`.
    ///
    /// The parts are joined without separators: callers pass parts of fixed length, or one part.
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        // The hasher is large: it stays where it is made.
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// The hash of a value's [sealed JSON](super::to_canonical).
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn hash_sealed<T: Serialize>(&self, value: &T) -> Result<[u8; 32], CanonError> {
        with_canonical(value, |bytes| self.hash(&[bytes]))
    }

    /// The same hash, of bytes that arrive piece by piece.
    pub fn stream(&self) -> DomainStream {
        DomainStream(self.hasher())
    }

    fn hasher(&self) -> blake3::Hasher {
        let key = self.key.get_or_init(|| hash_derive_key_context(self.context));
        blake3::Hasher::new_from_context_key(key)
    }
}

/// A hash in a [`Domain`] under way.
#[derive(Clone)]
pub struct DomainStream(blake3::Hasher);

impl DomainStream {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that was added so far. By reference: the hasher is large, and is not moved.
    pub fn finish(&self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The domains of format 1. Their context strings are part of the format.
pub mod domain {
    use super::Domain;

    macro_rules! domains {
        ($($(#[$doc:meta])* $name:ident = $context:literal;)*) => {
            $($(#[$doc])* pub static $name: Domain = Domain::new($context);)*
            /// Every domain, in the order of the ledger format's table.
            pub static ALL: &[&Domain] = &[$(&$name),*];
        };
    }

    domains! {
        /// A salted value: salt ‖ bytes.
        BLOB = "openthymos 2026 v1 blob";
        /// An entry header.
        ENTRY = "openthymos 2026 v1 entry";
        /// A record's bytes.
        RECORD = "openthymos 2026 v1 record";
        /// A genesis record's bytes, giving the store id.
        STORE = "openthymos 2026 v1 store";
        /// A store id, giving the id of its authority trajectory.
        AUTHORITY = "openthymos 2026 v1 authority trajectory";
        /// A start or branch statement, giving the trajectory id.
        TRAJECTORY = "openthymos 2026 v1 trajectory";
        /// A public key, giving its key id.
        KEY = "openthymos 2026 v1 key";
        /// A writ body.
        WRIT = "openthymos 2026 v1 writ";
        /// A tool contract.
        CONTRACT = "openthymos 2026 v1 contract";
        /// An intent.
        INTENT = "openthymos 2026 v1 intent";
        /// The identity of a proposal.
        PROPOSAL = "openthymos 2026 v1 proposal";
        /// A decision.
        DECISION = "openthymos 2026 v1 decision";
        /// A policy bundle.
        BUNDLE = "openthymos 2026 v1 policy bundle";
        /// A policy set.
        POLICY_SET = "openthymos 2026 v1 policy set";
        /// A roster of approvers.
        ROSTER = "openthymos 2026 v1 roster";
        /// A skill.
        SKILL = "openthymos 2026 v1 skill";
        /// A resource's name, giving its key in the world's Merkle map.
        WORLD_KEY = "openthymos 2026 v1 world key";
        /// A leaf of the world's Merkle map.
        WORLD_LEAF = "openthymos 2026 v1 world leaf";
        /// An inner node of the world's Merkle map.
        WORLD_NODE = "openthymos 2026 v1 world node";
        /// A leaf of a checkpoint's Merkle tree.
        TREE_LEAF = "openthymos 2026 v1 tree leaf";
        /// An inner node of a checkpoint's Merkle tree.
        TREE_NODE = "openthymos 2026 v1 tree node";
        /// A statement that a key signs: a start, a revocation, a vote, an export's head.
        STATEMENT = "openthymos 2026 v1 statement";
        /// A file's content as a tool probed it.
        FILE = "openthymos 2026 v1 file";
        /// The lines of an export before its head.
        EXPORT = "openthymos 2026 v1 export";
        /// The secret of one run's subject key, derived from the runtime's secret.
        RUN_SECRET = "openthymos 2026 v1 run secret";
        /// The salt of arguments, giving the salt of the task that a delegation takes from them.
        TASK_SALT = "openthymos 2026 v1 task salt";
        /// A business key under which a tool's effect may happen once.
        BUSINESS_KEY = "openthymos 2026 v1 business key";
        /// The effects of a run that were not undone, one after the other.
        EFFECTS = "openthymos 2026 v1 effects";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_blake3_derive_key_and_contexts_are_distinct() {
        assert_eq!(domain::BLOB.hash(&[b"a", b"b"]), blake3::derive_key(domain::BLOB.context(), b"ab"));
        let mut contexts: Vec<_> = domain::ALL.iter().map(|domain| domain.context()).collect();
        contexts.sort_unstable();
        contexts.dedup();
        assert_eq!(contexts.len(), domain::ALL.len());
    }
}

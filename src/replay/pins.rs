use super::Options;
use crate::{
    canon::{EntryId, PolicySetHash, StoreId, WorldRoot},
    crypto::PublicKey,
};

/// What the caller knows from elsewhere, and the replay has to agree with.
///
/// Without pins a replay shows that a ledger is consistent in itself: whoever holds the runtime's key could have written
/// all of it anew.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Every decision was made by this version of the compiler.
    pub compiler: Option<u32>,
    /// Every decision was made by this policy set.
    pub policy_set: Option<PolicySetHash>,
    /// Every decision follows from what is recorded before it and in it: each is derived again.
    pub rederive: bool,
    /// Every entry is signed by this key.
    pub signer: Option<PublicKey>,
    /// The ledger is of this store.
    pub store: Option<StoreId>,
    /// The folded world has this root.
    pub world_root: Option<WorldRoot>,
    /// This entry is on the trajectory.
    pub contains: Option<EntryId>,
    /// How thoroughly to check, and with what means.
    pub options: Options,
}

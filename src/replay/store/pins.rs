use crate::{
    canon::{EntryId, StoreId},
    crypto::PublicKey,
    ledger::Position,
    replay::Options,
};

/// An entry and its place in the store, as a [`StoreReport`](super::StoreReport) names its head: what to keep elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The place.
    pub position: Position,
    /// The entry.
    pub entry: EntryId,
}

/// What the caller knows of a store from elsewhere, and the verification has to agree with.
///
/// Whoever writes to a store's file can take its end away, or put an older copy of the whole in its place, and nothing in
/// the file tells. An entry that somebody kept does: it has to stand where it stood.
#[derive(Debug, Clone, Default)]
pub struct StorePins {
    /// These entries stand at these positions.
    pub kept: Vec<Kept>,
    /// Every decision follows from what is recorded before it and in it: each is derived again.
    pub rederive: bool,
    /// Every entry is signed by this key.
    pub signer: Option<PublicKey>,
    /// It is this store.
    pub store: Option<StoreId>,
    /// How thoroughly to check, and with what means.
    pub options: Options,
}

//! Sealed JSON, hashes, commitments and ids: the only way from a value to bytes.
//!
//! Whatever is hashed is either a fixed binary header or *sealed JSON*: [RFC 8785] canonical JSON with
//! the ambiguities of the RFC closed. [`to_canonical`] writes it, [`parse`] reads foreign JSON and
//! refuses what could be read in two ways. Ids are [BLAKE3] in `derive_key` mode, one [`Domain`] per kind
//! of thing. A [`Blob`] is a value behind a salted [`Commitment`].
//!
//! [RFC 8785]: https://www.rfc-editor.org/rfc/rfc8785
//! [BLAKE3]: https://github.com/BLAKE3-team/BLAKE3-specs

mod blob;
mod bytes;
mod depth;
mod hash;
mod hex;
mod ids;
mod key;
mod limit;
mod normalise;
mod number;
mod parse;
mod pointer;
mod settle;
mod string;
mod text;
mod words;
mod write;
mod writer;

pub use blob::{Blob, NamedBlob, Salt};
pub use bytes::Bytes;
pub(crate) use depth::check_depth;
pub use hash::{Domain, DomainStream, domain};
pub use hex::HexError;
pub(crate) use hex::{Digits, decode, decode_array, deserialize as deserialize_hex, encode};
pub(crate) use ids::fixed_bytes;
pub use ids::{
    BundleHash, BusinessKeyHash, CheckpointHash, Commitment, ContractHash, DecisionHash, EffectsHash, EntryId,
    FileHash, IntentId, KeyId, Nonce, PolicySetHash, ProposalId, RecordHash, RosterHash, SkillHash, StatementHash,
    StoreId, TrajectoryId, WorldRoot, WritId,
};
pub use limit::LimitError;
pub(crate) use limit::{at_most, at_most_if_any, cut, misshapen, shown};
pub use normalise::{Normalised, normalise};
pub use parse::{ParseError, ParseErrorKind, parse};
pub(crate) use pointer::below;
pub(crate) use settle::settle;
pub(crate) use words::words;
pub(crate) use write::with_canonical;
pub use write::{CanonError, canonical_value, to_canonical};

/// The deepest nesting of arrays and objects that sealed JSON may have: what `serde_json` reads back.
pub const MAX_DEPTH: usize = 127;
/// The largest integer that sealed JSON carries as a number, 2^53 − 1; larger ones are sent as strings.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
/// The most bytes that one record may have.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// The most bytes that one blob may have, its salt not counted.
pub const MAX_BLOB_BYTES: usize = 8 << 20;
/// The most blobs that one entry may introduce.
pub const MAX_ENTRY_BLOBS: usize = 8_192;
/// The most bytes that all blobs of one entry may have together.
pub const MAX_ENTRY_BLOB_BYTES: usize = 32 << 20;

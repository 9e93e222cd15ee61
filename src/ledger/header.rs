use super::Kind;
use crate::canon::{EntryId, KeyId, RecordHash, StoreId, TrajectoryId, domain};

/// The entry format that this crate writes and reads.
pub const FORMAT: u16 = 1;
/// How many bytes a header has.
pub const HEADER_BYTES: usize = 224;

/// The fixed binary part of an entry; its hash is the entry's id.
///
/// Integers are big-endian:
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 2 | format, 1 |
/// | 2 | 2 | kind |
/// | 4 | 4 | number of blobs |
/// | 8 | 32 | store |
/// | 40 | 32 | trajectory |
/// | 72 | 8 | seq |
/// | 80 | 32 | parent |
/// | 112 | 8 | time |
/// | 120 | 32 | signing key |
/// | 152 | 32 | authority |
/// | 184 | 8 | base seq |
/// | 192 | 32 | record hash |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The number of the entry's kind; [`Kind::from_code`] names it.
    pub kind: u16,
    /// How many blobs the entry introduces.
    pub blobs: u32,
    /// The store that the entry belongs to.
    pub store: StoreId,
    /// The trajectory that it belongs to.
    pub trajectory: TrajectoryId,
    /// Its place on the trajectory, from 0.
    pub seq: u64,
    /// The entry before it on the trajectory; zero for the first.
    pub parent: EntryId,
    /// When it was written: milliseconds since 1970.
    pub time_ms: u64,
    /// The key that signed it; zero when it is unsigned.
    pub signer: KeyId,
    /// The authority entry that it was decided under: the last one that opened an epoch.
    pub authority: EntryId,
    /// On a run: the seq of the commit that made the world that it was decided on; 0 for the world at the start. On the
    /// authority trajectory: the seq of the entry that `authority` names.
    pub base_seq: u64,
    /// The hash of the record's bytes and of the commitments that the entry introduces.
    pub record: RecordHash,
}

/// Bytes that are not a header of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Another number of bytes.
    #[error("a header has {HEADER_BYTES} bytes, found {0}")]
    Length(usize),
    /// Another format.
    #[error("entry format {0}, and this build reads format {FORMAT}")]
    Format(u16),
}

impl Header {
    /// The header's bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0u8; HEADER_BYTES];
        let fields: [&[u8]; 12] = [
            &FORMAT.to_be_bytes(),
            &self.kind.to_be_bytes(),
            &self.blobs.to_be_bytes(),
            self.store.as_bytes(),
            self.trajectory.as_bytes(),
            &self.seq.to_be_bytes(),
            self.parent.as_bytes(),
            &self.time_ms.to_be_bytes(),
            self.signer.as_bytes(),
            self.authority.as_bytes(),
            &self.base_seq.to_be_bytes(),
            self.record.as_bytes(),
        ];
        let mut rest = bytes.as_mut_slice();
        for field in fields {
            let (place, tail) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = tail;
        }
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When the length or the format is not this format's. An unknown kind is no error here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut rest: &[u8] = <&[u8; HEADER_BYTES]>::try_from(bytes).map_err(|_| HeaderError::Length(bytes.len()))?;
        let format = u16::from_be_bytes(take(&mut rest));
        if format != FORMAT {
            return Err(HeaderError::Format(format));
        }
        let kind = u16::from_be_bytes(take(&mut rest));
        Ok(Self {
            kind,
            blobs: u32::from_be_bytes(take(&mut rest)),
            store: StoreId(take(&mut rest)),
            trajectory: TrajectoryId(take(&mut rest)),
            seq: u64::from_be_bytes(take(&mut rest)),
            parent: EntryId(take(&mut rest)),
            time_ms: u64::from_be_bytes(take(&mut rest)),
            signer: KeyId(take(&mut rest)),
            authority: EntryId(take(&mut rest)),
            base_seq: u64::from_be_bytes(take(&mut rest)),
            record: RecordHash(take(&mut rest)),
        })
    }

    /// The kind, where this build knows it.
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind)
    }

    /// Whether the entry belongs to the authority trajectory, by the number of its kind.
    pub fn is_authority(&self) -> bool {
        self.kind >= super::kind::FIRST_AUTHORITY
    }

    /// The entry's id: the hash of the header's bytes.
    pub fn id(&self) -> EntryId {
        EntryId(domain::ENTRY.hash(&[&self.to_bytes()]))
    }
}

/// Takes `N` bytes off the front. The length was checked once for the whole header.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk::<N>() {
        Some((bytes, tail)) => {
            *rest = tail;
            *bytes
        }
        None => [0; N],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_of_a_header_counts(mut bytes in prop::collection::vec(any::<u8>(), HEADER_BYTES), at in 0..HEADER_BYTES, flip in 1u8..) {
            bytes[..2].copy_from_slice(&[0, 1]);
            let header = Header::from_bytes(&bytes).unwrap();
            prop_assert_eq!(&header.to_bytes()[..], &bytes[..]);
            bytes[at] ^= flip;
            if let Ok(other) = Header::from_bytes(&bytes) {
                prop_assert_ne!(other.id(), header.id());
            }
        }
    }
}

use std::io::{Error, ErrorKind};

use super::{
    error::damaged,
    pack::{pack, unpack},
};
use crate::{
    canon::{Blob, Bytes, Commitment, Salt},
    crypto::Signature,
    ledger::{Entry, HEADER_BYTES, Header, StoreError, StoredBlob},
};

/// The most bytes that an entry may have with its blobs: what the storage engine takes in one value.
const MAX_ENTRY_BYTES: usize = 1 << 30;

/// The fewest bytes that a blob takes: a flag, a salt and a length.
const LEAST_BLOB_BYTES: usize = 1 + 16 + 4;

/// What the byte behind the header says: whether a signature follows, and whether the ids of the record are packed.
const SIGNED: u8 = 1;
const PACKED: u8 = 2;

/// Writes an entry as a row holds it, without the length in front.
pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>, StoreError> {
    let length = longest(entry);
    if length > MAX_ENTRY_BYTES {
        let reason = format!("an entry of {length} bytes, and the limit is {MAX_ENTRY_BYTES}");
        return Err(StoreError::Io(Error::new(ErrorKind::InvalidInput, reason)));
    }
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&entry.header.to_bytes());
    let packed = pack(&entry.record);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    bytes.push(flag(entry.signature.is_some(), SIGNED) | flag(packed.is_some(), PACKED));
    if let Some(signature) = &entry.signature {
        bytes.extend_from_slice(signature.as_bytes());
    }
    put(&mut bytes, packed.as_deref().unwrap_or(&entry.record));
    bytes.extend_from_slice(&(entry.blobs.len() as u32).to_be_bytes());
    for blob in &entry.blobs {
        match blob {
            StoredBlob::Erased(commitment) => {
                bytes.push(0);
                bytes.extend_from_slice(commitment.as_bytes());
            }
            StoredBlob::Present(blob) => {
                bytes.push(1);
                bytes.extend_from_slice(blob.salt.as_bytes());
                put(&mut bytes, &blob.bytes);
            }
        }
    }
    Ok(bytes)
}

/// Appends `part` behind its length. Its length fits: it is part of an entry that was measured.
pub(super) fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
    bytes.extend_from_slice(part);
}

/// How many bytes an entry takes whose record is not packed.
fn longest(entry: &Entry) -> usize {
    let blob = |blob: &StoredBlob| match blob {
        StoredBlob::Erased(_) => 1 + 32,
        StoredBlob::Present(blob) => 1 + 16 + 4 + blob.bytes.len(),
    };
    let signature = if entry.signature.is_some() { 64 } else { 0 };
    HEADER_BYTES + 1 + signature + 4 + entry.record.len() + 4 + entry.blobs.iter().map(blob).sum::<usize>()
}

/// Reads an entry; the bytes may be anything.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Entry, StoreError> {
    let rest = &mut bytes;
    let header = Header::from_bytes(take(rest, HEADER_BYTES)?).map_err(|error| damaged(error.to_string()))?;
    let [flags] = *array(rest)?;
    if flags & !(SIGNED | PACKED) != 0 {
        return Err(damaged(format!("the flags of an entry are {flags}")));
    }
    let signature = if flags & SIGNED != 0 { Some(Signature(*array(rest)?)) } else { None };
    let record = part(rest)?;
    let record = if flags & PACKED != 0 { Bytes::from(unpack(record)?) } else { Bytes::from(record) };
    let count = length(rest)?;
    // The count cannot ask for more memory than a multiple of the entry's bytes.
    if count > rest.len() / LEAST_BLOB_BYTES {
        return Err(short());
    }
    let mut blobs = Vec::with_capacity(count);
    for _ in 0..count {
        blobs.push(if flag(rest)? {
            StoredBlob::Present(Blob { salt: Salt(*array(rest)?), bytes: part(rest)?.into() })
        } else {
            StoredBlob::Erased(Commitment(*array(rest)?))
        });
    }
    if !rest.is_empty() {
        return Err(damaged("an entry has bytes behind its end"));
    }
    Ok(Entry { header, record, blobs, signature })
}

/// Takes a part off the front that [`put`] wrote.
pub(super) fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], StoreError> {
    let length = length(rest)?;
    take(rest, length)
}

/// Takes `N` bytes off the front.
pub(super) fn array<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], StoreError> {
    let (bytes, tail) = rest.split_first_chunk().ok_or_else(short)?;
    *rest = tail;
    Ok(bytes)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], StoreError> {
    let (bytes, tail) = rest.split_at_checked(length).ok_or_else(short)?;
    *rest = tail;
    Ok(bytes)
}

fn length(rest: &mut &[u8]) -> Result<usize, StoreError> {
    Ok(u32::from_be_bytes(*array(rest)?) as usize)
}

fn flag(rest: &mut &[u8]) -> Result<bool, StoreError> {
    match array(rest)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [other] => Err(damaged(format!("a flag in an entry is {other}"))),
    }
}

fn short() -> StoreError {
    damaged("stored bytes are cut short")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon::{EntryId, KeyId, RecordHash, StoreId, TrajectoryId};
    use proptest::prelude::*;

    fn entry(record: Vec<u8>, blobs: Vec<Option<Vec<u8>>>, signed: bool) -> Entry {
        let header = Header {
            kind: 6,
            blobs: 0,
            store: StoreId([1; 32]),
            trajectory: TrajectoryId([2; 32]),
            seq: 3,
            parent: EntryId([4; 32]),
            time_ms: 5,
            signer: KeyId([6; 32]),
            authority: EntryId([7; 32]),
            base_seq: 8,
            record: RecordHash([9; 32]),
        };
        let present = |bytes: Vec<u8>| StoredBlob::Present(Blob { salt: Salt([10; 16]), bytes: bytes.into() });
        let blobs =
            blobs.into_iter().map(|blob| blob.map_or(StoredBlob::Erased(Commitment([12; 32])), present)).collect();
        Entry { header, record: record.into(), blobs, signature: signed.then_some(Signature([11; 64])) }
    }

    proptest! {
        #[test]
        fn an_entry_comes_back_and_damage_never_panics(
            record in prop::collection::vec(any::<u8>(), 0..40),
            blobs in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 0..5),
            signed in any::<bool>(),
            (at, flip, cut) in (any::<prop::sample::Index>(), 1u8.., any::<prop::sample::Index>()),
        ) {
            let entry = entry(record, blobs, signed);
            let mut bytes = encode(&entry).unwrap();
            prop_assert!(bytes.len() <= longest(&entry));
            prop_assert_eq!(&decode(&bytes).unwrap(), &entry);
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            // Without a packed id, only the flag that says whether there may be some changes nothing.
            if let Ok(other) = decode(&bytes) && (at, flip) != (HEADER_BYTES, PACKED) {
                prop_assert_ne!(other, entry);
            }
        }
    }

    #[test]
    fn an_entry_that_was_stored_with_digits_reads_as_one_that_is_packed() {
        let record = format!("{{\"id\":\"{}\"}}", "ab".repeat(32)).into_bytes();
        let entry = entry(record.clone(), vec![], false);
        let packed = encode(&entry).unwrap();
        let (header, behind) = packed.split_at(HEADER_BYTES);
        let plain = [header, &[0], &(record.len() as u32).to_be_bytes(), &record, &behind[behind.len() - 4..]].concat();
        assert!(packed.len() < plain.len());
        assert_eq!((decode(&packed).unwrap(), decode(&plain).unwrap()), (entry.clone(), entry));
    }

    #[test]
    fn a_count_of_blobs_is_not_believed() {
        let mut bytes = encode(&entry(vec![], vec![], false)).unwrap();
        let end = bytes.len();
        bytes[end - 4..].fill(255);
        assert!(matches!(decode(&bytes), Err(StoreError::Damaged(_))));
    }
}

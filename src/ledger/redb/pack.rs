//! Ids in a record are digits in quotes; a row keeps them as bytes, half as long.

use super::error::damaged;
use crate::ledger::StoreError;

/// Stands before the 32 bytes of an id: of 64 digits in quotes.
const ID: u8 = 1;
/// Stands before the 16 bytes of a nonce: of 32 digits in quotes.
const NONCE: u8 = 2;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A record with its ids packed; `None` where it has a byte that marks one. Sealed JSON has none.
pub(super) fn pack(record: &[u8]) -> Option<Vec<u8>> {
    if memchr::memchr2(ID, NONCE, record).is_some() {
        return None;
    }
    let mut packed = Vec::with_capacity(record.len());
    let (mut rest, mut from) = (record, 0);
    while let Some(at) = rest.get(from..).and_then(|rest| memchr::memchr(b'"', rest)) {
        let (before, quoted) = rest.split_at(from + at);
        if let Some((id, behind)) = quoted_digits::<66, 32>(quoted) {
            packed.extend_from_slice(before);
            packed.push(ID);
            packed.extend_from_slice(&id);
            (rest, from) = (behind, 0);
        } else if let Some((nonce, behind)) = quoted_digits::<34, 16>(quoted) {
            packed.extend_from_slice(before);
            packed.push(NONCE);
            packed.extend_from_slice(&nonce);
            (rest, from) = (behind, 0);
        } else {
            from += at + 1;
        }
    }
    packed.extend_from_slice(rest);
    Some(packed)
}

/// What was packed.
pub(super) fn unpack(mut packed: &[u8]) -> Result<Vec<u8>, StoreError> {
    // Ten ids are about what the record of a call has.
    let mut record = Vec::with_capacity(packed.len() + 10 * 33);
    while let Some(at) = memchr::memchr2(ID, NONCE, packed) {
        let (before, marked) = packed.split_at(at);
        record.extend_from_slice(before);
        let length = if marked.first() == Some(&ID) { 32 } else { 16 };
        let (bytes, behind) = marked.get(1..).and_then(|marked| marked.split_at_checked(length)).ok_or_else(short)?;
        record.push(b'"');
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        record.extend(digits.map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or_default()));
        record.push(b'"');
        packed = behind;
    }
    record.extend_from_slice(packed);
    Ok(record)
}

fn short() -> StoreError {
    damaged("an id in a record is cut short")
}

/// The bytes that `QUOTED - 2` digits in quotes stand for, and what follows, where the text begins so.
fn quoted_digits<const QUOTED: usize, const BYTES: usize>(text: &[u8]) -> Option<([u8; BYTES], &[u8])> {
    let (quoted, behind) = text.split_first_chunk::<QUOTED>()?;
    let [b'"', digits @ .., b'"'] = quoted.as_slice() else { return None };
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(value);
        *byte = high? << 4 | low?;
    }
    Some((bytes, behind))
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_and_nonces_take_half_and_all_else_stays() {
        let id = "5a".repeat(32);
        let record =
            format!("{{\"id\":\"{id}\",\"nonce\":\"{}\",\"text\":\"{id}0\",\"{id}\":[\"{id}\"]}}", "0f".repeat(16));
        let bytes = pack(record.as_bytes()).unwrap();
        assert_eq!(bytes.len(), record.len() - 3 * 33 - 17);
        assert_eq!(unpack(&bytes).unwrap(), record.as_bytes());
        for cut in [&[ID][..], &[ID; 32], &[NONCE; 16]] {
            assert!(matches!(unpack(cut), Err(StoreError::Damaged(_))));
        }
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            parts in prop::collection::vec(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..8),
                prop::collection::vec(prop::sample::select(b"09afAFg\"\x01\x02".to_vec()), 0..80),
                "\"[0-9a-f]{64}\"".prop_map(String::into_bytes),
                "\"[0-9a-f]{32}\"".prop_map(String::into_bytes),
                "[0-9a-f]{64}\"".prop_map(String::into_bytes),
            ], 0..12),
        ) {
            let record = parts.concat();
            match pack(&record) {
                Some(bytes) => {
                    prop_assert!(bytes.len() <= record.len());
                    prop_assert_eq!(unpack(&bytes).unwrap(), record);
                }
                None => prop_assert!(record.contains(&ID) || record.contains(&NONCE)),
            }
        }
    }
}

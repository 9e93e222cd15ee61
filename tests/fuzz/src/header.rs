//! A header is its bytes and nothing else.

use openthymos::ledger::{FORMAT, HEADER_BYTES, Header};

use super::golden;

pub fn run(bytes: &[u8]) {
    match Header::from_bytes(bytes) {
        Ok(header) => {
            assert_eq!(header.to_bytes().as_slice(), bytes);
            assert_eq!(header.known_kind().map(|kind| kind.code()).unwrap_or(header.kind), header.kind);
        }
        Err(_) => assert!(bytes.len() != HEADER_BYTES || bytes[..2] != FORMAT.to_be_bytes()),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    golden::entries().iter().map(|entry| entry.header.to_bytes().to_vec()).collect()
}

//! What is read can be sealed, and is the same value to every other reader.

use openthymos::canon::{canonical_value, normalise, parse};
use serde_json::Value;

use super::golden;

const MAX_BYTES: usize = 1 << 16;

pub fn run(bytes: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(bytes);
    match parse(bytes, MAX_BYTES) {
        Ok(value) => {
            let sealed = canonical_value(&value).expect("what is read can be sealed");
            let again = parse(&sealed, sealed.len()).expect("what is sealed is read");
            assert_eq!(canonical_value(&again).unwrap(), sealed);
            assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), sealed);
            let theirs = theirs.expect("another reader takes it too");
            assert_eq!(canonical_value(&theirs).unwrap(), sealed);
            assert_eq!(normalise(theirs).pointers, Vec::<String>::new());
        }
        Err(error) => {
            assert!(error.offset <= bytes.len());
            assert!(error.to_string().len() < 1_024, "{error}");
            if let Ok(theirs) = theirs {
                // A tool's output cannot be refused.
                canonical_value(&normalise(theirs).value).expect("what is normalised can be sealed");
            }
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    golden::vectors(golden::CANONICAL)
        .iter()
        .filter_map(|vector| golden::text(vector, "input"))
        .map(Vec::from)
        .collect()
}

//! Hashes: every domain, blobs and key ids.

use openthymos::canon::{Blob, Salt, domain};
use serde_json::json;

use crate::{
    file::{hex, vectors_hold},
    fixture::{ALL, blob},
};

#[test]
fn every_domain_hashes_as_recorded() {
    let inputs: [&[u8]; 3] = [b"", b"abc", &[7; 1025]];
    let mut vectors = Vec::new();
    for domain in domain::ALL {
        for input in inputs {
            vectors.push(json!({
                "context": domain.context(), "input_hex": hex(input), "hash": hex(&domain.hash(&[input])),
            }));
        }
    }
    vectors_hold("hashes.json", &vectors);
}

#[test]
fn values_are_named_by_salted_hashes() {
    let values = [json!(null), json!("a secret"), json!({"b": [1, 2.5], "a": "\u{1f600}"}), json!({})];
    let vectors = (1..).zip(values).map(|(salt, value)| {
        let blob: Blob = blob(value, salt);
        assert_eq!(blob.salt, Salt([salt; 16]));
        json!({
            "salt": blob.salt, "text": String::from_utf8(blob.bytes.to_vec()).unwrap(), "commitment": blob.commitment(),
        })
    });
    vectors_hold("blobs.json", &vectors.collect::<Vec<_>>());
}

#[test]
fn keys_are_named_by_their_hash() {
    let vectors = ALL.iter().map(|party| {
        let key = party.secret().public_key();
        json!({ "name": party.0, "seed": hex(&[party.1; 32]), "public_key": key, "key_id": key.id() })
    });
    vectors_hold("keys.json", &vectors.collect::<Vec<_>>());
}

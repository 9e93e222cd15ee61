//! Sealed JSON is RFC 8785, as another implementation writes it; in builds with other features of `serde_json` too, which
//! `tests/features` compares with the digest that is recorded here.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that goes wrong should stop the test")]

mod values;

use openthymos::canon::{canonical_value, parse};

#[test]
fn a_hundred_thousand_values_are_written_as_another_implementation_does() {
    for value in values::all() {
        let ours = canonical_value(&value).unwrap();
        assert_eq!(ours, serde_json_canonicalizer::to_vec(&value).unwrap(), "{value}");
        assert_eq!(canonical_value(&parse(&ours, ours.len()).unwrap()).unwrap(), ours, "{value}");
    }
}

#[test]
fn their_digest_is_the_one_that_other_builds_are_held_to() {
    assert_eq!(values::digest(), values::DIGEST);
}

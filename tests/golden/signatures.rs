//! Signatures: the message of every purpose, and what strict verification refuses.

use openthymos::crypto::{PublicKey, Purpose, Signature};
use serde_json::{Value, json};

use crate::{
    file::{hex, vectors_hold},
    fixture::{AGENT, OPERATOR},
};

const PURPOSES: [(Purpose, &str); 12] = [
    (Purpose::Entry, "entry"),
    (Purpose::Writ, "writ"),
    (Purpose::Start, "start"),
    (Purpose::Policy, "policy"),
    (Purpose::Roster, "roster"),
    (Purpose::Revocation, "revocation"),
    (Purpose::Vote, "vote"),
    (Purpose::Rotation, "rotation"),
    (Purpose::Resolution, "resolution"),
    (Purpose::ExportHead, "export head"),
    (Purpose::ClockReset, "clock reset"),
    (Purpose::Compensation, "compensation"),
];

/// The group's order, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// Encodings of points of small order, the canonical ones and others that decode to them.
const SMALL_ORDER: [&str; 10] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Points of large order whose y is written with the field's order added.
const UNREDUCED: [&str; 2] = [
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    std::array::from_fn(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap())
}

/// The same signature with S + the group's order: it satisfies the equation and is not the one form of it.
fn malleated(signature: &Signature) -> Signature {
    let mut other = *signature;
    let mut carry = 0u16;
    for (byte, add) in other.0[32..].iter_mut().zip(bytes::<32>(ORDER)) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    other
}

fn vector(key: &str, purpose: Purpose, word: &str, digest: &[u8; 32], signature: &Signature, case: &str) -> Value {
    let valid = key.parse().is_ok_and(|key: PublicKey| key.verify(purpose, digest, signature).is_ok());
    json!({
        "case": case, "public_key": key, "purpose": word, "digest": hex(digest),
        "message": hex(&purpose.message(digest)), "signature": signature, "valid": valid,
    })
}

#[test]
fn signatures_are_domain_separated_and_strictly_verified() {
    let (secret, digest) = (OPERATOR.secret(), [9; 32]);
    let key = secret.public_key().to_string();
    let mut vectors = Vec::new();
    for (purpose, word) in PURPOSES {
        let signature = secret.sign(purpose, &digest);
        vectors.push(vector(&key, purpose, word, &digest, &signature, "signed"));
    }
    assert!(vectors.iter().all(|vector| vector["valid"] == true));

    let good = secret.sign(Purpose::Writ, &digest);
    let mut refused = Vec::new();
    let mut refuse = |key: &str, digest: &[u8; 32], signature: &Signature, case: &str| {
        refused.push(vector(key, Purpose::Writ, "writ", digest, signature, case));
    };
    refuse(&key, &digest, &secret.sign(Purpose::Entry, &digest), "signed for another purpose");
    refuse(&key, &[8; 32], &good, "of another digest");
    refuse(&AGENT.secret().public_key().to_string(), &digest, &good, "by another key");
    refuse(&key, &digest, &malleated(&good), "S not below the group's order");
    for (at, bit) in [(0, 1), (31, 0x80), (32, 1), (63, 0x80)] {
        let mut other = good;
        other.0[at] ^= bit;
        refuse(&key, &digest, &other, "a bit changed");
    }
    for small in SMALL_ORDER {
        // R = A of small order and S = 0: lax verification takes this for the signature of some messages.
        let mut signature = Signature([0; 64]);
        signature.0[..32].copy_from_slice(&bytes::<32>(small));
        refuse(small, &digest, &signature, "a key of small order");
        let mut small_r = good;
        small_r.0[..32].copy_from_slice(&bytes::<32>(small));
        refuse(&key, &digest, &small_r, "R of small order");
        assert!(small.parse::<PublicKey>().is_err(), "{small}");
    }
    for unreduced in UNREDUCED {
        assert!(unreduced.parse::<PublicKey>().is_err(), "{unreduced}");
        refused.push(vector(unreduced, Purpose::Writ, "writ", &digest, &good, "a key in another form"));
    }
    assert!(refused.iter().all(|vector| vector["valid"] == false), "{refused:?}");
    vectors.extend(refused);
    vectors_hold("signatures.json", &vectors);
}

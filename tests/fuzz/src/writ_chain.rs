//! A chain that verifies keeps verifying, and no link is wider than the one above it.

use openthymos::{
    canon::to_canonical,
    contract::Effect,
    crypto::{NamedKey, Purpose, SecretKey},
    writ::{Audience, Dimension, SignedWrit, UnverifiedChain, WritBody},
};
use serde_json::json;

use super::golden;

/// How many links are signed anew: signing is slow.
const MAX_FORGED: usize = 4;

pub fn run(bytes: &[u8]) {
    let Ok(chain) = UnverifiedChain::from_json(bytes) else { return };
    let written = to_canonical(&chain).expect("what is read can be sealed");
    assert_eq!(UnverifiedChain::from_json(&written).expect("what is sealed is read"), chain);
    verify(&chain);
    if let Some(forged) = forge(&chain) {
        verify(&forged);
    }
}

fn verify(chain: &UnverifiedChain) {
    let Ok(verified) = chain.clone().verify() else { return };
    assert_eq!(&verified.to_unverified(), chain);
    let written = to_canonical(chain).unwrap();
    let again = UnverifiedChain::from_json(&written).unwrap().verify().expect("what verified verifies");
    assert_eq!(again.id(), verified.id());
    let links: Vec<_> = verified.links().map(|(_, writ)| writ).collect();
    for pair in links.windows(2) {
        narrower(pair[1], pair[0]);
    }
}

/// What "no wider" means, written plainly, scopes aside.
fn narrower(child: &WritBody, parent: &WritBody) {
    assert!(parent.delegation.may_subdivide && child.delegation.depth < parent.delegation.depth);
    assert_eq!(child.tenant, parent.tenant);
    for dimension in Dimension::ALL {
        assert!(child.budget.get(dimension) <= parent.budget.get(dimension));
    }
    for effect in [Effect::Read, Effect::Write, Effect::External, Effect::Irreversible] {
        assert!(effect > child.effect_ceiling || effect <= parent.effect_ceiling);
    }
    assert!(child.window.not_before_ms >= parent.window.not_before_ms);
    assert!(child.window.expires_at_ms <= parent.window.expires_at_ms);
    match (&child.audience, &parent.audience) {
        (_, Audience::Any) => {}
        (Audience::Stores(child), Audience::Stores(parent)) => assert!(child.iter().all(|id| parent.contains(id))),
        (Audience::Any, Audience::Stores(_)) => panic!("a child for any store"),
    }
}

/// The same writs with signatures and links that hold, so that a fuzzer comes past them.
fn forge(chain: &UnverifiedChain) -> Option<UnverifiedChain> {
    let key = |link: usize| SecretKey::from_seed(&[link as u8 + 1; 32]);
    let mut forged: Vec<SignedWrit> = Vec::new();
    let mut parent = None;
    for (link, signed) in chain.chain.iter().take(MAX_FORGED).enumerate() {
        let mut writ = signed.writ.clone();
        writ.issuer = NamedKey::new("issuer", key(link).public_key());
        writ.subject = NamedKey::new("subject", key(link + 1).public_key());
        writ.parent = parent;
        let id = writ.id().ok()?;
        forged.push(SignedWrit { signature: key(link).sign(Purpose::Writ, id.as_bytes()), writ });
        parent = Some(id);
    }
    Some(UnverifiedChain { chain: forged })
}

pub fn seeds() -> Vec<Vec<u8>> {
    let vectors = golden::vectors(golden::WRITS);
    vectors.iter().map(|vector| to_canonical(&json!({ "chain": vector["chain"] })).unwrap()).collect()
}

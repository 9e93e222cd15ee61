//! A run starts only under a chain that holds; a start that is refused opens no run and is recorded.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use async_trait::async_trait;
use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{Nonce, StoreId},
    contract::{Effect, SealedContract},
    crypto::{NamedKey, PublicKey, Purpose, Signature},
    host::{SignError, Signer},
    ledger::{Kind, LedgerStore, record::StartRefused},
    proposal::{Code, Refusal, Stage},
    runtime::{Runtime, StartError},
    writ::{
        Amounts, Audience, Delegation, Dimension, PresentedChain, Scope, SignedWrit, UnverifiedChain, Window, WritBody,
    },
};

/// Starts, expects the refusal, and checks what the ledger has of it.
fn refuses(fixture: &Fixture, runtime: &Runtime, chain: impl Into<PresentedChain>, subject: u8) -> Refusal {
    refuses_saying(fixture, runtime, chain, subject, &mut String::new())
}

/// The same, with what the error says of an invalid chain.
fn refuses_saying(
    fixture: &Fixture,
    runtime: &Runtime,
    chain: impl Into<PresentedChain>,
    subject: u8,
    said: &mut String,
) -> Refusal {
    let chain = chain.into();
    let writ = chain.id();
    let before = (fixture.authority().len(), block_on(fixture.ledger.trajectories(None, 9)).unwrap().len());
    let refusal = match block_on(runtime.start("a task", chain, &key(subject))) {
        Err(StartError::Refused(refusal)) => refusal,
        Err(StartError::InvalidChain { fault, refusal }) => {
            assert_eq!(refusal.pointer, Some(fault.index().to_string()));
            *said = fault.to_string();
            refusal
        }
        Ok(_) => panic!("started"),
        Err(other) => panic!("{other}"),
    };
    let authority = fixture.authority();
    let last = authority.last().unwrap();
    assert_eq!(last.header.known_kind(), Some(Kind::StartRefused));
    let record: StartRefused = last.body().unwrap();
    assert_eq!((record.refusal, record.writ), (refusal.clone(), writ));
    assert_eq!(last.blob(&record.task).unwrap().value().unwrap(), "a task");
    let after = (authority.len(), block_on(fixture.ledger.trajectories(None, 9)).unwrap().len());
    assert_eq!(after, (before.0 + 1, before.1));
    refusal
}

fn fresh() -> (Fixture, Runtime) {
    let fixture = Fixture::default();
    let runtime = fixture.open([TestTool::host("act")]);
    (fixture, runtime)
}

/// Signs a body as whoever holds the seed would, checks left out.
fn forge(writ: WritBody, seed: u8) -> SignedWrit {
    let signature = key(seed).sign(Purpose::Writ, writ.id().unwrap().as_bytes());
    SignedWrit { signature, writ }
}

fn chain_of(links: Vec<SignedWrit>) -> UnverifiedChain {
    UnverifiedChain { chain: links }
}

fn invalid(chain: UnverifiedChain, subject: u8, says: &str) {
    let (fixture, runtime) = fresh();
    let mut said = String::new();
    let refusal = refuses_saying(&fixture, &runtime, chain, subject, &mut said);
    assert_eq!((refusal.stage, refusal.code, refusal.asked), (Stage::Chain, Code::InvalidChain, None));
    assert!(said.contains(says), "{said}");
}

#[test]
fn a_chain_that_holds_starts() {
    let (fixture, runtime) = fresh();
    let run = start(&runtime, &child(&signed(writ()), |writ| writ));
    assert_eq!(fixture.authority().last().unwrap().header.known_kind(), Some(Kind::RunOpened));
    verified(&runtime, &run.id());
}

#[test]
fn forged_signatures() {
    let body = signed(writ()).leaf().clone();
    invalid(chain_of(vec![forge(body.clone(), STRANGER)]), AGENT, "signature does not verify");
    let mut signed_writ = forge(body, ISSUER);
    signed_writ.writ.budget.tokens += 1;
    invalid(chain_of(vec![signed_writ.clone()]), AGENT, "signature does not verify");
    signed_writ.writ.budget.tokens -= 1;
    signed_writ.signature.0[40] ^= 1;
    invalid(chain_of(vec![signed_writ]), AGENT, "signature does not verify");
    // A signature for another purpose is none.
    let body = signed(writ()).leaf().clone();
    let signature = key(ISSUER).sign(Purpose::Entry, body.id().unwrap().as_bytes());
    invalid(chain_of(vec![SignedWrit { signature, writ: body }]), AGENT, "signature does not verify");
}

#[test]
fn no_chain_and_one_that_is_too_long() {
    invalid(chain_of(vec![]), AGENT, "1 to 16");
    let one = signed(writ()).signed()[0].clone();
    invalid(chain_of(vec![one; 17]), AGENT, "1 to 16");
}

#[test]
fn chains_that_were_put_together() {
    let (one, other) = (signed(writ()), signed(writ().tenant("default").budget(PLENTY.plus(&Amounts::ONE_CALL))));
    let below = child(&one, |writ| writ);
    let leaf = || below.signed()[1].clone();
    // Another parent, no parent, the links the wrong way round, and a root in the middle.
    invalid(chain_of(vec![other.signed()[0].clone(), leaf()]), CHILD, "parent is not");
    invalid(chain_of(vec![leaf()]), CHILD, "parent is not");
    invalid(chain_of(vec![leaf(), one.signed()[0].clone()]), AGENT, "parent is not");
    invalid(chain_of(vec![one.signed()[0].clone(), other.signed()[0].clone()]), AGENT, "parent is not");
    // Issued by somebody else than the parent's subject.
    let body = WritBody { issuer: named(STRANGER), ..leaf().writ };
    invalid(chain_of(vec![one.signed()[0].clone(), forge(body, STRANGER)]), CHILD, "issued by key");
    // In the name of the parent's subject, signed by somebody else.
    invalid(chain_of(vec![one.signed()[0].clone(), forge(leaf().writ, STRANGER)]), CHILD, "signature");
}

#[test]
fn a_child_that_is_wider_in_any_single_dimension() {
    let store = |byte| StoreId([byte; 32]);
    let pin = SealedContract::new(TestTool::host("act").contract).unwrap().hash();
    let window = Window { not_before_ms: 100, expires_at_ms: START_MS + 100 };
    let root = signed(
        writ()
            .stores([store(1), store(2)])
            .effects_up_to(Effect::External)
            .window(window)
            .scopes([scope("fs_*"), Scope { contracts: Some(vec![pin]), ..scope("act") }]),
    );
    let fits = child(&root, |writ| writ).leaf().clone();
    let mut wider: Vec<(&str, WritBody)> = vec![
        ("depth", WritBody { delegation: Delegation { depth: 3, may_subdivide: true }, ..fits.clone() }),
        ("tenant", WritBody { tenant: "other".into(), ..fits.clone() }),
        ("audience", WritBody { audience: Audience::Any, ..fits.clone() }),
        ("audience", WritBody { audience: Audience::Stores(vec![store(1), store(3)]), ..fits.clone() }),
        ("effect ceiling", WritBody { effect_ceiling: Effect::Irreversible, ..fits.clone() }),
        ("window", WritBody { window: Window { not_before_ms: 99, ..window }, ..fits.clone() }),
        ("window", WritBody { window: Window { expires_at_ms: START_MS + 101, ..window }, ..fits.clone() }),
        ("scope", WritBody { scopes: vec![scope("fs_?"), scope("f*")], ..fits.clone() }),
        ("scope", WritBody { scopes: vec![scope("act")], ..fits.clone() }),
    ];
    for dimension in Dimension::ALL {
        let mut budget = fits.budget;
        match dimension {
            Dimension::Tokens => budget.tokens += 1,
            Dimension::ToolCalls => budget.tool_calls += 1,
            Dimension::UsdMillicents => budget.usd_millicents += 1,
            Dimension::WallClockMs => budget.wall_clock_ms += 1,
        }
        wider.push((dimension.as_str(), WritBody { budget, ..fits.clone() }));
    }
    for (says, body) in wider {
        invalid(chain_of(vec![root.signed()[0].clone(), forge(body, AGENT)]), CHILD, says);
    }
    // Below a writ that may not be delegated there is nothing, however narrow.
    let closed = signed(writ().delegable(0));
    let body = WritBody { parent: Some(closed.id()), delegation: Delegation::default(), ..closed.leaf().clone() };
    let body = WritBody { issuer: named(AGENT), subject: named(CHILD), nonce: Nonce([1; 16]), ..body };
    invalid(chain_of(vec![closed.signed()[0].clone(), forge(body, AGENT)]), CHILD, "may not be delegated");
}

#[test]
fn a_root_that_is_not_trusted() {
    let (fixture, runtime) = fresh();
    let body = WritBody { issuer: named(STRANGER), ..signed(writ()).leaf().clone() };
    let refusal = refuses(&fixture, &runtime, chain_of(vec![forge(body, STRANGER)]), AGENT);
    assert_eq!(refusal, Refusal::new(Stage::Chain, Code::UntrustedRoot).asked(named(STRANGER).key));
    // A trusted name under another key is worth nothing.
    let issuer = NamedKey { name: named(ISSUER).name, key: named(STRANGER).key };
    let body = WritBody { issuer, ..signed(writ()).leaf().clone() };
    assert_eq!(refuses(&fixture, &runtime, chain_of(vec![forge(body, STRANGER)]), AGENT).code, Code::UntrustedRoot);
}

#[test]
fn a_key_acts_only_in_its_roles() {
    let fixture = Fixture::default();
    let roles = [openthymos::crypto::Role::Approver, openthymos::crypto::Role::PolicyIssuer];
    let runtime = block_on(fixture.untrusting().trust(named(ISSUER), roles).open()).unwrap();
    assert_eq!(refuses(&fixture, &runtime, signed(writ()), AGENT).code, Code::UntrustedRoot);
}

#[test]
fn somebody_else_than_the_subject() {
    let (fixture, runtime) = fresh();
    let refusal = refuses(&fixture, &runtime, signed(writ()), STRANGER);
    let expected = Refusal::new(Stage::Chain, Code::WrongSubject);
    assert_eq!(refusal, expected.asked(named(STRANGER).key).allowed(named(AGENT).key));
    // The parent's subject cannot start under its child's writ.
    assert_eq!(refuses(&fixture, &runtime, child(&signed(writ()), |writ| writ), AGENT).code, Code::WrongSubject);
}

#[test]
fn out_of_time_and_out_of_place() {
    let (fixture, runtime) = fresh();
    let window = |not_before_ms, expires_at_ms| Window { not_before_ms, expires_at_ms };
    let refused = |chain| {
        let refusal = refuses(&fixture, &runtime, chain, AGENT);
        (refusal.stage, refusal.code)
    };
    let expired = signed(writ().window(window(0, START_MS - 1)));
    assert_eq!(refused(expired), (Stage::Window, Code::Expired));
    let early = signed(writ().window(window(START_MS + 1, START_MS + 2)));
    assert_eq!(refused(early), (Stage::Window, Code::NotYetValid));
    let elsewhere = signed(writ().stores([StoreId([1; 32])]));
    assert_eq!(refused(elsewhere), (Stage::Audience, Code::WrongAudience));
    let here = signed(writ().stores([StoreId([1; 32]), runtime.store_id()]));
    start(&runtime, &here);
}

#[test]
fn a_parent_that_has_expired_takes_its_children_with_it() {
    let (fixture, runtime) = fresh();
    let window = Window { not_before_ms: 0, expires_at_ms: START_MS + 5 };
    let chain = child(&signed(writ().window(window)), |writ| writ);
    fixture.clock.set(START_MS + 6);
    let refusal = refuses(&fixture, &runtime, chain, CHILD);
    assert_eq!((refusal.code, refusal.pointer.as_deref()), (Code::Expired, Some("0")));
}

/// Claims a key that it does not hold.
struct Liar;

#[async_trait]
impl Signer for Liar {
    fn public_key(&self) -> PublicKey {
        key(AGENT).public_key()
    }

    async fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<Signature, SignError> {
        Ok(key(STRANGER).sign(purpose, digest))
    }
}

#[test]
fn a_start_proves_that_the_subject_holds_its_key() {
    let (fixture, runtime) = fresh();
    let refused = block_on(runtime.start("a task", &signed(writ()), &Liar)).err().unwrap();
    assert!(matches!(&refused, StartError::Refused(refusal) if refusal.code == Code::WrongSubject), "{refused}");
    assert_eq!(fixture.authority().last().unwrap().header.known_kind(), Some(Kind::StartRefused));
}

//! A key acts only in its role: every role against every act.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use common::*;
use futures::executor::block_on;
use openthymos::{
    Runtime,
    crypto::{Purpose, Role, SecretKey},
    ledger::{
        AuthorityError, Draft, Entry, Header, Kind, LedgerStore,
        record::{RosterRecord, StartRefused},
    },
    policy::{Bundle, PolicySet, Quorum, Roster, SignedBundle},
    proposal::Code,
    replay::{AuthorityLog, FaultKind, ReplayError},
    runtime::{BuildError, ClockError, RevokeError, RotateError, Rotation, StartError},
    writ::WritBuilder,
};
use serde_json::json;

/// The key of each role: the runtime's signs entries, and has that role on record too.
const KEYS: [(Role, u8); 4] =
    [(Role::WritIssuer, ISSUER), (Role::PolicyIssuer, 40), (Role::Approver, 41), (Role::Runtime, RUNTIME)];

struct Store {
    fixture: Fixture,
    runtime: Runtime,
    calls: Counter,
}

fn store() -> Store {
    let fixture = Fixture::default();
    let tool = TestTool::host("act");
    let calls = tool.counter();
    let mut builder = fixture.untrusting().tool(tool);
    for (role, seed) in KEYS {
        builder = builder.trust(named(seed), [role]);
    }
    Store { runtime: block_on(builder.open()).unwrap(), fixture, calls }
}

fn bundle(seed: u8) -> SignedBundle {
    let rules = json!({"name": "b", "version": "1", "rules": []});
    block_on(SignedBundle::sign(Bundle::from_json(rules.to_string().as_bytes()).unwrap(), &key(seed))).unwrap()
}

/// An authority entry at the end of the store's authority trajectory, sealed by `seed`.
fn sealed(store: &Store, seed: u8, draft: Draft) -> Result<(), FaultKind> {
    let (mut entries, state) = (store.fixture.authority(), store.runtime.authority());
    let last = entries.last().unwrap();
    let header = Header {
        kind: draft.kind.code(),
        blobs: 0,
        seq: last.header.seq + 1,
        parent: last.id(),
        signer: key(seed).public_key().id(),
        authority: state.epoch,
        base_seq: state.epoch_seq,
        record: draft.hash(),
        ..last.header
    };
    let signature = Some(key(seed).sign(Purpose::Entry, header.id().as_bytes()));
    entries.push(Entry { header, record: draft.record, blobs: vec![], signature });
    match AuthorityLog::new(entries) {
        Ok(_) => Ok(()),
        Err(ReplayError::Fault(fault)) => Err(fault.reason),
        Err(other) => panic!("{other}"),
    }
}

fn roster(seed: u8) -> Draft {
    let quorum = Quorum { approvers: vec![named(41)], required: 1 };
    let roster = Roster { channels: [("ops".to_owned(), quorum)].into(), version: "1".into() };
    let hash = roster.hash().unwrap();
    let signature = key(seed).sign(Purpose::Roster, hash.as_bytes());
    let record = RosterRecord { hash, roster, signature, signed_by: key(seed).public_key() };
    Draft::seal(Kind::Roster, &record, vec![]).unwrap()
}

#[test]
fn only_a_writ_issuer_issues_writs_and_a_refused_start_is_on_record() {
    for (role, seed) in KEYS {
        let store = store();
        let writ = WritBuilder::root(named(seed), named(AGENT)).any_store().scopes([scope("*")]).budget(PLENTY);
        let chain = block_on(writ.effects_up_to(openthymos::contract::Effect::Write).sign(&key(seed))).unwrap();
        let started = block_on(store.runtime.start("a task", &chain, &key(AGENT)));
        if role == Role::WritIssuer {
            submit(&started.unwrap(), "act", json!({}));
            assert_eq!(store.calls.get(), 1);
            continue;
        }
        let refusal = match started {
            Err(StartError::Refused(refusal)) => refusal,
            other => panic!("{role}: {:?}", other.err()),
        };
        assert_eq!((refusal.code, store.calls.get()), (Code::UntrustedRoot, 0), "{role}");
        let recorded: StartRefused = store.fixture.authority().last().unwrap().body().unwrap();
        assert_eq!((recorded.refusal, recorded.writ), (refusal, Some(chain.id())));
    }
}

#[test]
fn only_a_policy_issuer_signs_bundles_and_rosters() {
    for (role, seed) in KEYS {
        let store = store();
        let verified = bundle(seed).verify(|_| true).unwrap();
        let mut builder = store.fixture.untrusting().policies(PolicySet::builder().bundle(verified).build().unwrap());
        for (role, seed) in KEYS {
            builder = builder.trust(named(seed), [role]);
        }
        let rostered = sealed(&store, RUNTIME, roster(seed));
        let opened = block_on(builder.open());
        let trusted = bundle(seed).verify(|key| store.runtime.authority().trust.has(key, Role::PolicyIssuer));
        if role == Role::PolicyIssuer {
            assert!(opened.is_ok() && rostered.is_ok() && trusted.is_ok());
            continue;
        }
        assert!(trusted.is_err(), "{role}");
        assert!(matches!(opened, Err(BuildError::Policy(_))), "{role}");
        let needs = matches!(rostered, Err(FaultKind::Force(AuthorityError::Role { role: Role::PolicyIssuer, .. })));
        assert!(needs, "{role}: {rostered:?}");
    }
}

#[test]
fn only_a_writ_issuer_revokes_and_resets_the_clock() {
    for (role, seed) in KEYS {
        let store = store();
        store.fixture.clock.set(START_MS - 61_000);
        let before = store.fixture.authority().len();
        let writ = signed(writ()).id();
        let revoked = block_on(store.runtime.revoke(writ, "why", "who", &key(seed)));
        let reset = block_on(store.runtime.reset_clock("who", &key(seed)));
        if role == Role::WritIssuer {
            assert!(revoked.is_ok() && reset.is_ok());
            continue;
        }
        assert!(matches!(revoked, Err(RevokeError::NotTrusted { .. })), "{role}: {revoked:?}");
        assert!(matches!(reset, Err(ClockError::NotTrusted { .. })), "{role}: {reset:?}");
        assert_eq!(store.fixture.authority().len(), before);
    }
}

#[test]
fn a_key_is_replaced_by_itself_or_by_a_writ_issuer() {
    for (replaced, old) in KEYS {
        for (role, seed) in KEYS {
            let store = store();
            let rotation = match replaced {
                Role::Runtime => Rotation::runtime(named(old).key, "new", key(50)),
                other => Rotation::new([other], named(old).key, named(50)),
            };
            let rotated = block_on(store.runtime.rotate(rotation, &key(seed)));
            if role == Role::WritIssuer || seed == old {
                rotated.unwrap();
                continue;
            }
            assert!(matches!(rotated, Err(RotateError::NotTrusted { .. })), "{role} replaces {replaced}: {rotated:?}");
        }
    }
}

#[test]
fn only_the_runtimes_key_signs_entries() {
    for (role, seed) in KEYS {
        let store = store();
        let found = sealed(&store, seed, roster(40));
        let run = start(&store.runtime, &signed(writ()));
        submit(&run, "act", json!({}));
        let mut forged = store.fixture.entries(&run.id()).remove(1);
        forged.header.signer = key(seed).public_key().id();
        forged.signature = Some(key(seed).sign(Purpose::Entry, forged.id().as_bytes()));
        let log = block_on(openthymos::replay::closure(&*store.fixture.ledger, &run.id())).unwrap();
        let mut replayer = openthymos::replay::Replayer::new(&log, run.id(), openthymos::replay::Pins::default());
        replayer.push(&store.fixture.entry(&run.id(), 0)).unwrap();
        let pushed = replayer.push(&forged).map_err(|fault| fault.reason);
        let opened =
            block_on(Runtime::builder().shared_ledger(store.fixture.ledger.clone()).signer("x", key(seed)).open());
        if role == Role::Runtime {
            assert!(found.is_ok() && pushed.is_ok() && opened.is_ok());
            continue;
        }
        assert!(matches!(found, Err(FaultKind::Signer(_))), "{role}: {found:?}");
        assert!(matches!(pushed, Err(FaultKind::Signer(_))), "{role}: {pushed:?}");
        assert!(matches!(opened, Err(BuildError::WrongKey { .. })), "{role}");
    }
}

#[test]
fn a_role_that_is_only_on_record_makes_no_key_the_runtimes() {
    let fixture = Fixture::default();
    let stranger: SecretKey = key(STRANGER);
    block_on(fixture.builder().trust(named(STRANGER), [Role::Runtime]).open()).unwrap();
    let entries = fixture.authority().len();
    let opened = block_on(Runtime::builder().shared_ledger(fixture.ledger.clone()).signer("x", stranger).open());
    assert!(matches!(opened, Err(BuildError::WrongKey { .. })));
    assert_eq!(
        (fixture.authority().len(), block_on(fixture.ledger.append(openthymos::ledger::Batch::default())).unwrap().0),
        (entries, entries as u64)
    );
}

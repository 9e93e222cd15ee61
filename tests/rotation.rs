//! Keys are replaced while runs go on, lost keys too, and a compromised key vouches for nothing.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use async_trait::async_trait;
use common::*;
use futures::{FutureExt, channel::oneshot, executor::block_on, join};
use openthymos::{
    Runtime,
    canon::TrajectoryId,
    crypto::{NamedKey, PublicKey, Purpose, Role, SecretKey, Signature},
    host::{SignError, Signer},
    ledger::{
        AuthorityState, Batch, Draft, Entry, Header, Kind, LedgerStore, Position, RegisterKey, RegisterOp,
        record::{EndReason, KeyRotation, Terminated, TrustChange, TrustRoot},
    },
    proposal::{Code, Stage},
    replay::{Pins, Report, StorePins, Verdict, export::verify},
    runtime::{BuildError, Builder, RotateError, Rotation, Run, RunError, StartError, Submitted, export},
};
use serde_json::json;

const NEXT: u8 = 20;

fn noting() -> TestTool {
    TestTool::world("note")
}

fn runtime_key(seed: u8) -> Rotation {
    runtime_key_from(RUNTIME, seed)
}

fn runtime_key_from(old: u8, new: u8) -> Rotation {
    Rotation::runtime(named(old).key, "kernel", key(new))
}

fn opened_with(fixture: &Fixture, seed: u8) -> Builder {
    Runtime::builder()
        .shared_ledger(fixture.ledger.clone())
        .signer("kernel", key(seed))
        .host(fixture.host.clone())
        .trust(named(ISSUER), [Role::WritIssuer])
        .tool(noting())
}

fn exported(fixture: &Fixture, run: &TrajectoryId, seed: u8) -> Vec<u8> {
    let mut file = Vec::new();
    block_on(export(&*fixture.ledger, run, Some(&key(seed)), START_MS, &mut file)).unwrap();
    file
}

fn signers(fixture: &Fixture, run: &TrajectoryId) -> Vec<bool> {
    fixture.entries(run).iter().map(|entry| entry.header.signer == named(RUNTIME).key.id()).collect()
}

/// What a replay of the store and of an export say; they say the same.
fn reported(fixture: &Fixture, runtime: &Runtime, run: &TrajectoryId, seed: u8) -> Report {
    let report = block_on(runtime.replay(run, Pins::default())).unwrap();
    let (from_file, _) = verify(&exported(fixture, run, seed)[..], Pins::default(), |_, _| {}).unwrap();
    assert_eq!(from_file, report);
    report
}

#[test]
fn entries_are_signed_by_the_old_key_before_and_by_the_new_one_after() {
    let fixture = Fixture::default();
    let runtime = fixture.open([noting()]);
    let run = start(&runtime, &signed(writ()));
    submit(&run, "note", json!({}));
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    submit(&run, "note", json!({}));
    submit(&run, "gone", json!({}));
    assert_eq!(signers(&fixture, &run.id()), [true, true, false, false]);
    let report = reported(&fixture, &runtime, &run.id(), NEXT);
    assert_eq!((report.verdict(), report.signers.len()), (Verdict::Verified, 2));
    assert_eq!(runtime.authority().runtime_key().map(|named| named.key), Some(named(NEXT).key));

    // The old key signs no head any more, and opens the ledger no more.
    let old = block_on(export(&*fixture.ledger, &run.id(), Some(&key(RUNTIME)), START_MS, &mut Vec::new()));
    assert!(old.unwrap_err().to_string().contains(&named(NEXT).key.to_string()));
    drop((runtime, run));
    let wrong = block_on(opened_with(&fixture, RUNTIME).open()).err().unwrap();
    assert!(matches!(wrong, BuildError::WrongKey { .. }) && wrong.to_string().contains("rotate_from"), "{wrong}");
    let runtime = block_on(opened_with(&fixture, NEXT).open()).unwrap();
    let run = block_on(runtime.resume(&report.trajectory)).unwrap();
    submit(&run, "note", json!({}));
    verified(&runtime, &run.id());
}

/// A key of which one can tell whether anybody still has it.
struct Held {
    key: SecretKey,
    _by: Arc<()>,
}

#[async_trait]
impl Signer for Held {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    async fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<Signature, SignError> {
        Ok(self.key.sign(purpose, digest))
    }
}

#[test]
fn a_runtime_lets_go_of_a_key_that_was_replaced() {
    let (fixture, held) = (Fixture::default(), Arc::new(()));
    let builder = Runtime::builder().shared_ledger(fixture.ledger.clone()).host(fixture.host.clone());
    let runtime = block_on(builder.signer("kernel", Held { key: key(RUNTIME), _by: held.clone() }).open()).unwrap();
    assert_eq!(Arc::strong_count(&held), 2);
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn an_earlier_key_that_is_given_too_is_replaced_when_the_ledger_is_opened() {
    let fixture = Fixture::default();
    let run = start(&fixture.open([noting()]), &signed(writ())).id();
    let entries = || fixture.authority().len();
    let before = entries();
    let builder = || opened_with(&fixture, NEXT).rotate_from(key(STRANGER)).rotate_from(key(RUNTIME));
    let runtime = block_on(builder().open()).unwrap();
    assert_eq!(entries(), before + 1);
    submit(&block_on(runtime.resume(&run)).unwrap(), "note", json!({}));
    verified(&runtime, &run);
    drop(runtime);
    // It is recorded once.
    block_on(builder().open()).unwrap();
    assert_eq!(entries(), before + 1);
    let stranger = opened_with(&fixture, STRANGER).rotate_from(key(RUNTIME));
    assert!(matches!(block_on(stranger.open()), Err(BuildError::WrongKey { .. })));
}

#[test]
fn a_key_that_was_lost_is_replaced_by_a_root() {
    let fixture = Fixture::default();
    let run = start(&fixture.open([noting()]), &signed(writ())).id();
    let by = |root| block_on(opened_with(&fixture, NEXT).rotate_by(key(root)).open());
    assert!(matches!(by(STRANGER), Err(BuildError::WrongKey { .. })));
    // The old key is at hand nowhere: the root signs the statement, and the new key the entry.
    let runtime = by(ISSUER).unwrap();
    let rotation = fixture.authority().pop().unwrap();
    assert_eq!((rotation.header.known_kind(), rotation.header.signer), (Some(Kind::KeyRotation), named(NEXT).key.id()));
    submit(&block_on(runtime.resume(&run)).unwrap(), "note", json!({}));
    assert_eq!(reported(&fixture, &runtime, &run, NEXT).verdict(), Verdict::Verified);
}

#[test]
fn runs_go_on_while_keys_rotate_and_every_entry_verifies() {
    let fixture = Fixture::default();
    let runtime = fixture.open([noting(), TestTool::host("send")]);
    let chain = signed(writ());
    let runs: Vec<Run> = (0..4).map(|_| start(&runtime, &chain)).collect();
    let done = AtomicBool::new(false);
    let last = AtomicU8::new(RUNTIME);
    std::thread::scope(|scope| {
        let workers: Vec<_> = runs
            .iter()
            .map(|run| {
                scope.spawn(move || {
                    for at in 0..120 {
                        let submitted = submit(run, ["send", "note", "gone"][at % 3], json!({}));
                        assert_eq!(matches!(submitted, Submitted::Rejected { .. }), at % 3 == 2, "{submitted:?}");
                    }
                })
            })
            .collect();
        let (runtime, done, last) = (&runtime, &done, &last);
        scope.spawn(move || {
            for new in 30..200 {
                let old = last.swap(new, Ordering::SeqCst);
                block_on(runtime.rotate(runtime_key_from(old, new), &key(old))).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(2));
                if done.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    let mut keys = 0;
    for run in &runs {
        let report = reported(&fixture, &runtime, &run.id(), last.load(Ordering::SeqCst));
        assert_eq!(report.verdict(), Verdict::Verified, "{report}");
        keys += report.signers.len();
    }
    assert!(keys > 8, "the keys hardly rotated: {keys}");
    // In the order of the store, no entry is signed by a key that was replaced before it.
    let mut state = AuthorityState::default();
    for (position, entry) in block_on(fixture.ledger.scan(Position(0), usize::MAX)).unwrap() {
        let authority = entry.header.is_authority() && entry.header.known_kind() != Some(Kind::Genesis);
        if entry.header.known_kind() != Some(Kind::Genesis) {
            assert!(state.signing_key(&entry.header.signer).is_some(), "{position:?}");
            assert!(authority || entry.header.authority == state.epoch, "{position:?}");
        }
        if entry.header.is_authority() {
            state.apply(&entry).unwrap();
        }
    }
}

#[test]
fn a_root_is_replaced_in_its_roles_and_its_writs_start_nothing_more() {
    let fixture = Fixture::default();
    let roles = [Role::WritIssuer, Role::PolicyIssuer, Role::Approver];
    let tool = noting();
    let calls = tool.counter();
    let runtime = block_on(fixture.untrusting().trust(named(ISSUER), roles).tool(tool).open()).unwrap();
    let chain = signed(writ());
    let run = start(&runtime, &chain);
    submit(&run, "note", json!({}));
    block_on(runtime.rotate(Rotation::new(roles, named(ISSUER).key, named(NEXT)), &key(ISSUER))).unwrap();
    for role in roles {
        let trust = runtime.authority().trust;
        assert!(trust.has(&named(NEXT).key, role) && !trust.has(&named(ISSUER).key, role));
    }
    // A live run under the old root does nothing more, and none starts.
    let Submitted::Rejected { refusal, .. } = submit(&run, "note", json!({})) else { panic!("not refused") };
    assert_eq!((refusal.stage, refusal.code, calls.get()), (Stage::Chain, Code::UntrustedRoot, 1));
    let refused = block_on(runtime.start("again", &chain, &key(AGENT))).err().unwrap();
    assert!(matches!(&refused, StartError::Refused(refusal) if refusal.code == Code::UntrustedRoot), "{refused}");
    assert!(fixture.authority().iter().any(|entry| entry.header.known_kind() == Some(Kind::StartRefused)));
    verified(&runtime, &run.id());
    block_on(runtime.revoke(chain.id(), "old", "next", &key(NEXT))).unwrap();
}

/// Signs an entry in the name of the runtime and stores it at the end of a trajectory, as a thief of its key would.
fn forge(fixture: &Fixture, seed: u8, like: &Entry, draft: Draft) {
    let head = block_on(fixture.ledger.head(&like.header.trajectory)).unwrap().unwrap();
    let header = Header {
        kind: draft.kind.code(),
        blobs: draft.blobs.len() as u32,
        seq: head.seq + 1,
        parent: head.id,
        record: draft.hash(),
        ..like.header
    };
    let signature = Some(key(seed).sign(Purpose::Entry, header.id().as_bytes()));
    let entry = draft.into_entry(header, signature);
    let mut registers = vec![];
    if entry.header.known_kind().is_some_and(Kind::opens_epoch) {
        let value = [entry.id().as_bytes().as_slice(), &entry.header.seq.to_be_bytes()].concat();
        registers.push(RegisterOp::Set { key: RegisterKey::epoch(), value: Some(value.into()) });
    }
    block_on(fixture.ledger.append(Batch { entries: vec![entry], registers })).unwrap();
}

fn length(fixture: &Fixture) -> Position {
    block_on(fixture.ledger.append(Batch::default())).unwrap()
}

/// A run of which the entries from 2 on were stored from the returned position on.
fn halfway() -> (Fixture, Runtime, Run, Position) {
    let fixture = Fixture::default();
    let runtime = fixture.open([noting()]);
    let run = start(&runtime, &signed(writ()));
    submit(&run, "note", json!({}));
    let from = length(&fixture);
    submit(&run, "note", json!({}));
    submit(&run, "note", json!({}));
    (fixture, runtime, run, from)
}

#[test]
fn entries_of_a_compromised_key_prove_nothing_from_the_position_on() {
    let (fixture, runtime, run, from) = halfway();
    let before = start(&runtime, &signed(writ()));
    block_on(runtime.rotate(runtime_key(NEXT).compromised_from(from), &key(ISSUER))).unwrap();
    submit(&run, "note", json!({}));
    let report = reported(&fixture, &runtime, &run.id(), NEXT);
    let said = format!(
        "entries 2–3 are signed by key {}, which is invalid from position {}: nothing vouches for them",
        named(RUNTIME).key,
        from.0
    );
    assert_eq!((report.verdict(), report.incomplete.as_slice()), (Verdict::Incomplete, &[said][..]));
    let one = reported(&fixture, &runtime, &before.id(), NEXT).incomplete;
    assert!(one.len() == 1 && one.iter().all(|said| said.starts_with("entry 0 is signed by key ")), "{one:?}");
    // Such a run is not taken up.
    drop((run, runtime));
    let runtime = block_on(opened_with(&fixture, NEXT).open()).unwrap();
    let refused = block_on(runtime.resume(&report.trajectory)).err().unwrap();
    assert!(matches!(&refused, StartError::Incomplete { reason, .. } if reason.contains("vouches")), "{refused}");
    // What comes after the compromise is as good as ever.
    let fresh = start(&runtime, &signed(writ()));
    submit(&fresh, "note", json!({}));
    assert_eq!(reported(&fixture, &runtime, &fresh.id(), NEXT).verdict(), Verdict::Verified);
}

#[test]
fn entries_before_the_position_are_good() {
    let (fixture, runtime, run, _) = halfway();
    let from = length(&fixture);
    block_on(runtime.rotate(runtime_key(NEXT).compromised_from(from), &key(ISSUER))).unwrap();
    assert_eq!(reported(&fixture, &runtime, &run.id(), NEXT).verdict(), Verdict::Verified);
    submit(&run, "note", json!({}));
    assert_eq!(reported(&fixture, &runtime, &run.id(), NEXT).verdict(), Verdict::Verified);
    let beyond = Position(length(&fixture).0 + 1);
    let rotation = runtime_key_from(NEXT, 21).compromised_from(beyond);
    let beyond = block_on(runtime.rotate(rotation, &key(ISSUER)));
    assert!(matches!(beyond, Err(RotateError::Position { .. })), "{beyond:?}");
}

#[test]
fn a_key_that_was_replaced_before_can_turn_out_to_be_compromised() {
    let (fixture, runtime, run, from) = halfway();
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    submit(&run, "note", json!({}));
    verified(&runtime, &run.id());
    block_on(runtime.rotate(runtime_key(NEXT).compromised_from(from), &key(ISSUER))).unwrap();
    let report = reported(&fixture, &runtime, &run.id(), NEXT);
    assert!(report.incomplete.iter().all(|said| said.starts_with("entries 2–3 are")), "{report}");
    assert_eq!((report.incomplete.len(), report.verdict()), (1, Verdict::Incomplete));
}

#[test]
fn a_root_that_a_thief_of_the_runtimes_key_trusted_is_reported_and_is_none_after_the_rotation() {
    let fixture = Fixture::default();
    let runtime = fixture.open([noting()]);
    start(&runtime, &signed(writ()));
    let from = length(&fixture);
    drop(runtime);
    let state = block_on(opened_with(&fixture, RUNTIME).open()).unwrap().authority();
    let mut like = fixture.authority().pop().unwrap();
    (like.header.authority, like.header.base_seq) = (state.epoch, state.epoch_seq);
    let root = TrustRoot { change: TrustChange::Added, root: named(STRANGER), roles: vec![Role::WritIssuer] };
    forge(&fixture, RUNTIME, &like, Draft::seal(Kind::TrustRoot, &root, vec![]).unwrap());

    // A host that names the stranger's root too, so that nothing takes it away again: its runs rest on the forged entry.
    let open = |seed| opened_with(&fixture, seed).trust(named(STRANGER), [Role::WritIssuer]);
    let runtime = block_on(open(RUNTIME).open()).unwrap();
    let chain = {
        let writ = openthymos::writ::WritBuilder::root(named(STRANGER), named(AGENT)).any_store().scopes([scope("*")]);
        let writ = writ.budget(PLENTY).effects_up_to(openthymos::contract::Effect::Write);
        block_on(writ.sign(&key(STRANGER))).unwrap()
    };
    let taken = start(&runtime, &chain);
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    let later = start(&runtime, &chain);
    block_on(runtime.rotate(runtime_key(NEXT).compromised_from(from), &key(ISSUER))).unwrap();
    for run in [&taken, &later] {
        let said = reported(&fixture, &runtime, &run.id(), NEXT).incomplete;
        let forged =
            said.iter().any(|said| said.contains("(trust_root) is signed by key ") && said.contains("vouches"));
        assert!(forged, "{said:?}");
    }
    drop((taken, later, runtime));
    // A host that does not name it: after the rotation nothing rests on the entry, and the root is none.
    let runtime = block_on(opened_with(&fixture, NEXT).open()).unwrap();
    assert!(block_on(runtime.start("again", &chain, &key(AGENT))).is_err());
    let run = start(&runtime, &signed(writ()));
    assert_eq!(reported(&fixture, &runtime, &run.id(), NEXT).verdict(), Verdict::Verified);
}

#[test]
fn after_a_compromise_roots_and_policies_are_stated_anew_with_the_new_key() {
    let (fixture, runtime, _, from) = halfway();
    let before = fixture.authority().len();
    block_on(runtime.rotate(runtime_key(NEXT).compromised_from(from), &key(ISSUER))).unwrap();
    let kinds: Vec<_> = fixture.authority()[before..].iter().map(|entry| entry.header.known_kind().unwrap()).collect();
    assert_eq!(kinds, [Kind::KeyRotation, Kind::TrustRoot, Kind::PolicySet]);
    let new = named(NEXT).key.id();
    assert!(fixture.authority()[before..].iter().all(|entry| entry.header.signer == new));
    let state = runtime.authority();
    assert!(state.trust.has(&named(ISSUER).key, Role::WritIssuer) && state.policy_set.is_some());
}

#[test]
fn what_a_replaced_key_signed_after_its_rotation_is_found_in_the_whole_store() {
    let fixture = Fixture::default();
    let runtime = fixture.open([noting()]);
    let run = start(&runtime, &signed(writ()));
    let whole = || block_on(openthymos::replay::store(&*fixture.ledger, StorePins::default(), |_| {}));
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    whole().unwrap();
    // The end of the run, by the key of the epoch that it names, which is over.
    let reason = EndReason::Closed;
    let end = Terminated { answer: None, detail: None, reason, spent: openthymos::writ::Amounts::ZERO };
    forge(&fixture, RUNTIME, &fixture.entry(&run.id(), 0), Draft::seal(Kind::Terminated, &end, vec![]).unwrap());
    let found = whole().err().unwrap();
    assert!(found.to_string().contains("which is not there or out of order"), "{found}");
}

#[test]
fn a_run_under_a_writ_of_a_root_that_was_compromised_before_it_started_is_reported() {
    let (fixture, runtime, run, from) = halfway();
    let late = start(&runtime, &signed(writ().tenant("other")));
    let second = Rotation::new([Role::WritIssuer], named(ISSUER).key, named(NEXT)).compromised_from(from);
    block_on(runtime.rotate(second, &key(ISSUER))).unwrap();
    assert_eq!(reported(&fixture, &runtime, &run.id(), RUNTIME).verdict(), Verdict::Verified);
    let said = reported(&fixture, &runtime, &late.id(), RUNTIME).incomplete;
    assert!(said.iter().any(|said| said.starts_with("the run was started under a writ issued by key ")), "{said:?}");
}

#[test]
fn an_export_has_to_say_from_where_on_a_key_is_invalid() {
    use openthymos::replay::export::Line;
    let (fixture, runtime, run, from) = halfway();
    block_on(runtime.rotate(runtime_key(NEXT).compromised_from(from), &key(ISSUER))).unwrap();
    let file = exported(&fixture, &run.id(), NEXT);
    let start = file[..file.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let Line::Head(mut head) = serde_json::from_slice(&file[start..]).unwrap() else { panic!("no head") };
    let [invalid] = &head.statement.invalid[..] else { panic!("{head:?}") };
    assert_eq!((invalid.key, invalid.run), (named(RUNTIME).key, Some(2)));
    head.statement.invalid.clear();
    head.signature = Some(key(NEXT).sign(Purpose::ExportHead, head.statement.hash().unwrap().as_bytes()));
    let silent = [&file[..start], &openthymos::canon::to_canonical(&Line::Head(head)).unwrap(), b"\n"].concat();
    let refused = verify(&silent[..], Pins::default(), |_, _| {}).err().unwrap();
    assert!(refused.to_string().contains("does not say from where on"), "{refused}");
}

#[test]
fn keys_do_not_come_back_and_nobody_replaces_what_he_may_not() {
    let (fixture, runtime, _, from) = halfway();
    let entries = fixture.authority().len();
    let refused = |rotation: Rotation, by: &dyn Signer| block_on(runtime.rotate(rotation, by)).unwrap_err();
    let root = |old: PublicKey, roles: &[Role]| Rotation::new(roles.iter().copied(), old, named(NEXT));
    let strangers = refused(runtime_key(NEXT), &key(STRANGER));
    assert!(matches!(strangers, RotateError::NotTrusted { .. }), "{strangers}");
    // The old key cannot call itself compromised.
    let own = refused(runtime_key(NEXT).compromised_from(from), &key(RUNTIME));
    assert!(matches!(own, RotateError::NotTrusted { .. }), "{own}");
    let other = refused(root(named(ISSUER).key, &[Role::Approver]), &key(ISSUER));
    assert!(matches!(other, RotateError::NotInRole { role: Role::Approver, .. }), "{other}");
    let other = refused(root(named(STRANGER).key, &[Role::WritIssuer]), &key(ISSUER));
    assert!(matches!(other, RotateError::NotInRole { .. }), "{other}");
    let other = refused(runtime_key_from(STRANGER, NEXT), &key(ISSUER));
    assert!(matches!(other, RotateError::NotInRole { role: Role::Runtime, .. }), "{other}");
    let itself = refused(runtime_key(RUNTIME), &key(RUNTIME));
    assert!(matches!(itself, RotateError::Used { .. }), "{itself}");
    let without = Rotation::new([Role::Runtime], named(RUNTIME).key, named(NEXT));
    assert!(matches!(refused(without, &key(RUNTIME)), RotateError::NoSigner));
    assert!(matches!(refused(root(named(ISSUER).key, &[]), &key(ISSUER)), RotateError::NoRole));
    assert_eq!(fixture.authority().len(), entries);
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    let back = refused(runtime_key_from(NEXT, RUNTIME), &key(NEXT));
    assert!(matches!(back, RotateError::Used { .. }), "{back}");
    let replaced = refused(runtime_key_from(RUNTIME, 21), &key(RUNTIME));
    assert!(matches!(replaced, RotateError::NotInRole { .. }), "{replaced}");
}

#[test]
fn a_forged_rotation_has_no_force() {
    let (fixture, runtime, _, _) = halfway();
    let state = runtime.authority();
    let statement = |new: NamedKey, invalid_from| openthymos::ledger::record::RotationStatement {
        invalid_from,
        new,
        old: named(RUNTIME).key,
        role: Role::Runtime,
        store: runtime.store_id(),
    };
    let signed_by = |seed: u8, sealed_by: u8, statement: openthymos::ledger::record::RotationStatement| {
        let signature = key(seed).sign(Purpose::Rotation, statement.hash().unwrap().as_bytes());
        let record = KeyRotation { signature, signed_by: named(seed).key, statement };
        let (like, draft) = (fixture.authority(), Draft::seal(Kind::KeyRotation, &record, vec![]).unwrap());
        let last = like.last().unwrap();
        let header = Header {
            kind: Kind::KeyRotation.code(),
            blobs: 0,
            seq: last.header.seq + 1,
            parent: last.id(),
            signer: named(sealed_by).key.id(),
            authority: state.epoch,
            base_seq: state.epoch_seq,
            record: draft.hash(),
            ..last.header
        };
        let signature = Some(key(sealed_by).sign(Purpose::Entry, header.id().as_bytes()));
        let entry = Entry { header, record: draft.record, blobs: vec![], signature };
        openthymos::replay::AuthorityLog::new([like, vec![entry]].concat()).map(drop)
    };
    signed_by(RUNTIME, RUNTIME, statement(named(NEXT), None)).unwrap();
    signed_by(ISSUER, NEXT, statement(named(NEXT), Some(0))).unwrap();
    for (case, forged) in [
        ("a stranger's", signed_by(STRANGER, STRANGER, statement(named(STRANGER), None))),
        ("sealed by the new key", signed_by(RUNTIME, NEXT, statement(named(NEXT), None))),
        ("sealed by the old key", signed_by(ISSUER, RUNTIME, statement(named(NEXT), None))),
        ("compromised by itself", signed_by(RUNTIME, RUNTIME, statement(named(NEXT), Some(0)))),
        ("to itself", signed_by(RUNTIME, RUNTIME, statement(named(RUNTIME), None))),
    ] {
        assert!(forged.is_err(), "{case}");
    }
}

#[test]
fn a_runtime_that_is_opened_for_the_authority_records_no_policies_and_starts_nothing() {
    let (fixture, runtime, run, _) = halfway();
    let (id, before) = (run.id(), fixture.authority().len());
    drop((runtime, run));
    let bare = fixture.builder().authority_only();
    let runtime = block_on(bare.open()).unwrap();
    assert_eq!(fixture.authority().len(), before);
    assert!(matches!(block_on(runtime.resume(&id)), Err(StartError::AuthorityOnly)));
    let started = block_on(runtime.start("x", &signed(writ()), &key(AGENT)));
    assert!(matches!(started, Err(StartError::AuthorityOnly)));
    block_on(runtime.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    drop(runtime);
    let runtime = block_on(opened_with(&fixture, NEXT).open()).unwrap();
    let run = block_on(runtime.resume(&id)).unwrap();
    submit(&run, "note", json!({}));
    verified(&runtime, &id);
}

#[test]
fn a_runtime_whose_key_another_replaced_signs_nothing_and_says_so() {
    let (fixture, runtime, run, _) = halfway();
    // Two runtimes on one store is a host's mistake; the loser must not write.
    let other = block_on(opened_with(&fixture, RUNTIME).open()).unwrap();
    block_on(other.rotate(runtime_key(NEXT), &key(RUNTIME))).unwrap();
    let lost = block_on(run.submit(openthymos::Intent::act("note", json!({})))).unwrap_err();
    assert!(matches!(lost, RunError::KeyReplaced { key } if key == named(NEXT).key), "{lost}");
    verified(&runtime, &run.id());
}

/// The runtime's key; before the next signature it waits for the word, if there is one to wait for.
struct Waiting(Arc<Mutex<Option<oneshot::Receiver<()>>>>);

#[async_trait]
impl Signer for Waiting {
    fn public_key(&self) -> PublicKey {
        named(RUNTIME).key
    }

    async fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<Signature, SignError> {
        let word = self.0.lock().unwrap().take();
        if let Some(word) = word {
            word.await.unwrap();
        }
        Ok(key(RUNTIME).sign(purpose, digest))
    }
}

/// Begins two rotations, the second while the first is being recorded.
fn at_once(runtime: &Runtime, gate: &Mutex<Option<oneshot::Receiver<()>>>, [one, two]: [Rotation; 2]) -> [bool; 2] {
    let (word, waits) = oneshot::channel();
    *gate.lock().unwrap() = Some(waits);
    let issuer = key(ISSUER);
    let (mut one, mut two) = (Box::pin(runtime.rotate(one, &issuer)), Box::pin(runtime.rotate(two, &issuer)));
    assert!((&mut one).now_or_never().is_none() && (&mut two).now_or_never().is_none());
    word.send(()).unwrap();
    let (one, two) = block_on(async { join!(one, two) });
    assert!(!matches!(two, Err(RotateError::Run(_))), "{two:?}");
    [one.is_ok(), two.is_ok()]
}

#[test]
fn rotations_that_are_asked_for_at_once_do_not_undo_each_other() {
    const APPROVER: u8 = 22;
    let (fixture, gate) = (Fixture::default(), Arc::<Mutex<_>>::default());
    let builder = Runtime::builder().shared_ledger(fixture.ledger.clone()).host(fixture.host.clone());
    let builder = builder.trust(named(ISSUER), [Role::WritIssuer]).trust(named(APPROVER), [Role::Approver]);
    let runtime = block_on(builder.signer("kernel", Waiting(gate.clone())).tool(noting()).open()).unwrap();
    let approver = |new| Rotation::new([Role::Approver], named(APPROVER).key, named(new));
    // The second states all roots anew: as they are when it is recorded.
    let compromised = runtime_key(NEXT).compromised_from(length(&fixture));
    assert_eq!(at_once(&runtime, &gate, [approver(23), compromised]), [true, true]);
    let trust = runtime.authority().trust;
    assert!(trust.has(&named(23).key, Role::Approver) && !trust.has(&named(APPROVER).key, Role::Approver));
    let run = start(&runtime, &signed(writ()));
    assert_eq!(reported(&fixture, &runtime, &run.id(), NEXT).verdict(), Verdict::Verified);
}

#[test]
fn of_two_rotations_of_one_key_at_once_the_later_is_told_that_the_key_has_the_role_no_more() {
    let (fixture, gate) = (Fixture::default(), Arc::<Mutex<_>>::default());
    let builder = Runtime::builder().shared_ledger(fixture.ledger.clone()).host(fixture.host.clone());
    let builder = builder.trust(named(ISSUER), [Role::WritIssuer]).signer("kernel", Waiting(gate.clone()));
    let runtime = block_on(builder.open()).unwrap();
    let issuer = |new| Rotation::new([Role::WritIssuer], named(ISSUER).key, named(new));
    assert_eq!(at_once(&runtime, &gate, [issuer(NEXT), issuer(21)]), [true, false]);
    let trust = runtime.authority().trust;
    assert!(trust.has(&named(NEXT).key, Role::WritIssuer) && !trust.has(&named(21).key, Role::WritIssuer));
}

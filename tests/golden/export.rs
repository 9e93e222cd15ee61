//! A whole run as an export: commits, dispatches, refusals, failures, votes, turns, and the end.

use std::sync::Arc;

use futures::executor::block_on;
use openthymos::{
    Intent, LedgerStore, Runtime,
    canon::EntryId,
    cognition::{Mock, Request, Turn},
    contract::Effect,
    crypto::{Purpose, Role},
    host::{FixedClock, Host, SeededEntropy},
    ledger::{
        AuthorityState, Batch, Entry, Header, Kind, MemoryLedger, RegisterKey, RegisterOp,
        record::{EndReason, FailureCause, Outcome},
        register::Epoch,
    },
    policy::{PolicySet, Quorum, SignedBundle, SignedRoster},
    replay::{Pins, Verdict, export::verify},
    runtime::{Answer, Binding, Limits, Submitted, WhyStopped, export},
    writ::{Amounts, Scope, Skill, WritBuilder},
};
use serde_json::json;

use crate::{
    authority,
    file::{holds, read},
    fixture::{AGENT, APPROVER, CHILD, NOW_MS, OPERATOR, POLICY, RUNTIME},
    run::{evidence, skill, store},
    tools::{Pay, Set, Wipe},
};

/// A ledger with a genesis entry that does not name the crate's version.
pub async fn ledger() -> MemoryLedger {
    let (draft, signer) = (authority::genesis(), RUNTIME.secret());
    let header = Header {
        kind: Kind::Genesis.code(),
        blobs: 0,
        store: store(),
        trajectory: AuthorityState::trajectory(store()),
        seq: 0,
        parent: EntryId::ZERO,
        time_ms: NOW_MS,
        signer: signer.public_key().id(),
        authority: EntryId::ZERO,
        base_seq: 0,
        record: draft.hash(),
    };
    let id = header.id();
    let signature = Some(signer.sign(Purpose::Entry, id.as_bytes()));
    let entry = Entry { header, record: draft.record, blobs: vec![], signature };
    let epoch = Epoch { entry: id, seq: 0 };
    let set = RegisterOp::Set { key: RegisterKey::epoch(), value: Some(epoch.to_bytes()) };
    let ledger = MemoryLedger::new();
    ledger.append(Batch { entries: vec![entry], registers: vec![set] }).await.unwrap();
    ledger
}

fn turns() -> Mock {
    let set = |key: &str, value: serde_json::Value| Request::call("kv_set", json!({"key": key, "value": value}));
    let pay = |invoice: &str, ends: &str| Request::call("pay", json!({"invoice": invoice, "amount": 5, "ends": ends}));
    let usage = Amounts { tokens: 100, usd_millicents: 3, ..Amounts::ZERO };
    let turn = |requests: Vec<Request>| Turn { usage, ..Turn::calls(requests) };
    Mock::turns(vec![
        turn(vec![set("a", json!(1)), set("b", json!({"\u{e9}": [1.5, "\u{1f600}"]}))]).saying("two keys first"),
        turn(vec![set("a", json!(2)), pay("1", "paid").because("invoice 1 is due"), set("b", json!(null))]),
        turn(vec![Request::call("transfer", json!({})), set("", json!(1)), Request::call("no such tool", json!({}))]),
        turn(vec![pay("2", "not_done"), pay("3", "failed"), set("c", json!(3))]),
        turn(vec![Request::call("wipe", json!({})), set("c", json!(3))]),
    ])
}

async fn made() -> Vec<u8> {
    let ledger: Arc<dyn LedgerStore> = Arc::new(ledger().await);
    let clock = Arc::new(FixedClock::at(NOW_MS));
    let entropy = Arc::new(SeededEntropy::new(1));
    let host = Host { clock: Arc::clone(&clock) as _, entropy: Arc::clone(&entropy) as _, ..Host::default() };
    let bundle = SignedBundle::sign(authority::bundle(), &POLICY.secret()).await.unwrap();
    let bundle = bundle.verify(|key| *key == POLICY.secret().public_key()).unwrap();
    let quorum = Quorum { approvers: vec![OPERATOR.named()], required: 1 };
    let mut roster = authority::roster();
    roster.channels.insert("operator".into(), quorum);
    let roster = SignedRoster::sign(roster, &POLICY.secret()).await.unwrap();
    let roster = roster.verify(|key| *key == POLICY.secret().public_key()).unwrap();
    let runtime = Runtime::builder()
        .shared_ledger(Arc::clone(&ledger))
        .signer("runtime", RUNTIME.secret())
        .trust(OPERATOR.named(), [Role::WritIssuer])
        .trust(POLICY.named(), [Role::PolicyIssuer])
        .tool(Set)
        .tool(Pay(Arc::clone(&clock)))
        .tool(Wipe)
        .roster(roster)
        .policies(PolicySet::builder().bundle(bundle).build().unwrap())
        .host(host)
        .open()
        .await
        .unwrap();
    let all = ["kv_*", "pay", "wipe", "refund"].map(|tool| Scope::tools(tool.parse().unwrap()));
    let budget = Amounts { tokens: 10_000, tool_calls: 20, usd_millicents: 1_000, wall_clock_ms: 600_000 };
    let root = WritBuilder::root(OPERATOR.named(), AGENT.named())
        .tenant("acme")
        .stores([runtime.store_id()])
        .scopes(all.clone())
        .effects_up_to(Effect::Irreversible)
        .budget(budget)
        .delegable(1)
        .sign_with(&OPERATOR.secret(), &*entropy)
        .await
        .unwrap();
    let chain = WritBuilder::child(&root, CHILD.named()).sign_with(&AGENT.secret(), &*entropy).await.unwrap();

    let run = runtime.start("pay the bills", &chain, &CHILD.secret()).await.unwrap();
    clock.advance_ms(1_000);
    let large = Intent::act("pay", json!({"invoice": "4", "amount": 101})).because("a policy asks for approval");
    let Submitted::Suspended { entry, .. } = run.submit(large).await.unwrap() else { panic!("not suspended") };
    run.vote(Answer::approve(entry).by("approver", &APPROVER.secret())).await.unwrap();
    let operator = OPERATOR.secret();
    let second = Answer::approve(entry).by("operator", &operator).note("the contract is signed");
    assert_eq!(run.vote(second).await.unwrap().outcome, Some(Outcome::Approved));
    clock.advance_ms(500);
    let driven = run.drive(&mut turns(), Limits::default()).await.unwrap();
    assert_eq!(driven.why, WhyStopped::Suspended);
    drop(run);

    clock.advance_ms(60_000);
    let resumed = runtime.resume(&driven.run).await.unwrap();
    let wipe = resumed.requests().await.remove(0).entry;
    resumed.vote(Answer::deny(wipe).note("nobody knows what for")).await.unwrap();
    resumed.submit(Intent::act("wipe", json!({}))).await.unwrap();
    resumed.submit(Intent::query("pay", json!({}))).await.unwrap();
    let parameters = json!({"type": "object", "properties": {"who": {"type": "string"}}});
    let skill = Skill { instructions: "Tidy up for {who}.".into(), parameters, ..skill() };
    resumed.bind(Binding::new(skill).with(json!({"who": "bob"}))).await.unwrap();
    let refunded = resumed.submit(Intent::act("refund", json!({}))).await.unwrap();
    assert!(matches!(refunded, Submitted::Rejected { refusal, .. } if refusal.skill() == Some("payments@1")));
    let tidied = resumed.submit(Intent::act("kv_set", json!({"key": "d", "value": 4}))).await.unwrap();
    assert!(matches!(tidied, Submitted::Committed { .. }));
    let mut last = Mock::turns(vec![Turn::answer("as far as it goes").routed(evidence())]);
    let driven = resumed.drive(&mut last, Limits::default()).await.unwrap();
    assert_eq!(driven.why, WhyStopped::Ended(EndReason::Completed));

    let mut bytes = Vec::new();
    export(&*ledger, &driven.run, Some(&RUNTIME.secret()), NOW_MS + 100_000, &mut bytes).await.unwrap();
    bytes
}

#[test]
fn an_export_of_a_whole_run_is_made_and_verified_as_recorded() {
    let bytes = block_on(made());
    holds("export.ndjson", &bytes);

    let (signer, store) = (Some(RUNTIME.secret().public_key()), Some(store()));
    let pins = Pins { rederive: true, signer, store, ..Pins::default() };
    let mut kinds = Vec::new();
    let mut causes = Vec::new();
    let (report, folded) = verify(&bytes[..], pins, |entry, _| {
        let kind = entry.header.known_kind().unwrap();
        kinds.push(kind);
        if kind == Kind::Failure {
            causes.push(entry.body::<openthymos::ledger::record::Failure>().unwrap().cause);
        }
    })
    .unwrap();
    assert_eq!(report.verdict(), Verdict::Verified);
    // Where a recorded decision does not follow any more, the semantics of the compiler have changed.
    assert_eq!(report.rederived.map(|rederived| rederived.decisions()), Some(report.derived + report.asserted));
    assert_eq!((report.in_doubt.len(), report.ended), (1, Some(EndReason::Completed)));
    assert_eq!((folded.world.len(), folded.skills.len()), (4, 1));
    assert_eq!(causes, [FailureCause::NotDone, FailureCause::ToolFailed]);
    for kind in [
        Kind::Root,
        Kind::TurnStart,
        Kind::Turn,
        Kind::Dispatch,
        Kind::Commit,
        Kind::Failure,
        Kind::Rejection,
        Kind::PendingApproval,
        Kind::Vote,
        Kind::ApprovalOutcome,
        Kind::Resumed,
        Kind::Skill,
        Kind::Routing,
        Kind::Terminated,
    ] {
        assert!(kinds.contains(&kind), "{kind}");
    }
}

#[test]
fn no_byte_of_an_export_can_be_changed() {
    let golden = read("export.ndjson");
    for at in (0..golden.len()).step_by(397) {
        let mut bytes = golden.clone();
        bytes[at] ^= 1;
        assert!(verify(&bytes[..], Pins::default(), |_, _| {}).is_err(), "byte {at}");
    }
}

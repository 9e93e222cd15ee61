//! A run that delegates: a child that ended by itself, one that somebody approved, one that ended with the run, and refusals.

use std::sync::Arc;

use futures::executor::block_on;
use openthymos::{
    Intent, LedgerStore, Run, Runtime,
    cognition::{Mock, Request},
    contract::Effect,
    crypto::Role,
    host::{FixedClock, Host, SeededEntropy},
    ledger::{
        Kind,
        record::{EndReason, Rejection},
    },
    policy::{Bundle, Coordination, PolicySet, UnsignedBundle},
    proposal::{Code, Status},
    replay::{Pins, Verdict, export::verify, lineage},
    runtime::{Answer, Builder, Limits, Subjects, Submitted, export},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::{Value, json};

use crate::{
    export::ledger,
    file::holds,
    fixture::{AGENT, APPROVER, NOW_MS, OPERATOR, RUNTIME},
    tools::Set,
};

const LIMITS: Coordination = Coordination { children: 3, descendants: 8, generations: 1 };

fn policies() -> PolicySet {
    let rules = json!([{
        "name": "many calls", "when": {"field": "child.budget.tool_calls", "op": "gt", "value": 5},
        "decision": {"kind": "require_approval", "channel": "operator", "reason": "many calls"},
    }]);
    let bundle = json!({"name": "children", "rules": rules, "version": "1"});
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    let bundle = UnsignedBundle::accept_unsigned(bundle);
    PolicySet::builder().unsigned_bundle(bundle).coordination(LIMITS).build().unwrap()
}

fn hands_down(task: &str, more: Value) -> Intent {
    let mut args = json!({"budget": {"tool_calls": 5}, "effects": "write", "task": task, "tools": ["kv_*"]});
    args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Intent::delegate(args)
}

async fn refused(run: &Run, more: Value) {
    let submitted = run.submit(hands_down("too much", more)).await.unwrap();
    assert!(matches!(submitted, Submitted::Rejected { .. }), "{submitted:?}");
}

async fn delegated(run: &Run, task: &str) -> Run {
    match run.submit(hands_down(task, json!({}))).await.unwrap() {
        Submitted::Delegated { child, .. } => run.child(&child).await.unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn made() -> (Arc<dyn LedgerStore>, Run) {
    let ledger: Arc<dyn LedgerStore> = Arc::new(ledger().await);
    let clock = Arc::new(FixedClock::at(NOW_MS));
    let entropy = Arc::new(SeededEntropy::new(3));
    let host = || Host { clock: Arc::clone(&clock) as _, entropy: Arc::clone(&entropy) as _, ..Host::default() };
    let builder = |subjects: Subjects| -> Builder {
        Runtime::builder()
            .shared_ledger(Arc::clone(&ledger))
            .signer("runtime", RUNTIME.secret())
            .trust(OPERATOR.named(), [Role::WritIssuer])
            .trust(APPROVER.named(), [Role::Approver])
            .policies(policies())
            .tool(Set)
            .delegation(subjects)
            .host(host())
    };
    let runtime = builder(Subjects::default().key(AGENT.secret()).secret([9; 32])).open().await.unwrap();
    let writ = WritBuilder::root(OPERATOR.named(), AGENT.named())
        .stores([runtime.store_id()])
        .scopes(["kv_*", "delegate"].map(|tool| Scope::tools(tool.parse().unwrap())))
        .effects_up_to(Effect::Write)
        .budget(Amounts { tokens: 1_000, tool_calls: 20, wall_clock_ms: 600_000, ..Amounts::ZERO })
        .delegable(1);
    let chain = writ.sign_with(&OPERATOR.secret(), &*entropy).await.unwrap();
    let run = runtime.start("keep the books", &chain, &AGENT.secret()).await.unwrap();
    run.submit(Intent::act("kv_set", json!({"key": "a", "value": 1}))).await.unwrap();

    let first = delegated(&run, "the first part").await;
    clock.advance_ms(1_000);
    let call = Request::call("kv_set", json!({"key": "b", "value": 2}));
    first.drive(&mut Mock::script(vec![vec![call]]).answering("kept"), Limits::default()).await.unwrap();
    run.conclude(&first.id()).await.unwrap();

    for more in [
        json!({"tools": ["shell"]}),
        json!({"effects": "external"}),
        json!({"budget": {"tokens": 1_001}}),
        json!({"depth": 1}),
        json!({"tools": []}),
    ] {
        refused(&run, more).await;
    }
    let asked = run.submit(hands_down("the second part", json!({"budget": {"tool_calls": 6}}))).await.unwrap();
    let Submitted::Suspended { entry, .. } = asked else { panic!("{asked:?}") };
    run.vote(Answer::approve(entry).by("approver", &APPROVER.secret())).await.unwrap();
    let carried = run.carry_on().await.unwrap();
    assert!(matches!(carried.as_slice(), [(_, Submitted::Delegated { .. })]), "{carried:?}");

    delegated(&run, "the third part").await;
    refused(&run, json!({})).await;
    let id = run.id();
    drop((run, first, runtime));

    // Without the key of the run's subject nothing more is delegated, and what runs below ends with the run.
    clock.advance_ms(60_000);
    let runtime = builder(Subjects::default()).open().await.unwrap();
    let run = runtime.resume(&id).await.unwrap();
    refused(&run, json!({})).await;
    run.close().await.unwrap();
    (ledger, run)
}

#[test]
fn a_run_that_delegates_is_exported_and_verified_as_recorded() {
    let (ledger, run) = block_on(made());
    let mut bytes = Vec::new();
    block_on(export(&*ledger, &run.id(), Some(&RUNTIME.secret()), NOW_MS + 100_000, &mut bytes)).unwrap();
    holds("delegated.ndjson", &bytes);

    let (mut kinds, mut codes) = (Vec::new(), Vec::new());
    let (report, folded) = verify(&bytes[..], Pins { rederive: true, ..Pins::default() }, |entry, _| {
        kinds.push(entry.header.known_kind().unwrap());
        if let Ok(Rejection::Refused(proposal)) = entry.body()
            && let Status::Rejected(refusal) = &proposal.decision.status
        {
            codes.push(refusal.code);
        }
    })
    .unwrap();
    assert_eq!(report.verdict(), Verdict::Verified);
    assert_eq!(report.rederived.map(|rederived| rederived.decisions()), Some(report.derived + report.asserted));
    let exceeds = Code::ChildExceedsParent;
    let refusals =
        [exceeds, exceeds, exceeds, exceeds, Code::SchemaViolation, Code::TooManyRuns, Code::SubjectKeyUnavailable];
    assert_eq!(codes, refusals);
    let ends = folded.children.all().iter().map(|child| child.returned.as_ref().unwrap().reason);
    assert_eq!(ends.collect::<Vec<_>>(), [EndReason::Completed, EndReason::Cancelled, EndReason::Cancelled]);
    let of = |kind| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!([of(Kind::Delegation), of(Kind::DelegationResult), of(Kind::PendingApproval)], [3, 3, 1]);
    let below = block_on(lineage(&*ledger, &run.id(), |_| Pins::default())).unwrap();
    assert_eq!((below.runs.len(), below.verdict()), (4, Verdict::Verified));
}

//! A router's evidence is recorded with what came of its route, and nothing depends on it: decisions are the same to the byte with
//! and without it, and what a router gets back holds nothing of what was done.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{
    faulty::{Fault, FaultyLedger, Left},
    *,
};
use futures::executor::block_on;
use openthymos::{
    canon::{StatementHash, TrajectoryId, to_canonical},
    cognition::{Cognition, CognitionError, Context, Mock, Request, Turn, TurnEvents},
    commit::{Commit, Origin},
    contract::Risk,
    host::FixedClock,
    ledger::{
        Entry, Kind,
        record::{Dispatch, PendingApproval, Rejection, RoutingOutcome, RoutingStatus},
    },
    proposal::{Decision, MAX_ALTERNATIVES, RouteEstimate, RoutingEvidence},
    replay::{self, Pins, since_snapshot},
    runtime::{Limits, Run, Runtime, export},
    tool::{ToolError, ToolOutput},
    writ::Amounts,
};
use serde_json::{Value, json};

fn route(name: &str) -> RouteEstimate {
    RouteEstimate { cost_usd_millicents: 12, latency_ms: 800, route: name.into() }
}

fn evidence(number: u8) -> RoutingEvidence {
    RoutingEvidence {
        alternatives: vec![route("small"), route("large")],
        confidence_bp: 8_700,
        decision_hash: StatementHash([number; 32]),
        selected: route("medium"),
    }
}

fn tools() -> [TestTool; 3] {
    let act = TestTool::host("act").calling(|call| match call.args.get("fail") {
        Some(_) => Err(ToolError::NotDone("told to".into())),
        None => Ok(ToolOutput::new("done")),
    });
    [act, TestTool::world("note"), TestTool::host("risky").with(|tool| tool.contract.risk = Risk::Critical)]
}

/// Turns that come to decisions of every kind.
fn script() -> Vec<Turn> {
    let call = |tool: &str, args: Value| Request::call(tool, args);
    let usage = Amounts { tokens: 3, ..Amounts::ZERO };
    let turn = |requests: Vec<Request>| Turn { usage, ..Turn::calls(requests) };
    vec![
        turn(vec![call("act", json!({})), call("note", json!({"amount": 1}))]),
        turn(vec![call("gone", json!({})), call("act", json!({"fail": 1})), call("act", json!({"amount": "x"}))]),
        turn(vec![call("no such tool", json!({}))]),
        turn(vec![call("note", json!({})), call("risky", json!({})), call("note", json!({"amount": 2}))]),
    ]
}

fn decision(entry: &Entry) -> Option<Decision> {
    let proposal = match entry.header.known_kind()? {
        Kind::Dispatch => entry.body::<Dispatch>().unwrap().proposal,
        Kind::PendingApproval => entry.body::<PendingApproval>().unwrap().proposal,
        Kind::Commit => match entry.body::<Commit>().unwrap().origin {
            Origin::Proposal(proposal) => proposal,
            Origin::Dispatch(_) => return None,
        },
        Kind::Rejection => match entry.body().unwrap() {
            Rejection::Refused(proposal) => proposal,
            _ => return None,
        },
        _ => return None,
    };
    Some(proposal.decision.clone())
}

fn outcomes(fixture: &Fixture, run: &TrajectoryId) -> Vec<RoutingOutcome> {
    let entries = fixture.entries(run);
    let routing = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::Routing));
    routing.map(|entry| entry.body().unwrap()).collect()
}

fn driven(runtime: &Runtime, cognition: &mut dyn Cognition) -> Run {
    let run = start(runtime, &signed(writ()));
    block_on(run.drive(cognition, Limits::default())).unwrap();
    run
}

#[test]
fn decisions_are_the_same_to_the_byte_with_and_without_it() {
    let with = |routed: &dyn Fn(usize, Turn) -> Turn| {
        let fixture = Fixture::default();
        let runtime = fixture.open(tools());
        let turns = script().into_iter().enumerate().map(|(number, turn)| routed(number, turn)).collect();
        let run = driven(&runtime, &mut Mock::turns(turns));
        verified(&runtime, &run.id());
        let decisions: Vec<Decision> = fixture.entries(&run.id()).iter().filter_map(decision).collect();
        let bytes: Vec<_> = decisions.iter().map(|decision| to_canonical(decision).unwrap()).collect();
        let hashes: Vec<_> = decisions.iter().map(|decision| decision.hash().unwrap()).collect();
        (run.id(), bytes, hashes, block_on(run.spent()), outcomes(&fixture, &run.id()).len())
    };
    let (run, bytes, hashes, spent, recorded) = with(&|_, turn| turn);
    assert_eq!((hashes.len(), recorded), (7, 0));
    let other = |number: usize, turn: Turn| {
        let mut evidence = evidence(number as u8);
        // Whatever it says: that it is sure, that it costs nothing, that another tool would do.
        evidence.confidence_bp = u32::MAX;
        evidence.selected = RouteEstimate { cost_usd_millicents: u64::MAX, latency_ms: 0, route: "risky".into() };
        turn.routed(evidence)
    };
    let some = |number: usize, turn: Turn| if number.is_multiple_of(2) { turn.routed(evidence(7)) } else { turn };
    for (routed, expected) in [(&other as &dyn Fn(usize, Turn) -> Turn, 4), (&some, 2)] {
        let found = with(routed);
        assert_eq!(found.4, expected);
        assert_eq!((found.0, found.1, found.2, found.3), (run, bytes.clone(), hashes.clone(), spent));
    }
}

#[test]
fn evidence_stands_behind_its_turn_in_one_batch_and_says_what_came_of_it() {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let mut turns: Vec<Turn> = script().into_iter().take(3).collect();
    turns.push(Turn::default().saying("all done"));
    let turns = turns.into_iter().enumerate().map(|(number, turn)| turn.routed(evidence(number as u8))).collect();
    let run = driven(&runtime, &mut Mock::turns(turns));
    let entries = fixture.entries(&run.id());
    for pair in entries.windows(2).filter(|pair| pair[0].header.known_kind() == Some(Kind::Turn)) {
        assert_eq!(pair[1].header.known_kind(), Some(Kind::Routing));
        assert_eq!(pair[1].body::<RoutingOutcome>().unwrap().turn, pair[0].id());
    }
    let found = outcomes(&fixture, &run.id());
    let statuses: Vec<_> = found.iter().map(|outcome| outcome.status).collect();
    let expected =
        [RoutingStatus::Proposed, RoutingStatus::Proposed, RoutingStatus::Malformed, RoutingStatus::Answered];
    assert_eq!(statuses, expected);
    assert!((0u8..).zip(&found).all(|(number, outcome)| outcome.evidence == evidence(number)));
    verified(&runtime, &run.id());
    // In an export it is what it is in the store.
    let mut bytes = Vec::new();
    block_on(export(&*fixture.ledger, &run.id(), Some(&key(RUNTIME)), START_MS, &mut bytes)).unwrap();
    let mut seen = 0;
    replay::export::verify(&bytes[..], Pins { rederive: true, ..Pins::default() }, |entry, _| {
        seen += u32::from(entry.header.known_kind() == Some(Kind::Routing));
    })
    .unwrap();
    assert_eq!(seen, 4);
}

#[test]
fn no_fault_of_the_ledger_parts_a_turn_from_its_evidence() {
    let (mut done, mut at, chain) = (false, 0, signed(writ()));
    while !done {
        let fixture = Fixture::default();
        drop(fixture.open(tools()));
        let ledger = Arc::new(FaultyLedger::new(&fixture.ledger, at, Fault::Error(Left::Nothing)));
        let tools = tools().map(|tool| Arc::new(tool) as Arc<dyn openthymos::ToolContract>);
        let turns = script().into_iter().map(|turn| turn.routed(evidence(1))).collect();
        let run = block_on(async {
            let runtime = fixture.builder().shared_ledger(ledger.clone()).tools(tools).open().await.ok()?;
            let run = runtime.start("a task", &chain, &key(AGENT)).await.ok()?;
            done = run.drive(&mut Mock::turns(turns), Limits::default()).await.is_ok();
            Some(run.id())
        });
        let kinds = run.map(|run| fixture.kinds(&run)).unwrap_or_default();
        let behind = |(at, kind): (usize, &Kind)| *kind != Kind::Turn || kinds.get(at + 1) == Some(&Kind::Routing);
        assert!(kinds.iter().enumerate().all(behind), "{at}: {kinds:?}");
        at += 1;
    }
    assert!(at > 20, "{at}");
}

#[test]
fn a_turn_whose_authority_changes_meanwhile_is_recorded_with_its_evidence() {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let run = start(&runtime, &signed(writ()));
    let mut meddler = Meddler(&runtime, 0);
    block_on(run.drive(&mut meddler, Limits::default())).unwrap();
    assert_eq!(outcomes(&fixture, &run.id()).len(), 2);
    verified(&runtime, &run.id());
}

/// Revokes a writ of somebody else while it thinks: an epoch ends, and its turn is recorded in the next one.
struct Meddler<'a>(&'a Runtime, u8);

#[async_trait]
impl Cognition for Meddler<'_> {
    fn name(&self) -> String {
        "meddler".into()
    }

    async fn step(&mut self, _: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.1 += 1;
        let other = openthymos::canon::WritId([self.1; 32]);
        self.0.revoke(other, "a test", "issuer", &key(ISSUER)).await.unwrap();
        let turn = if self.1 == 1 { Turn::calls([Request::call("act", json!({}))]) } else { Turn::answer("done") };
        Ok(turn.routed(evidence(self.1)))
    }
}

/// Takes its time, and then fails or says nothing.
struct Slow(Arc<FixedClock>, bool);

#[async_trait]
impl Cognition for Slow {
    fn name(&self) -> String {
        "slow".into()
    }

    async fn step(&mut self, _: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        self.0.advance_ms(1_234);
        if self.1 {
            let routing = Some(Box::new(evidence(9)));
            let usage = Amounts { tokens: 5, ..Amounts::ZERO };
            return Err(CognitionError { code: "overloaded".into(), message: "not now".into(), routing, usage });
        }
        Ok(Turn::default().routed(evidence(9)))
    }
}

#[test]
fn latency_is_measured_by_the_host_and_a_route_that_fails_is_recorded_too() {
    for (fails, status) in [(true, RoutingStatus::Failed), (false, RoutingStatus::Empty)] {
        let fixture = Fixture::default();
        let runtime = fixture.open(tools());
        let run = driven(&runtime, &mut Slow(fixture.clock.clone(), fails));
        let found = outcomes(&fixture, &run.id());
        assert_eq!((found.len(), found[0].latency_ms, found[0].status), (1, 1_234, status));
        assert_eq!(block_on(run.spent()).0.tokens, if fails { 5 } else { 0 });
        verified(&runtime, &run.id());
    }
}

#[test]
fn what_a_router_says_is_bounded() {
    let fixture = Fixture::default();
    let runtime = fixture.open(tools());
    let huge = RouteEstimate { cost_usd_millicents: u64::MAX, latency_ms: u64::MAX, route: "x".repeat(1 << 20) };
    let spoken = RouteEstimate { route: "the invoice of Eve says 17".into(), ..huge.clone() };
    let names = ["", "ok/v1.2@eu-west:x_Y", "ünïcode", "a\nb", "{task}"].map(route);
    let alternatives = [vec![huge.clone(), spoken], names.to_vec(), vec![huge.clone(); 100]].concat();
    let given = RoutingEvidence { alternatives, confidence_bp: u32::MAX, selected: huge, ..evidence(1) };
    let run = driven(&runtime, &mut Mock::turns(vec![Turn::answer("done").routed(given)]));
    let found = outcomes(&fixture, &run.id()).remove(0).evidence;
    let most = 9_007_199_254_740_991;
    assert_eq!(
        (found.confidence_bp, found.selected.cost_usd_millicents, found.selected.latency_ms),
        (10_000, most, most)
    );
    assert_eq!(found.alternatives.len(), MAX_ALTERNATIVES);
    let names: Vec<_> = found.alternatives.iter().map(|route| route.route.as_str()).collect();
    assert_eq!(names[..7], ["unnamed", "unnamed", "unnamed", "ok/v1.2@eu-west:x_Y", "unnamed", "unnamed", "unnamed"]);
    assert_eq!(found.selected.route, "unnamed");
    verified(&runtime, &run.id());
}

const KEY: &str = "AKIAQ3EGTIVXV5PLDK7T";

#[test]
fn the_export_is_four_members_and_holds_no_content_and_no_secret() {
    let fixture = Fixture::default();
    let marked = |place: &str| format!("MARK-{place}");
    let act = TestTool::host("act").calling(move |_| Ok(ToolOutput::new("MARK-output")));
    let runtime = fixture.open([act]);
    let run = block_on(runtime.start(&marked("task"), &signed(writ()), &key(AGENT))).unwrap();
    let call = Request::call("act", json!({"MARK-key": marked("value"), "secret": KEY})).because(marked("rationale"));
    let leaky = |mut evidence: RoutingEvidence| {
        evidence.selected.route = format!("model/{KEY}");
        evidence.alternatives = vec![route("MARK the other one"), route(KEY)];
        evidence
    };
    let turns = vec![
        Turn::calls([call]).saying(marked("text")).routed(leaky(evidence(1))),
        Turn::calls([Request::call(marked("tool no tool"), json!({}))]).routed(evidence(2)),
        Turn::answer(marked("answer")).routed(evidence(3)),
    ];
    block_on(run.drive(&mut Mock::turns(turns), Limits::default())).unwrap();
    verified(&runtime, &run.id());
    let routed = block_on(runtime.routing(&run.id())).unwrap();
    let lines: Vec<_> = routed.iter().map(|routed| serde_json::to_value(routed).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (line, (number, status)) in lines.iter().zip([(1u8, "proposed"), (2, "malformed"), (3, "answered")]) {
        let members: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["decision_hash", "latency_ms", "selected", "status"]);
        assert_eq!(line["decision_hash"], StatementHash([number; 32]).to_string());
        assert_eq!((line["status"].as_str(), line["latency_ms"].as_u64()), (Some(status), Some(0)));
    }
    let selected = lines[0]["selected"].as_str().unwrap();
    assert!(selected.starts_with("model/[redacted:") && lines[1]["selected"] == "medium", "{selected}");
    let text = Value::from(lines).to_string();
    assert!(!text.contains("MARK") && !text.contains(KEY), "{text}");
    // The secret is nowhere in the ledger either.
    for entry in fixture.entries(&run.id()) {
        assert!(!String::from_utf8_lossy(&entry.record).contains(KEY));
    }
}

#[test]
fn a_run_is_taken_up_from_a_snapshot_between_a_turn_and_its_evidence() {
    for every in 1..5 {
        let fixture = Fixture::default();
        let opened = || {
            let tools = tools().map(|tool| Arc::new(tool) as Arc<dyn openthymos::ToolContract>);
            block_on(fixture.builder().tools(tools).snapshot_every(every).open()).unwrap()
        };
        let runtime = opened();
        let turns = script().into_iter().map(|turn| turn.routed(evidence(1))).collect();
        let run = driven(&runtime, &mut Mock::turns(turns));
        let id = run.id();
        drop((run, runtime));
        let (_, whole) = block_on(replay::run(&*fixture.ledger, &id, Pins::default(), |_, _| {})).unwrap();
        let (report, since) = block_on(since_snapshot(&*fixture.ledger, &id, None)).unwrap();
        assert!(report.since.is_some());
        assert_eq!((since.head, since.turn_seq, since.unanswered), (whole.head, whole.turn_seq, whole.unanswered));
        let runtime = opened();
        let run = block_on(runtime.resume(&id)).unwrap();
        assert_eq!(block_on(run.requests()).len(), 1);
        verified(&runtime, &id);
    }
}

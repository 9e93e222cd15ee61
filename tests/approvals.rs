//! Suspended work: it is done when its approvers say so, once, and only as long as nothing has changed that they were shown.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::*;
use futures::executor::block_on;
use openthymos::{
    approval::{RequestFault, VoteFault},
    canon::{EntryId, FileHash},
    cognition::{Cognition, CognitionError, Context, Mock, Outcome as Told, Turn, TurnEvents},
    commit::Delta,
    contract::{Effect, Risk},
    crypto::{PublicKey, Role},
    host::SeededEntropy,
    intent::Intent,
    ledger::{
        Kind, LedgerStore, Position,
        record::{ApprovalOutcome, Outcome},
    },
    policy::{Bundle, Gates, PolicySet, Quorum, Roster, SignedRoster, UnsignedBundle, VerifiedRoster},
    proposal::{Code, Refusal, Stage},
    replay::{Pins, Verdict},
    runtime::{
        Answer, Builder, Limits, Rotation, Run, RunError, Runtime, StartError, Submitted, VoteError, WhyStopped,
    },
    tool::{Probe, ToolOutput},
    writ::{Amounts, Window, WritBuilder},
};
use serde_json::json;

const ALICE: u8 = 21;
const BOB: u8 = 22;
const CAROL: u8 = 23;
const POLICIES: u8 = 24;
const HOUR: Duration = Duration::from_secs(3_600);

fn roster(version: &str, channels: &[(&str, u32, &[u8])]) -> VerifiedRoster {
    let quorum = |(channel, required, approvers): &(&str, u32, &[u8])| {
        let approvers = approvers.iter().copied().map(named).collect();
        ((*channel).to_owned(), Quorum { approvers, required: *required })
    };
    let channels: BTreeMap<_, _> = channels.iter().map(quorum).collect();
    let signed = block_on(SignedRoster::sign(Roster { channels, version: version.into() }, &key(POLICIES))).unwrap();
    signed.verify(|issuer: &PublicKey| *issuer == key(POLICIES).public_key()).unwrap()
}

/// Two of three approve on the channel that the gates ask.
fn two_of_three() -> VerifiedRoster {
    roster("1", &[("operator", 2, &[ALICE, BOB, CAROL])])
}

/// A tool that always needs approval.
fn critical() -> TestTool {
    TestTool::host("pay").with(|tool| tool.contract.risk = Risk::Critical)
}

/// A run with a poisoned tool, and the machine around it.
struct Scene {
    fixture: Fixture,
    runtime: Runtime,
    run: Run,
    calls: Counter,
}

impl Scene {
    fn new(tool: TestTool) -> Self {
        Self::under(tool, writ(), |builder| builder.roster(two_of_three()))
    }

    fn under(tool: TestTool, writ: WritBuilder, tune: impl FnOnce(Builder) -> Builder) -> Self {
        let (fixture, calls) = (Fixture::default(), tool.counter());
        let runtime = block_on(tune(builder(&fixture).tool(tool)).open()).unwrap();
        let run = start(&runtime, &signed(writ));
        Self { fixture, runtime, run, calls }
    }

    /// The run in another process, which has this tool.
    fn reopened(self, tool: TestTool, tune: impl FnOnce(Builder) -> Builder) -> Self {
        let Self { fixture, runtime, run, .. } = self;
        let (id, calls) = (run.id(), tool.counter());
        drop((runtime, run));
        let runtime = block_on(tune(builder(&fixture).tool(tool)).open()).unwrap();
        let run = block_on(runtime.resume(&id)).unwrap();
        Self { fixture, runtime, run, calls }
    }

    /// Asks for a call that has to wait.
    fn asks(&self, amount: u64) -> EntryId {
        match submit(&self.run, "pay", json!({ "amount": amount })) {
            Submitted::Suspended { entry, .. } => entry,
            other => panic!("{other:?}"),
        }
    }

    fn votes(&self, approver: u8, answer: Answer<'_>) -> Result<Option<Outcome>, VoteError> {
        let name = format!("key {approver}");
        block_on(self.run.vote(answer.by(&name, &key(approver)))).map(|voted| voted.outcome)
    }

    fn approves(&self, request: EntryId) {
        assert_eq!(self.votes(ALICE, Answer::approve(request)).unwrap(), None);
        assert_eq!(self.votes(BOB, Answer::approve(request)).unwrap(), Some(Outcome::Approved));
    }

    fn carries_on(&self) -> Vec<Submitted> {
        block_on(self.run.carry_on()).unwrap().into_iter().map(|(_, submitted)| submitted).collect()
    }

    /// Carries on, and is refused: the tool was not called.
    fn sent_back(self, stage: Stage, code: Code) -> Refusal {
        let calls = self.calls.get();
        let carried = self.carries_on();
        let [Submitted::Rejected { refusal, .. }] = carried.as_slice() else { panic!("{carried:?}") };
        assert_eq!((refusal.stage, refusal.code, self.calls.get()), (stage, code, calls));
        // What was approved once is not approved for later.
        assert!(self.carries_on().is_empty() && block_on(self.run.requests()).is_empty());
        verified(&self.runtime, &self.run.id());
        refusal.clone()
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let entries = self.fixture.entries(&self.run.id());
        let ends = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::ApprovalOutcome));
        ends.map(|entry| entry.body::<ApprovalOutcome>().unwrap().outcome).collect()
    }

    fn head(&self) -> (u64, EntryId) {
        block_on(self.run.head())
    }
}

fn builder(fixture: &Fixture) -> Builder {
    fixture.builder().trust(named(POLICIES), [Role::PolicyIssuer])
}

fn is_committed(submitted: &[Submitted]) -> bool {
    matches!(submitted, [Submitted::Committed { .. }])
}

#[test]
fn a_quorum_has_it_done_once() {
    let scene = Scene::new(critical());
    let request = scene.asks(1);
    assert_eq!(block_on(scene.runtime.waiting()).unwrap(), [(scene.run.id(), scene.head().0)]);
    assert!(scene.carries_on().is_empty());
    assert_eq!(scene.votes(ALICE, Answer::approve(request).note("seen")).unwrap(), None);
    assert!(scene.carries_on().is_empty());
    assert_eq!(scene.calls.get(), 0);
    assert_eq!(scene.votes(CAROL, Answer::approve(request)).unwrap(), Some(Outcome::Approved));
    // Approved is not done.
    assert_eq!(scene.calls.get(), 0);
    assert!(is_committed(&scene.carries_on()));
    assert!(scene.carries_on().is_empty());
    assert_eq!(scene.calls.get(), 1);
    assert!(block_on(scene.runtime.waiting()).unwrap().is_empty());
    let kinds = scene.fixture.kinds(&scene.run.id());
    let expected = [
        Kind::Root,
        Kind::PendingApproval,
        Kind::Vote,
        Kind::Vote,
        Kind::ApprovalOutcome,
        Kind::Dispatch,
        Kind::Commit,
    ];
    assert_eq!(kinds, expected);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn a_denial_vetoes_and_is_remembered() {
    let scene = Scene::new(critical());
    let request = scene.asks(1);
    scene.votes(ALICE, Answer::approve(request)).unwrap();
    assert_eq!(scene.votes(BOB, Answer::deny(request)).unwrap(), Some(Outcome::Denied));
    let fault = scene.votes(CAROL, Answer::approve(request)).unwrap_err();
    assert!(matches!(fault, VoteError::Request(RequestFault::NotWaiting(entry)) if entry == request));
    assert!(scene.carries_on().is_empty() && block_on(scene.runtime.waiting()).unwrap().is_empty());

    let denied_before = |scene: &Scene| {
        let Submitted::Rejected { refusal, .. } = submit(&scene.run, "pay", json!({"amount": 1})) else { panic!() };
        assert_eq!((refusal.stage, refusal.code), (Stage::Approvals, Code::DeniedBefore));
    };
    denied_before(&scene);
    // Another call may be asked for, and approved.
    let other = scene.asks(2);
    scene.approves(other);
    assert!(is_committed(&scene.carries_on()));
    verified(&scene.runtime, &scene.run.id());
    // Also after a restart, and where no gate asks any more.
    let open = PolicySet::builder().gates(Gates { approve_risk_from: None, ..Gates::default() }).build().unwrap();
    let scene = scene.reopened(critical(), |builder| builder.policies(open));
    denied_before(&scene);
    assert_eq!(scene.calls.get(), 0);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn a_denial_reaches_equal_requests_that_wait() {
    let scene = Scene::new(critical());
    let (first, second, other) = (scene.asks(1), scene.asks(1), scene.asks(2));
    scene.approves(first);
    scene.approves(other);
    scene.votes(CAROL, Answer::deny(second)).unwrap();
    let carried = scene.carries_on();
    let [Submitted::Rejected { refusal, .. }, Submitted::Committed { .. }] = carried.as_slice() else {
        panic!("{carried:?}")
    };
    assert_eq!((refusal.code, scene.calls.get()), (Code::ApprovalDenied, 1));
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn a_compromised_approver_approves_nothing() {
    let scene = Scene::under(critical(), writ(), |builder| {
        builder.roster(two_of_three()).trust(named(ALICE), [Role::Approver])
    });
    let (first, second) = (scene.asks(1), scene.asks(2));
    scene.approves(first);
    scene.votes(BOB, Answer::approve(second)).unwrap();
    let position = block_on(scene.fixture.ledger.scan(Position(0), usize::MAX)).unwrap().len() as u64;
    let stolen = Rotation::new([Role::Approver], named(ALICE).key, named(31)).compromised_from(Position(position));
    block_on(scene.runtime.rotate(stolen, &key(ISSUER))).unwrap();
    let stranger = scene.votes(ALICE, Answer::approve(second)).unwrap_err();
    assert!(matches!(stranger, VoteError::Request(RequestFault::Vote(VoteFault::Stranger { .. }))));
    // What rests on her word is asked for again.
    let carried = scene.carries_on();
    assert!(matches!(carried.as_slice(), [Submitted::Suspended { .. }]), "{carried:?}");
    assert_eq!(scene.calls.get(), 0);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn what_a_compromised_approver_voted_since_is_vouched_for_by_nothing() {
    let scene = Scene::under(critical(), writ(), |builder| {
        builder.roster(two_of_three()).trust(named(ALICE), [Role::Approver])
    });
    scene.approves(scene.asks(1));
    assert!(is_committed(&scene.carries_on()));
    let stolen = Rotation::new([Role::Approver], named(ALICE).key, named(31)).compromised_from(Position(0));
    block_on(scene.runtime.rotate(stolen, &key(ISSUER))).unwrap();
    let report = block_on(scene.runtime.replay(&scene.run.id(), Pins::default())).unwrap();
    assert_eq!(report.verdict(), Verdict::Incomplete);
    assert!(report.incomplete.iter().any(|told| told.contains("entry 2 ")), "{report}");
}

#[test]
fn what_speaks_for_another_reason_is_asked_for_again() {
    // A rule that asks on the same channel begins to speak.
    let frozen = json!({"field": "world.kv.frozen", "op": "eq", "value": true});
    let when = json!({"all": [{"field": "intent.target", "op": "eq", "value": "pay"}, frozen]});
    let ask = json!({"kind": "require_approval", "channel": "operator", "reason": "the account is frozen"});
    let bundle = json!({"name": "house", "version": "1", "rules": [{"name": "r", "when": when, "decision": ask}]});
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    let policies = PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap();
    let set = TestTool::world("set").with(|tool| tool.reads = vec![kv("frozen")]).calling(|call| {
        let delta = match call.reads.version(&kv("frozen")) {
            0 => Delta::none().create(kv("frozen"), json!(false)),
            version => Delta::none().replace(kv("frozen"), version, json!(true)),
        };
        Ok(ToolOutput::new("set").with_delta(delta))
    });
    let scene = Scene::under(critical(), writ(), |builder| builder.roster(two_of_three()).policies(policies).tool(set));
    let sets = || assert!(matches!(submit(&scene.run, "set", json!({})), Submitted::Committed { .. }));
    sets();
    scene.approves(scene.asks(1));
    sets();
    let carried = scene.carries_on();
    let [Submitted::Suspended { reason, entry, .. }] = carried.as_slice() else { panic!("{carried:?}") };
    assert_eq!((reason.as_str(), scene.calls.get()), ("the account is frozen", 0));
    scene.approves(*entry);
    assert!(is_committed(&scene.carries_on()));
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn nobody_votes_from_outside_while_a_call_is_under_way() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    let slow = TestTool::host("slow").calling(move |_| {
        receiver.lock().unwrap().recv().unwrap();
        Ok(ToolOutput::new("done"))
    });
    let scene = Scene::under(critical(), writ(), |builder| builder.roster(two_of_three()).tool(slow));
    let request = scene.asks(1);
    let (run, id) = (scene.run.clone(), scene.run.id());
    let calling = std::thread::spawn(move || submit(&run, "slow", json!({})));
    while !scene.fixture.kinds(&id).contains(&Kind::Dispatch) {
        std::thread::yield_now();
    }
    let outside = block_on(scene.runtime.vote(&id, Answer::deny(request))).unwrap_err();
    assert!(matches!(outside, VoteError::Start(StartError::UnderWay { .. })), "{outside}");
    sender.send(()).unwrap();
    assert!(matches!(calling.join().unwrap(), Submitted::Committed { .. }));
    scene.votes(ALICE, Answer::deny(request)).unwrap();
    verified(&scene.runtime, &id);
}

#[test]
fn what_is_approved_can_be_vetoed_until_it_is_carried_out() {
    let scene = Scene::new(critical());
    let request = scene.asks(1);
    scene.approves(request);
    let again = scene.votes(CAROL, Answer::approve(request)).unwrap_err();
    assert!(matches!(again, VoteError::Request(RequestFault::Approved(_))));
    assert_eq!(scene.votes(CAROL, Answer::deny(request)).unwrap(), Some(Outcome::Denied));
    assert_eq!(scene.outcomes(), [Outcome::Approved, Outcome::Denied]);
    assert!(scene.carries_on().is_empty());
    assert_eq!(scene.calls.get(), 0);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn a_restart_loses_nothing() {
    let scene = Scene::new(critical());
    let request = scene.asks(1);
    let again = |scene: Scene| scene.reopened(critical(), |builder| builder);
    let scene = again(scene);
    assert_eq!(scene.votes(ALICE, Answer::approve(request)).unwrap(), None);
    let scene = again(scene);
    // The same approver does not count twice, in whatever process.
    let twice = scene.votes(ALICE, Answer::approve(request)).unwrap_err();
    assert!(matches!(twice, VoteError::Request(RequestFault::Vote(VoteFault::Twice { .. }))));
    // By somebody who does not take the run up.
    let id = scene.run.id();
    let voted = block_on(scene.runtime.vote(&id, Answer::approve(request).by("bob", &key(BOB)))).unwrap();
    assert_eq!(voted.outcome, Some(Outcome::Approved));
    let scene = again(scene);
    assert_eq!(scene.calls.get(), 0);
    assert!(is_committed(&scene.carries_on()));
    assert_eq!(scene.calls.get(), 1);
    let scene = again(scene);
    assert!(scene.carries_on().is_empty());
    assert_eq!(scene.calls.get(), 0);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn votes_that_do_not_count_are_not_recorded() {
    let scene = Scene::new(critical());
    let request = scene.asks(1);
    let head = scene.head();
    let refused = |error: VoteError| match error {
        VoteError::Request(RequestFault::Vote(fault)) => fault,
        other => panic!("{other}"),
    };
    let stranger = refused(scene.votes(STRANGER, Answer::approve(request)).unwrap_err());
    assert!(matches!(stranger, VoteFault::Stranger { .. }));
    let stranger = refused(scene.votes(STRANGER, Answer::deny(request)).unwrap_err());
    assert!(matches!(stranger, VoteFault::Stranger { .. }));
    let bare = refused(block_on(scene.run.vote(Answer::approve(request))).unwrap_err());
    assert!(matches!(bare, VoteFault::KeyNeeded { required: 2, .. }));
    let lapsed = scene.votes(ALICE, Answer::approve(request).valid_for(Duration::ZERO)).unwrap_err();
    assert!(matches!(refused(lapsed), VoteFault::Expired { .. }));
    let nothing = scene.votes(ALICE, Answer::approve(head.1)).map(drop);
    assert!(nothing.is_ok(), "the head is the request");
    let other = scene.votes(ALICE, Answer::approve(EntryId([7; 32]))).unwrap_err();
    assert!(matches!(other, VoteError::Request(RequestFault::NotWaiting(_))));
    assert_eq!(scene.head().0, head.0 + 1);
    assert!(scene.carries_on().is_empty());
    assert_eq!(scene.calls.get(), 0);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn without_a_roster_one_approver_is_enough_or_the_operator_who_is_present() {
    for keyed in [true, false] {
        let scene = Scene::under(critical(), writ(), |builder| builder.trust(named(ALICE), [Role::Approver]));
        let request = scene.asks(1);
        let stranger = scene.votes(BOB, Answer::approve(request)).unwrap_err();
        assert!(matches!(stranger, VoteError::Request(RequestFault::Vote(VoteFault::Stranger { .. }))));
        let answer = Answer::approve(request);
        let outcome = match keyed {
            true => scene.votes(ALICE, answer).unwrap(),
            false => block_on(scene.run.vote(answer)).unwrap().outcome,
        };
        assert_eq!(outcome, Some(Outcome::Approved));
        assert!(is_committed(&scene.carries_on()));
        verified(&scene.runtime, &scene.run.id());
    }
}

fn permitting(name: &str) -> PolicySet {
    let when = json!({"field": "intent.target", "op": "eq", "value": "pay"});
    let rules = json!([{"name": name, "when": when, "decision": {"kind": "permit"}}]);
    let bundle = json!({"name": "house", "version": "1", "rules": rules});
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap()
}

#[test]
fn what_is_no_longer_true_is_sent_back() {
    // The writ has expired.
    let window = Window { not_before_ms: 0, expires_at_ms: START_MS + 10_000 };
    let scene = Scene::under(critical(), writ().window(window), |builder| builder.roster(two_of_three()));
    scene.approves(scene.asks(1));
    scene.fixture.clock.set(START_MS + 10_001);
    scene.sent_back(Stage::Window, Code::Expired);

    // The writ is revoked.
    let scene = Scene::new(critical());
    scene.approves(scene.asks(1));
    let writ_id = block_on(scene.run.writ()).id();
    block_on(scene.runtime.revoke(writ_id, "lost", "issuer", &key(ISSUER))).unwrap();
    scene.sent_back(Stage::Revocation, Code::Revoked);

    // The budget is spent.
    let two = Amounts { tool_calls: 2, ..PLENTY };
    let scene = Scene::under(critical(), writ().budget(two), |builder| builder.roster(two_of_three()));
    let requests = [scene.asks(1), scene.asks(2), scene.asks(3)];
    requests.into_iter().for_each(|request| scene.approves(request));
    let carried = scene.carries_on();
    let [Submitted::Committed { .. }, Submitted::Committed { .. }, Submitted::Rejected { refusal, .. }] =
        carried.as_slice()
    else {
        panic!("{carried:?}")
    };
    assert_eq!((refusal.stage, refusal.code, scene.calls.get()), (Stage::Budget, Code::BudgetExceeded, 2));
    verified(&scene.runtime, &scene.run.id());

    // The policies are others: even such as would permit it.
    let scene = Scene::new(critical());
    scene.approves(scene.asks(1));
    let scene = scene.reopened(critical(), |builder| builder.policies(permitting("r")));
    scene.sent_back(Stage::Policy, Code::PolicyChanged);

    // The tool is another one.
    let scene = Scene::new(critical());
    scene.approves(scene.asks(1));
    let scene = scene.reopened(critical().with(|tool| tool.contract.description = "new".into()), |builder| builder);
    scene.sent_back(Stage::Registry, Code::ContractChanged);
    let scene = Scene::new(critical());
    scene.approves(scene.asks(1));
    let gone = TestTool::host("other");
    scene.reopened(gone, |builder| builder).sent_back(Stage::Registry, Code::UnknownTool);
}

#[test]
fn what_was_read_and_has_moved_on_is_sent_back() {
    let writes = TestTool::world("kv").calling(|call| {
        let delta = Delta::none().create(kv("a"), json!(1));
        drop(call);
        Ok(ToolOutput::new("done").with_delta(delta))
    });
    let reads = critical().with(|tool| tool.reads = vec![kv("a")]);
    let scene = Scene::under(reads, writ(), |builder| builder.roster(two_of_three()).tool(writes));
    scene.approves(scene.asks(1));
    assert!(matches!(submit(&scene.run, "kv", json!({})), Submitted::Committed { .. }));
    scene.sent_back(Stage::Reads, Code::ReadChanged);

    // A file, by its probe.
    let version = Arc::new(Mutex::new(1));
    let probed = {
        let version = version.clone();
        critical().with(move |tool| {
            tool.probe = Some(Box::new(move |()| {
                let version = FileHash([*version.lock().unwrap(); 32]);
                Box::pin(async move { Ok(Probe { version: Some(version), ..Probe::default() }) })
            }));
        })
    };
    let scene = Scene::new(probed);
    scene.approves(scene.asks(1));
    *version.lock().unwrap() = 2;
    scene.sent_back(Stage::Reads, Code::ProbeChanged);
}

#[test]
fn approvals_that_lapsed_or_were_given_under_another_roster_are_asked_for_again() {
    let asked_again = |scene: &Scene, first: EntryId| {
        let carried = scene.carries_on();
        let [Submitted::Suspended { entry, .. }] = carried.as_slice() else { panic!("{carried:?}") };
        assert!(*entry != first && scene.calls.get() == 0);
        let waiting = block_on(scene.run.requests());
        assert_eq!(waiting.iter().map(|request| request.entry).collect::<Vec<_>>(), [*entry]);
        *entry
    };
    let scene = Scene::new(critical());
    let request = scene.asks(1);
    scene.approves(request);
    scene.fixture.clock.set(START_MS + 25 * 3_600_000);
    let second = asked_again(&scene, request);
    scene.approves(second);
    assert!(is_committed(&scene.carries_on()));
    verified(&scene.runtime, &scene.run.id());

    let scene = Scene::new(critical());
    let request = scene.asks(1);
    scene.votes(ALICE, Answer::approve(request)).unwrap();
    // Bob approves, and is on the roster no more.
    scene.votes(BOB, Answer::approve(request)).unwrap();
    let other = roster("2", &[("operator", 2, &[ALICE, CAROL])]);
    let scene = scene.reopened(critical(), |builder| builder.roster(other));
    let second = asked_again(&scene, request);
    assert_eq!(scene.votes(ALICE, Answer::approve(second)).unwrap(), None);
    assert_eq!(scene.votes(CAROL, Answer::approve(second)).unwrap(), Some(Outcome::Approved));
    assert!(is_committed(&scene.carries_on()));
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn a_request_that_nobody_answers_in_time_comes_to_nothing() {
    let scene = Scene::under(critical(), writ(), |builder| builder.roster(two_of_three()).approvals_within(HOUR));
    let request = scene.asks(1);
    scene.votes(ALICE, Answer::approve(request)).unwrap();
    scene.fixture.clock.set(START_MS + 3_600_000);
    let late = scene.votes(BOB, Answer::approve(request)).unwrap_err();
    assert!(matches!(late, VoteError::Request(RequestFault::Vote(VoteFault::RequestExpired { .. }))));
    assert!(scene.carries_on().is_empty());
    assert_eq!((scene.outcomes(), scene.calls.get()), (vec![Outcome::Expired], 0));
    assert!(block_on(scene.runtime.waiting()).unwrap().is_empty());
    // It may be asked for again.
    let again = scene.asks(1);
    assert_ne!(again, request);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn every_channel_that_is_asked_has_to_approve() {
    let when = json!({"field": "args.amount", "op": "gte", "value": 10});
    let ask = json!({"kind": "require_approval", "channel": "finance", "reason": "much"});
    let bundle = json!({"name": "house", "version": "1", "rules": [{"name": "r", "when": when, "decision": ask}]});
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    let policies = PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap();
    let both = roster("1", &[("operator", 1, &[ALICE]), ("finance", 1, &[BOB])]);
    let scene = Scene::under(critical(), writ(), |builder| builder.roster(both).policies(policies.clone()));
    let finance = scene.asks(10);
    let fault = scene.votes(ALICE, Answer::approve(finance)).unwrap_err();
    assert!(matches!(fault, VoteError::Request(RequestFault::Vote(VoteFault::Stranger { .. }))));
    assert_eq!(scene.votes(BOB, Answer::approve(finance)).unwrap(), Some(Outcome::Approved));
    let carried = scene.carries_on();
    let [Submitted::Suspended { entry: operator, channel, .. }] = carried.as_slice() else { panic!("{carried:?}") };
    assert_eq!((channel.as_str(), scene.calls.get()), ("operator", 0));
    // What finance said is not lost with the process.
    let scene = scene.reopened(critical(), |builder| builder.policies(policies));
    assert_eq!(scene.votes(ALICE, Answer::approve(*operator)).unwrap(), Some(Outcome::Approved));
    assert!(is_committed(&scene.carries_on()));
    assert_eq!(scene.calls.get(), 1);
    verified(&scene.runtime, &scene.run.id());
}

#[test]
fn an_end_withdraws_what_waits() {
    let scene = Scene::new(critical());
    let (approved, open) = (scene.asks(1), scene.asks(2));
    scene.approves(approved);
    block_on(scene.run.close()).unwrap();
    assert_eq!(scene.outcomes(), [Outcome::Approved, Outcome::Withdrawn, Outcome::Withdrawn]);
    assert!(block_on(scene.runtime.waiting()).unwrap().is_empty());
    let late = scene.votes(ALICE, Answer::approve(open)).unwrap_err();
    assert!(matches!(late, VoteError::Run(RunError::Ended)));
    let id = scene.run.id();
    let late = block_on(scene.runtime.vote(&id, Answer::deny(open))).unwrap_err();
    assert!(matches!(late, VoteError::Run(RunError::Ended)));
    assert!(matches!(block_on(scene.run.carry_on()), Err(RunError::Ended)));
    assert_eq!(scene.calls.get(), 0);
    verified(&scene.runtime, &id);
}

#[test]
fn a_sealed_intent_that_comes_again_is_asked_for_once_and_done_once() {
    let scene = Scene::new(critical());
    let intent = Intent::act("pay", json!({"amount": 1})).seal(&SeededEntropy::new(99)).unwrap();
    let submit = |intent| block_on(scene.run.submit_sealed(intent)).unwrap();
    let Submitted::Suspended { entry: request, .. } = submit(intent.clone()) else { panic!() };
    let Submitted::Suspended { entry, .. } = submit(intent.clone()) else { panic!() };
    assert_eq!(entry, request);
    scene.approves(request);
    let Submitted::Committed { entry: done, .. } = submit(intent.clone()) else { panic!() };
    let Submitted::Committed { entry, .. } = submit(intent) else { panic!() };
    assert_eq!((entry, scene.calls.get()), (done, 1));
    assert!(scene.carries_on().is_empty());
    verified(&scene.runtime, &scene.run.id());
}

fn script() -> Mock {
    let steps = json!([
        [{"tool": "pay", "args": {"amount": 1}}, {"tool": "pay", "args": {"amount": 2}}],
        {"answer": "done"}
    ]);
    Mock::from_json(steps.to_string().as_bytes()).unwrap()
}

#[test]
fn a_drive_stops_for_approval_and_goes_on_after_it() {
    let scene = Scene::new(critical());
    let mut mock = script();
    let drive = |mock: &mut Mock| block_on(scene.run.drive(mock, Limits::default())).unwrap();
    let summary = drive(&mut mock);
    assert_eq!((summary.why, summary.suspended, summary.steps), (WhyStopped::Suspended, 1, 0));
    // Without an answer it stays where it is, and cognition is not asked.
    let head = scene.head();
    let summary = drive(&mut mock);
    assert_eq!((summary.why, summary.suspended), (WhyStopped::Suspended, 1));
    assert_eq!(scene.head(), head);
    scene.approves(block_on(scene.run.requests()).remove(0).entry);
    let summary = drive(&mut mock);
    assert_eq!((summary.committed, summary.answer.as_deref()), (1, Some("done")));
    assert_eq!(scene.calls.get(), 1);
    verified(&scene.runtime, &scene.run.id());
}

/// Tells what a cognition is told of the past.
struct Listener(Arc<Mutex<Vec<Told>>>);

#[async_trait::async_trait]
impl Cognition for Listener {
    fn name(&self) -> String {
        "listener".into()
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        *self.0.lock().unwrap() = context.history.iter().map(|past| past.outcome.clone()).collect();
        Ok(Turn::answer("heard"))
    }
}

#[test]
fn cognition_is_told_how_it_came_out() {
    let told = |end: &dyn Fn(&Scene, EntryId)| {
        let scene = Scene::new(critical());
        let mut mock = script();
        block_on(scene.run.drive(&mut mock, Limits::default())).unwrap();
        end(&scene, block_on(scene.run.requests()).remove(0).entry);
        let heard = Arc::default();
        block_on(scene.run.drive(&mut Listener(Arc::clone(&heard)), Limits::default())).unwrap();
        verified(&scene.runtime, &scene.run.id());
        let heard = heard.lock().unwrap().clone();
        assert_eq!(heard.last(), Some(&Told::NotAttempted));
        assert_eq!(heard.len(), 2);
        heard.into_iter().next().unwrap()
    };
    let committed = told(&|scene, request| scene.approves(request));
    assert_eq!(committed, Told::Committed { output: json!("done") });
    let denied =
        told(&|scene, request| assert_eq!(scene.votes(ALICE, Answer::deny(request)).unwrap(), Some(Outcome::Denied)));
    assert_eq!(denied, Told::Refused(Refusal::new(Stage::Approvals, Code::ApprovalDenied).asked("operator")));
    let late = told(&|scene, _| scene.fixture.clock.set(START_MS + 8 * 24 * 3_600_000));
    assert_eq!(late, Told::Unanswered { channel: "operator".into() });
}

#[test]
fn a_bare_permit_does_not_lift_a_gate() {
    let irreversible = |compensable| {
        TestTool::host("pay").with(|tool| {
            tool.contract.effect = Effect::Irreversible;
            tool.contract.compensable = compensable;
        })
    };
    let risky = |risk| TestTool::host("pay").with(|tool| tool.contract.risk = risk);
    let gates = |from| {
        let gates = Gates { approve_risk_from: from, ..Gates::default() };
        PolicySet::builder().gates(gates).build().unwrap()
    };
    let cases = [
        (irreversible(false), gates(None), true),
        (risky(Risk::Critical), permitting("r"), true),
        (risky(Risk::High), permitting("r"), false),
        (risky(Risk::High), gates(Some(Risk::High)), true),
        (risky(Risk::Medium), gates(Some(Risk::High)), false),
        (risky(Risk::Critical), gates(None), false),
    ];
    for (tool, policies, waits) in cases {
        let scene = Scene::under(tool, writ(), |builder| builder.policies(policies));
        let submitted = submit(&scene.run, "pay", json!({"amount": 1}));
        assert_eq!(matches!(submitted, Submitted::Suspended { .. }), waits, "{submitted:?}");
        assert_eq!(scene.calls.get(), usize::from(!waits));
        verified(&scene.runtime, &scene.run.id());
    }
}

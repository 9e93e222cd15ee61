//! A record of every kind that stands on a run's trajectory.

use std::sync::Arc;

use openthymos::{
    canon::{
        Blob, BusinessKeyHash, CheckpointHash, EffectsHash, EntryId, FileHash, KeyId, Nonce, StatementHash, StoreId,
        TrajectoryId, WorldRoot,
    },
    commit::{Commit, DeltaOp, Observation, Origin, Undo},
    contract::{Contract, DELEGATE},
    crypto::Purpose,
    intent::{IntentKind, IntentRecord, SealedIntent},
    ledger::{
        Draft, Kind,
        record::{
            ApprovalOutcome, BranchPoint, BranchStart, Checkpoint, Compensation, CompensationHalt,
            CompensationStatement, Delegated, DelegationResult, Dispatch, EndReason, Erased, Erasure, Failure,
            FailureCause, HappenedVerdict, InDoubtResolution, Link, MalformedRequest, Operator, Outcome,
            PendingApproval, Rejection, ResolutionStatement, Resumed, RoutingOutcome, RoutingStatus, RunStart,
            SkillBound, StartStatement, Target, Terminated, TokenUsage, Turn, TurnError, TurnStart, Vote,
            VoteStatement, WhatHappened,
        },
    },
    proposal::{
        ApprovalEvidence, AssertedVerdict, ChildQuote, Claim, ClaimState, Code, Decision, Plan, PolicyTrace, Proposal,
        Quote, Read, Refusal, Resolved, RouteEstimate, RoutingEvidence, Stage, Status, Verdict,
    },
    world::ResourceId,
    writ::{Amounts, Cap, ChildRequest, Skill, WritBody},
};
use serde_json::json;

use crate::{
    authority::{contract, policies, roster},
    fixture::{AGENT, APPROVER, CHILD, NOW_MS, OPERATOR, blob},
    writs,
};

pub fn store() -> StoreId {
    openthymos::ledger::AuthorityState::store_id(&crate::authority::genesis().record)
}

fn args() -> Blob {
    blob(json!({"amount": 5, "to": "bob"}), 1)
}

fn rationale() -> Blob {
    blob("the invoice is due", 2)
}

pub fn intent() -> IntentRecord {
    IntentRecord {
        args: args().commitment(),
        author: "cognition".into(),
        kind: IntentKind::Act,
        nonce: Nonce([3; 16]),
        rationale: Some(rationale().commitment()),
        target: "pay".parse().unwrap(),
    }
}

pub fn start(from: Option<Link>) -> StartStatement {
    let task = blob("pay the bills", 4).commitment();
    StartStatement { from, nonce: Nonce([4; 16]), store: store(), task, writ: writs::root().id().unwrap() }
}

pub fn trajectory() -> TrajectoryId {
    start(None).trajectory().unwrap()
}

fn run_start(from: Option<Link>) -> RunStart {
    let start = start(from);
    RunStart {
        chain: vec![writs::signed(writs::root(), OPERATOR)],
        contracts: vec![contract().hash().unwrap()],
        policy_set: policies().hash(),
        signature: AGENT.secret().sign(Purpose::Start, start.trajectory().unwrap().as_bytes()),
        start,
    }
}

fn resource(id: &str) -> ResourceId {
    ResourceId::new("account", id).unwrap()
}

fn amounts() -> Amounts {
    Amounts { tool_calls: 1, wall_clock_ms: 30_000, ..Amounts::ZERO }
}

/// A decision that uses every optional member.
pub fn decision(status: Status) -> Decision {
    Decision {
        approvals: vec![ApprovalEvidence {
            approved: vec![key(APPROVER)],
            channel: "finance".into(),
            denied: vec![key(OPERATOR)],
            operator_present: true,
            quorum: 2,
            roster: Some(roster().hash().unwrap()),
        }],
        asserted_schema: true,
        balances: vec![Amounts { tokens: 1_000, tool_calls: 9, usd_millicents: 500, wall_clock_ms: 60_000 }],
        claim: Some(Claim { seq: 7, state: ClaimState::InDoubt, trajectory: TrajectoryId([8; 32]) }),
        clock_ms: Some(NOW_MS - 1),
        compiler: 1,
        now_ms: NOW_MS,
        policy_set: policies().hash(),
        quote: Some(Quote {
            arguments: None,
            child: None,
            compensable: true,
            cost: amounts(),
            key: Some(BusinessKeyHash([5; 32])),
            precondition: None,
            probe: Some(FileHash([6; 32])),
            secret: None,
            reads: vec![
                Read { resource: resource("bob"), value: Some(blob(10, 7).commitment()), version: 2 },
                Read { resource: resource("eve"), value: None, version: 0 },
            ],
        }),
        status,
        trace: PolicyTrace {
            asserted: vec![AssertedVerdict { policy: 0, verdict: Verdict::Permit }],
            failed: vec![2],
            fired: vec![0],
            unknown: vec![1],
        },
    }
}

fn key(party: crate::fixture::Party) -> KeyId {
    party.secret().public_key().id()
}

pub fn resolved(plan: Plan) -> Resolved {
    let (intent, writ) = (intent().id().unwrap(), writs::root().id().unwrap());
    Resolved::new(trajectory(), intent, writ, contract().hash().unwrap(), plan).unwrap()
}

pub fn proposal(status: Status) -> Arc<Proposal> {
    Arc::new(Proposal {
        decision: decision(status),
        intent: intent(),
        resolved: Some(resolved(Plan::Call)),
        writ: writs::root().id().unwrap(),
    })
}

pub fn vote() -> VoteStatement {
    let proposal = proposal(suspended());
    VoteStatement {
        approve: true,
        approver: Some(APPROVER.named()),
        decision: proposal.decision.hash().unwrap(),
        expires_at_ms: NOW_MS + 3_600_000,
        nonce: Nonce([9; 16]),
        policy_set: policies().hash(),
        proposal: proposal.resolved.unwrap().id,
        roster: Some(roster().hash().unwrap()),
    }
}

fn suspended() -> Status {
    Status::Suspended { channel: "finance".into(), reason: "a large amount".into() }
}

pub fn skill() -> Skill {
    Skill {
        budget: Cap { tool_calls: Some(1), wall_clock_ms: Some(30_000), ..Cap::NONE },
        effect_ceiling: openthymos::contract::Effect::Write,
        instructions: "Pay what is due, nothing else.".into(),
        name: "payments".parse().unwrap(),
        parameters: json!({"type": "object"}),
        tools: vec!["pay".parse().unwrap(), "kv_*".parse().unwrap()],
        version: std::num::NonZeroU32::MIN,
    }
}

pub fn evidence() -> RoutingEvidence {
    RoutingEvidence {
        alternatives: vec![route("small"), route("large")],
        confidence_bp: 8_700,
        decision_hash: StatementHash([11; 32]),
        selected: route("medium"),
    }
}

fn branch_point() -> BranchPoint {
    BranchPoint { entry: EntryId([1; 32]), seq: 7, trajectory: trajectory() }
}

fn commit() -> (Commit, Vec<Blob>) {
    let (output, created, replaced) = (blob(json!({"receipt": "9007199254740993"}), 11), blob(5, 12), blob(15, 13));
    let undo = blob(json!({"receipt": "9007199254740993"}), 14);
    let delta = vec![
        DeltaOp::Create { resource: resource("eve"), value: created.commitment() },
        DeltaOp::Replace { resource: resource("bob"), value: replaced.commitment(), version: 2 },
        DeltaOp::Delete { resource: resource("old"), version: 1 },
    ];
    let commit = Commit {
        compensates: Some(EntryId([2; 32])),
        cost: amounts(),
        delta,
        observation: Observation { normalised: vec!["/receipt".into()], output: output.commitment() },
        origin: Origin::Dispatch(EntryId([3; 32])),
        undo: Some(Undo { args: undo.commitment(), tool: "refund".parse().unwrap() }),
        world_root: WorldRoot([4; 32]),
    };
    (commit, vec![created, replaced, output, undo])
}

fn route(name: &str) -> RouteEstimate {
    RouteEstimate { cost_usd_millicents: 12, latency_ms: 800, route: name.into() }
}

/// The arguments of a delegation, and the intent and child that they ask for.
pub fn hand_down() -> (Blob, IntentRecord, Blob) {
    let args = blob(json!({"budget": {"tool_calls": 3}, "effects": "write", "task": "pay bob", "tools": ["pay"]}), 17);
    let nonce = Nonce([10; 16]);
    let record = IntentRecord {
        args: args.commitment(),
        kind: IntentKind::Delegate,
        nonce,
        rationale: None,
        target: DELEGATE.parse().unwrap(),
        ..intent()
    };
    let sealed = SealedIntent::open(record.clone(), args.clone(), None).unwrap();
    let task = sealed.task("pay bob").unwrap();
    (args, record, task)
}

/// The writ of that child.
pub fn child_writ() -> WritBody {
    let (args, record, _) = hand_down();
    let request = ChildRequest::from_args(&args.value().unwrap()).unwrap();
    let root = writs::root();
    request.writ((root.id().unwrap(), &root), CHILD.named(), record.nonce)
}

/// The statement that starts that child.
pub fn child_start() -> StartStatement {
    let (_, record, task) = hand_down();
    let (parent, intent) = (trajectory(), (record.id().unwrap(), record.nonce));
    StartStatement::of_child(store(), parent, intent, task.commitment(), child_writ().id().unwrap())
}

/// The proposal that starts that child.
pub fn delegation() -> Proposal {
    let (_, intent, task) = hand_down();
    let (mut decision, writ) = (decision(Status::Staged), writs::root().id().unwrap());
    let quote = decision.quote.as_mut().unwrap();
    let (children, descendants, generation) = (2, 5, 1);
    quote.child = Some(Box::new(ChildQuote { children, descendants, generation, subject: CHILD.named() }));
    quote.cost = Amounts::ONE_CALL;
    (quote.key, quote.probe, quote.reads) = (None, None, Vec::new());
    let contract = Contract::delegate().hash().unwrap();
    let plan = Plan::Delegate { task: task.commitment(), writ: child_writ().id().unwrap() };
    let resolved = Resolved::new(trajectory(), intent.id().unwrap(), writ, contract, plan).unwrap();
    Proposal { decision, intent, resolved: Some(resolved), writ }
}

fn delegated() -> (Delegated, Vec<Blob>) {
    let child = child_start().trajectory().unwrap();
    (Delegated { child, granted: amounts(), origin: Origin::Proposal(Arc::new(delegation())) }, vec![hand_down().0])
}

/// A record of `kind` that uses its optional members, with the blobs that it introduces.
pub fn draft(kind: Kind) -> Option<Draft> {
    let id = |byte: u8| EntryId([byte; 32]);
    let sealed = match kind {
        Kind::Root => Draft::seal(kind, &run_start(None), vec![blob("pay the bills", 4)]),
        Kind::Branch => {
            let run = run_start(Some(Link::Branch(branch_point())));
            Draft::seal(kind, &BranchStart { run, world_root: WorldRoot([4; 32]) }, vec![blob("pay the bills", 4)])
        }
        Kind::TurnStart => {
            let reserved = Amounts { tokens: 500, usd_millicents: 20, ..Amounts::ZERO };
            Draft::seal(kind, &TurnStart { cognition: "mock/1".into(), omitted: 3, reserved, step: 0 }, vec![])
        }
        Kind::Turn => {
            let (answer, message, reason, text) =
                (blob("done", 5), blob("no answer", 6), blob("not a tool", 7), blob("I pay", 8));
            let carry = blob(json!({"thinking": "…"}), 9);
            let turn = Turn {
                answer: Some(answer.commitment()),
                answered_by: Some("mock/2".into()),
                carry: Some(carry.commitment()),
                error: Some(TurnError { code: "timeout".into(), message: message.commitment() }),
                intents: vec![intent()],
                malformed: vec![MalformedRequest { index: 1, reason: reason.commitment() }],
                start: id(1),
                text: Some(text.commitment()),
                tokens: Some(TokenUsage { cached: 100, input: 400, output: 20, reasoning: 0 }),
                usage: Amounts { tokens: 420, usd_millicents: 17, ..Amounts::ZERO },
            };
            Draft::seal(kind, &turn, vec![args(), rationale(), answer, carry, message, reason, text])
        }
        Kind::Dispatch => {
            let dispatch = Dispatch { compensates: None, proposal: proposal(Status::Staged), reserved: amounts() };
            Draft::seal(kind, &dispatch, vec![args(), rationale()])
        }
        Kind::Commit => {
            let (commit, blobs) = commit();
            Draft::seal(kind, &commit, blobs)
        }
        Kind::Failure => {
            let detail = blob("connection reset", 15);
            let failure = Failure {
                cause: FailureCause::ToolFailed,
                cost: amounts(),
                detail: Some(detail.commitment()),
                effect: WhatHappened::Unknown,
                observation: None,
                origin: Origin::Dispatch(id(3)),
                undo: None,
            };
            Draft::seal(kind, &failure, vec![detail])
        }
        Kind::Rejection => {
            let refusal = Refusal::new(Stage::Budget, Code::BudgetExceeded).at("tool_calls").asked(1).allowed(0);
            let refused = Rejection::Refused(proposal(Status::Rejected(refusal)));
            Draft::seal(kind, &refused, vec![args(), rationale()])
        }
        Kind::PendingApproval => {
            let pending = PendingApproval { expires_at_ms: Some(NOW_MS + 86_400_000), proposal: proposal(suspended()) };
            Draft::seal(kind, &pending, vec![])
        }
        Kind::Vote => {
            let (note, statement) = (blob("checked the invoice", 16), vote());
            let signature = Some(APPROVER.secret().sign(Purpose::Vote, statement.hash().unwrap().as_bytes()));
            Draft::seal(kind, &Vote { note: Some(note.commitment()), pending: id(4), signature, statement }, vec![note])
        }
        Kind::ApprovalOutcome => {
            let votes = vec![id(5), id(6)];
            let outcome =
                ApprovalOutcome { outcome: Outcome::Approved, pending: id(4), released: Amounts::ZERO, votes };
            Draft::seal(kind, &outcome, vec![])
        }
        Kind::Delegation => {
            let (delegated, blobs) = delegated();
            Draft::seal(kind, &delegated, blobs)
        }
        Kind::DelegationResult => {
            let answer = blob("paid", 18);
            let result = DelegationResult {
                answer: Some(answer.commitment()),
                delegation: id(7),
                head: id(8),
                reason: EndReason::Completed,
                seq: 12,
                spent: amounts(),
            };
            Draft::seal(kind, &result, vec![answer])
        }
        Kind::CompensationHalt => {
            let detail = blob("the receipt is gone", 19);
            let (cause, commitment) = ("not_compensable".into(), Some(detail.commitment()));
            Draft::seal(kind, &CompensationHalt { at: id(9), cause, detail: commitment, to: id(10) }, vec![detail])
        }
        Kind::Compensation => {
            let start = run_start(None);
            let undo = Undo { args: blob(json!({"of": 5}), 17).commitment(), tool: "refund".parse().unwrap() };
            let targets = [(id(2), 3, true, None), (id(9), 6, false, Some(undo))];
            let target = |(entry, seq, keep, undo)| Target { entry, keep, seq, undo };
            let statement = CompensationStatement {
                base: EffectsHash::ZERO,
                nonce: Nonce([8; 16]),
                plan: targets.map(target).into(),
                store: store(),
                to: id(10),
                trajectory: TrajectoryId([7; 32]),
                writ: start.start.writ,
            };
            let signature = AGENT.secret().sign(Purpose::Compensation, statement.hash().unwrap().as_bytes());
            let (chain, contracts, policy_set) = (start.chain, start.contracts, start.policy_set);
            Draft::seal(kind, &Compensation { chain, contracts, policy_set, signature, statement }, vec![])
        }
        Kind::InDoubtResolution => {
            let note = blob("seen on the statement", 20);
            let (by, commitment) = (APPROVER.named(), Some(note.commitment()));
            let (dispatch, verdict) = (id(3), HappenedVerdict::Happened);
            let statement = ResolutionStatement { by: by.clone(), dispatch, note: commitment, verdict };
            let hash = statement.hash().unwrap();
            let signature = APPROVER.secret().sign(Purpose::Resolution, hash.as_bytes());
            let operator = Some(Operator { key: by, signature });
            let resolution = InDoubtResolution { cost: amounts(), dispatch, note: commitment, operator, verdict };
            Draft::seal(kind, &resolution, vec![note])
        }
        Kind::Skill => {
            let definition = skill();
            let hash = definition.hash().unwrap();
            let parameters = blob(json!({"payee": "eve"}), 31);
            let commitment = Some(parameters.commitment());
            let bound = SkillBound { definition: Arc::new(definition), hash, parameters: commitment };
            Draft::seal(kind, &bound, vec![parameters])
        }
        Kind::Routing => {
            let outcome =
                RoutingOutcome { evidence: evidence(), latency_ms: 912, status: RoutingStatus::Proposed, turn: id(11) };
            Draft::seal(kind, &outcome, vec![])
        }
        Kind::Erasure => {
            let blobs = vec![Erased { commitment: args().commitment(), entry: id(12) }];
            Draft::seal(kind, &Erasure { blobs, by: OPERATOR.named(), reason: "request 17".into() }, vec![])
        }
        Kind::Checkpoint => {
            Draft::seal(kind, &Checkpoint { length: 18, position: 40, root: CheckpointHash([13; 32]) }, vec![])
        }
        Kind::Resumed => {
            let resumed = Resumed {
                contracts: vec![contract().hash().unwrap()],
                debited: Amounts { tokens: 500, usd_millicents: 20, ..Amounts::ZERO },
                in_doubt: vec![id(3)],
                policy_set: policies().hash(),
                turn: Some(id(1)),
            };
            Draft::seal(kind, &resumed, vec![])
        }
        Kind::Terminated => {
            let answer = blob("all paid", 22);
            let (commitment, detail) = (Some(answer.commitment()), Some("tool_calls".into()));
            let reason = EndReason::BudgetExhausted;
            Draft::seal(kind, &Terminated { answer: commitment, detail, reason, spent: amounts() }, vec![answer])
        }
        _ => return None,
    };
    Some(sealed.unwrap())
}

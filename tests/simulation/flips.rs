//! Each change changes what it should, and nothing else.

use std::collections::BTreeSet;

use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    contract::{Effect, Risk},
    crypto::Role,
    host::SeededEntropy,
    ledger::LedgerStore,
    policy::{PolicySet, UnsignedBundle},
    proposal::Status,
    replay::{
        Pins, ReplayError,
        simulate::{self, Because, Change, Conclusion, Found, Runs},
    },
    runtime::{Answer, Run, Runtime, Submitted, export},
    writ::{Amounts, Scope, Window, WritBuilder, WritChain},
};
use serde_json::{Value, json};

use crate::{ask, changes, common::*, deny, rule, simulated, with_rules};

fn amount(op: &str, value: i64) -> Value {
    json!({"field": "args.amount", "op": op, "value": value})
}

fn opened(fixture: &Fixture, rules: &Value) -> Runtime {
    let bundle = json!({"name": "old", "version": "1", "rules": rules});
    let bundle = openthymos::policy::Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    let set = PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build().unwrap();
    let builder = fixture.builder().trust(named(ISSUER), [Role::WritIssuer, Role::Approver]).policies(set);
    let builder = builder.tool(TestTool::host("act")).tool(TestTool::world("note"));
    let critical = TestTool::host("critical").with(|tool| tool.contract.risk = Risk::Critical);
    block_on(builder.tool(critical).open()).unwrap()
}

fn call(run: &Run, tool: &str, amount: i64) -> Submitted {
    submit(run, tool, json!({"amount": amount}))
}

/// A writ from the issuer for the child, with a nonce of its own.
fn other(seed: u64, narrow: impl FnOnce(WritBuilder) -> WritBuilder) -> WritChain {
    let writ = narrow(WritBuilder::child(&signed(writ()), named(CHILD)));
    block_on(writ.sign_with(&key(AGENT), &SeededEntropy::new(seed))).unwrap()
}

fn under(chain: WritChain) -> Change {
    Change { writ: Some(chain), ..Change::default() }
}

fn pairs<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
    expected.into_iter().map(|(seq, word)| (seq, word.to_owned())).collect()
}

/// A run of `act` with amounts 1, 50 and 100 under rules that ask from 50 on and deny from 100 on.
fn three(fixture: &Fixture) -> (Runtime, Run) {
    let old = json!([rule("much", &amount("gte", 100), &deny()), rule("some", &amount("gte", 50), &ask("ops"))]);
    let runtime = opened(fixture, &old);
    let run = start(&runtime, &child(&signed(writ()), |writ| writ));
    // Dispatched and committed at 1 and 2, asked for at 3, refused at 4.
    for amount in [1, 50, 100] {
        call(&run, "act", amount);
    }
    (runtime, run)
}

#[test]
fn rules_refuse_ask_and_permit() {
    let fixture = Fixture::default();
    let (runtime, run) = three(&fixture);
    let ledger = &*fixture.ledger;
    let of = |rules: Value| {
        let (simulation, found) = simulated(ledger, with_rules(&rules)).unwrap();
        assert_eq!(simulation.decisions(), 3);
        (changes(&found), simulation)
    };
    let (changed, simulation) = of(json!([]));
    assert_eq!(changed, pairs([(3, "staged"), (4, "staged")]));
    assert_eq!((simulation.changed.staged, simulation.unchanged, simulation.commits), (2, 1, 0));
    let (changed, simulation) = of(json!([rule("small", &amount("lt", 60), &deny())]));
    assert_eq!(changed, pairs([(1, "policy_denied"), (3, "policy_denied"), (4, "staged")]));
    assert_eq!((simulation.changed.refused, simulation.changed.staged, simulation.commits), (2, 1, 1));
    let (changed, simulation) = of(json!([rule("all", &amount("gt", 0), &ask("ops"))]));
    assert_eq!(changed, pairs([(1, "asks ops"), (4, "asks ops")]));
    assert_eq!(
        (simulation.changed.suspended, simulation.commits, simulation.conclusion()),
        (2, 1, Conclusion::Changes)
    );
    // Another channel is another decision; another reason, or another rule, is not.
    let same = json!([
        rule("other", &amount("gte", 100), &json!({"kind": "deny", "reason": "other words"})),
        rule("some", &amount("gte", 50), &ask("board"))
    ]);
    assert_eq!(of(same).0, pairs([(3, "asks board")]));
    let report = verified(&runtime, &run.id());
    assert_eq!(report.commits, 1);
}

#[test]
fn the_rules_that_speak_are_named_and_the_commit_is_told() {
    let fixture = Fixture::default();
    let (_runtime, run) = three(&fixture);
    let rules = json!([
        rule("small", &amount("lt", 10), &deny()),
        rule("known", &amount("lt", 100), &json!({"kind": "permit"}))
    ]);
    let (_, found) = simulated(&*fixture.ledger, with_rules(&rules)).unwrap();
    let Found::Changed(changed) = &found[0] else { panic!("{found:?}") };
    assert_eq!((changed.at.run, changed.at.seq, changed.at.tool.as_str()), (run.id(), 1, "act"));
    assert_eq!(
        (&changed.recorded, changed.rules.as_slice()),
        (&Status::Staged, &["new/small".to_owned(), "new/known".into()][..])
    );
    let Found::Commit(commit) = &found[1] else { panic!("{found:?}") };
    assert_eq!(
        (commit.at.seq, commit.at.tool.as_str(), commit.because.as_slice()),
        (2, "act", &[Because::Refused][..])
    );
}

#[test]
fn a_revoked_writ_refuses_all_below_it_and_nothing_else() {
    let fixture = Fixture::default();
    let (runtime, _run) = three(&fixture);
    let writ_beside = other(20, |writ| writ);
    let beside = start(&runtime, &writ_beside);
    call(&beside, "act", 1);
    let revoked = |id| Change { revoked: BTreeSet::from([id]), ..Change::default() };
    let (simulation, found) = simulated(&*fixture.ledger, revoked(writ_beside.id())).unwrap();
    assert_eq!((simulation.changed.refused, simulation.changed.total(), simulation.commits), (1, 1, 1));
    assert!(
        found.iter().all(|found| matches!(found, Found::Changed(of) if of.at.run == beside.id())
            || matches!(found, Found::Commit(_)))
    );
    // The root's: all runs, and what was refused anyway is refused for this.
    let (simulation, found) = simulated(&*fixture.ledger, revoked(signed(writ()).id())).unwrap();
    assert_eq!((simulation.changed.refused, simulation.changed.refused_otherwise, simulation.unchanged), (3, 1, 0));
    assert!(changes(&found).iter().all(|(_, word)| word == "revoked"));
}

#[test]
fn another_writ_is_judged_by_the_stages_like_any_other() {
    let fixture = Fixture::default();
    let runtime = opened(&fixture, &json!([]));
    let run = start(&runtime, &child(&signed(writ()), |writ| writ.scopes([scope("act")])));
    // Commits at 2, 4 and 6, and two refusals.
    for amount in [1, 2, 3] {
        call(&run, "act", amount);
    }
    call(&run, "note", 4);
    call(&run, "gone", 5);
    let of = |chain| changes(&simulated(&*fixture.ledger, under(chain)).unwrap().1);
    let wide = |writ: WritBuilder| writ.scopes([scope("*")]);
    // Refused before the tool was asked: how far it gets is all that can be said. A tool that is not there is still not there.
    assert_eq!(of(other(21, wide)), pairs([(7, "reaches"), (8, "unknown_tool")]));
    let few = |writ: WritBuilder| wide(writ).budget(Amounts { tool_calls: 2, ..PLENTY });
    assert_eq!(of(other(22, few)), pairs([(5, "budget_exceeded"), (7, "budget_exceeded"), (8, "unknown_tool")]));
    let read = |writ: WritBuilder| writ.scopes([scope("act")]).effects_up_to(Effect::Read);
    assert_eq!(of(other(23, read)), [1, 3, 5].map(|seq| (seq, "effect_above_ceiling".to_owned())));
    let when = serde_json::from_value(amount("lt", 3)).unwrap();
    let some = |writ: WritBuilder| writ.scopes([Scope { when: Some(when), ..scope("act") }]);
    assert_eq!(of(other(24, some)), pairs([(5, "condition_not_met")]));
    let past = |writ: WritBuilder| wide(writ).window(Window { not_before_ms: 0, expires_at_ms: START_MS - 1 });
    assert_eq!(of(other(25, past)).iter().map(|(_, word)| word.as_str()).collect::<BTreeSet<_>>(), ["expired"].into());
    // A writ that is issued later is judged as if history had waited for it.
    let window = Window { not_before_ms: START_MS + 9_000_000, expires_at_ms: START_MS + 9_900_000 };
    assert_eq!(of(other(26, |writ| writ.scopes([scope("act")]).window(window))), []);
    // Nobody trusts who issued it.
    let forged = WritBuilder::root(named(STRANGER), named(AGENT)).any_store().scopes([scope("*")]).budget(PLENTY);
    let forged = block_on(forged.effects_up_to(Effect::Irreversible).sign_with(&key(STRANGER), &SeededEntropy::new(1)));
    assert_eq!(
        of(forged.unwrap()).iter().map(|(_, word)| word.as_str()).collect::<BTreeSet<_>>(),
        ["untrusted_root"].into()
    );
}

#[test]
fn what_was_spent_under_a_writ_counts_against_the_one_in_its_place() {
    let fixture = Fixture::default();
    let runtime = opened(&fixture, &json!([]));
    let chain = child(&signed(writ()), |writ| writ);
    let (one, two) = (start(&runtime, &chain), start(&runtime, &chain));
    // Both runs spend of one account: the third and the fourth call are too many.
    for run in [&one, &two, &two, &one] {
        call(run, "act", 1);
    }
    let few = other(22, |writ| writ.budget(Amounts { tool_calls: 2, ..PLENTY }));
    let (_, found) = simulated(&*fixture.ledger, under(few)).unwrap();
    assert_eq!(changes(&found), pairs([(3, "budget_exceeded"), (3, "budget_exceeded")]));
}

/// Asked for, and approved.
fn approved(fixture: &Fixture, rules: &Value) -> (Runtime, TrajectoryId) {
    let runtime = opened(fixture, rules);
    let run = start(&runtime, &signed(writ()));
    let Submitted::Suspended { entry, .. } = call(&run, "act", 50) else { panic!("it was to wait") };
    block_on(run.vote(Answer::approve(entry).by("issuer", &key(ISSUER)))).unwrap();
    assert!(matches!(block_on(run.carry_on()).unwrap()[0].1, Submitted::Committed { .. }));
    (runtime, run.id())
}

#[test]
fn votes_count_for_what_they_were_given_for() {
    let fixture = Fixture::default();
    let some = rule("some", &amount("gte", 50), &ask("ops"));
    // Asked at 1, voted, approved, dispatched at 4, committed at 5.
    let (_runtime, run) = approved(&fixture, &json!([some]));
    let of = |rules: Value| changes(&simulated(&*fixture.ledger, with_rules(&rules)).unwrap().1);
    // The same question in another set: the approval stands.
    assert_eq!(of(json!([some])), []);
    assert_eq!(of(json!([])), pairs([(1, "staged")]));
    assert_eq!(
        of(json!([rule("some", &amount("gte", 50), &ask("board"))])),
        pairs([(1, "asks board"), (4, "asks board")])
    );
    let both = json!([some, rule("never", &amount("eq", 50), &deny())]);
    assert_eq!(of(both), pairs([(1, "policy_denied"), (4, "policy_denied")]));
    assert_eq!(fixture.kinds(&run).len(), 6);
}

#[test]
fn a_file_says_what_its_ledger_says_and_neither_is_touched() {
    let fixture = Fixture::default();
    let poisoned = TestTool::host("act").calling(|_| panic!("a tool was called"));
    let counter = poisoned.counter();
    let (runtime, run) = three(&fixture);
    let run = run.id();
    drop(runtime);
    // A tool of that name is at hand in this process, and nobody asks it anything.
    let _poisoned =
        fixture.open([poisoned.with(|tool| tool.on_reads = Some(Box::new(|()| panic!("a tool was asked"))))]);
    let entries = || block_on(fixture.ledger.scan(openthymos::ledger::Position(0), usize::MAX)).unwrap();
    let before = entries();
    let rules = json!([rule("small", &amount("lt", 60), &deny())]);
    let (of_store, found) = simulated(&*fixture.ledger, with_rules(&rules)).unwrap();
    let mut file = Vec::new();
    block_on(export(&*fixture.ledger, &run, Some(&key(RUNTIME)), START_MS, &mut file)).unwrap();
    let mut of_lines = Vec::new();
    let of_file =
        simulate::export(&file[..], with_rules(&rules), Pins::default(), |of| of_lines.push(of.clone())).unwrap();
    assert_eq!((of_file, of_lines), (of_store, found));
    assert_eq!((counter.get(), entries()), (0, before));
    // A file that somebody changed proves nothing.
    let at = file.len() / 2;
    file[at] ^= 1;
    simulate::export(&file[..], with_rules(&rules), Pins::default(), |_| {}).unwrap_err();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let fixture = Fixture::default();
    let (_runtime, run) = three(&fixture);
    let faults = |when: Value| match simulated(&*fixture.ledger, with_rules(&json!([rule("r", &when, &deny())]))) {
        Err(error @ ReplayError::Rules(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(faults(json!({"field": "args.amonut", "op": "eq", "value": 1})).contains("amonut"));
    assert!(faults(json!({"field": "intent.target", "op": "eq", "value": "pya"})).contains("fits no registered tool"));
    let unknown = TrajectoryId([9; 32]);
    let found = block_on(simulate::runs(
        &*fixture.ledger,
        Runs::Of(&[run.id(), unknown]),
        Change::default(),
        Pins::default(),
        |_| {},
    ));
    assert!(matches!(found, Err(ReplayError::NoRun(run)) if run == unknown));
    let pins = Pins { signer: Some(key(STRANGER).public_key()), ..Pins::default() };
    block_on(simulate::runs(&*fixture.ledger, Runs::All, Change::default(), pins, |_| {})).unwrap_err();
}

#[test]
fn a_ledger_without_runs_shows_nothing() {
    let fixture = Fixture::default();
    drop(fixture.open([TestTool::host("act")]));
    let (simulation, _) = simulated(&*fixture.ledger, Change::default()).unwrap();
    assert_eq!((simulation.runs, simulation.conclusion()), (0, Conclusion::Incomplete));
    let nothing = openthymos::ledger::MemoryLedger::new();
    assert!(matches!(simulated(&nothing, Change::default()), Err(ReplayError::Empty)));
}

#[test]
fn rules_are_held_to_all_contracts_that_the_ledger_ever_had() {
    let fixture = Fixture::default();
    let version = |version: &str, name: &str| {
        TestTool::host("act").with(|tool| {
            tool.contract.version = version.into();
            tool.contract.schema =
                json!({"type": "object", "properties": {name: {"type": "integer"}}, "additionalProperties": false});
        })
    };
    for (number, name) in [("1", "amount"), ("2", "cents")] {
        let run = start(&fixture.open([version(number, name)]), &signed(writ()));
        submit(&run, "act", json!({name: 7}));
    }
    let of = |name: &str| {
        simulated(
            &*fixture.ledger,
            with_rules(&json!([rule("r", &json!({"field": format!("args.{name}"), "op": "gt", "value": 5}), &deny())])),
        )
    };
    for name in ["amount", "cents"] {
        let (simulation, found) = of(name).unwrap();
        assert_eq!(
            (simulation.changed.refused, simulation.unchanged, changes(&found)),
            (1, 1, pairs([(1, "policy_denied")]))
        );
    }
    assert!(matches!(of("euros"), Err(ReplayError::Rules(_))));
}

//! A simulation that changes nothing finds nothing that changes, whatever was decided; and what cannot be derived has no verdict.

use std::collections::BTreeSet;

use futures::executor::block_on;
use openthymos::{
    canon::{TrajectoryId, WritId},
    host::SeededEntropy,
    ledger::LedgerStore,
    policy::BundleEntry,
    proposal::{Code, Status},
    replay::{
        Gap, Pins,
        simulate::{self, Change, Changed, Conclusion, Found, Runs, Simulation},
    },
    runtime::export,
    writ::{WritBuilder, WritChain},
};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    common::*,
    forged::Forged,
    honest::{Machine, everything},
    policies::{bundled, rules},
    proposals,
    scripts::{Step, grant, narrowed, play, steps},
};

/// What a change does to all runs of a store.
fn simulated(store: &dyn LedgerStore, change: &Change) -> (Simulation, Vec<Found>) {
    let mut found = Vec::new();
    let tell = |of: &Found| found.push(of.clone());
    let simulation = block_on(simulate::runs(store, Runs::All, change.clone(), Pins::default(), tell)).unwrap();
    (simulation, found)
}

/// A simulation in which every decision stays as it is.
fn stays(store: &dyn LedgerStore, change: &Change) -> Simulation {
    let (simulation, found) = simulated(store, change);
    assert_eq!(found, []);
    assert_eq!(simulation.conclusion(), Conclusion::NothingChanges);
    assert_eq!((simulation.decisions(), simulation.commits, simulation.started), (simulation.unchanged, 0, 0));
    simulation
}

fn decisions(store: &dyn LedgerStore, runs: &[TrajectoryId]) -> u64 {
    runs.iter().map(|run| proposals(store, run).len() as u64).sum()
}

fn unrelated() -> Change {
    Change { revoked: BTreeSet::from([WritId([7; 32])]), ..Change::default() }
}

#[test]
fn no_kind_of_decision_changes_by_itself() {
    let machine = everything();
    let ledger = &*machine.fixture.ledger;
    for change in [Change::default(), unrelated()] {
        let simulation = stays(ledger, &change);
        assert_eq!(
            (simulation.runs, simulation.decisions()),
            (machine.runs.len() as u64, decisions(ledger, &machine.runs))
        );
        assert!(simulation.asserted > 10, "{simulation:?}");
    }
    for run in &machine.runs {
        let mut file = Vec::new();
        block_on(export(ledger, run, Some(&key(33)), START_MS, &mut file)).unwrap();
        let of_file = simulate::export(&file[..], Change::default(), Pins::default(), |_| {}).unwrap();
        assert_eq!(of_file.conclusion(), Conclusion::NothingChanges);
        assert_eq!(of_file.unchanged, decisions(ledger, &[*run]));
    }
}

/// The same writ once more, under another id.
fn twin(chain: &WritChain, narrow: impl FnOnce(WritBuilder) -> WritBuilder) -> WritChain {
    let writ = narrow(WritBuilder::child(&signed(writ()), named(CHILD)));
    let twin = block_on(writ.sign_with(&key(AGENT), &SeededEntropy::new(99))).unwrap();
    assert_ne!(twin.id(), chain.id());
    twin
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_changes_by_itself(grant in grant(), steps in steps()) {
        let fixture = Fixture::default();
        let chain = child(&signed(writ()), |writ| narrowed(writ, &grant));
        let runs = play(&fixture, &chain, &steps);
        prop_assume!(!runs.is_empty());
        let simulation = stays(&*fixture.ledger, &unrelated());
        prop_assert_eq!(simulation.decisions(), decisions(&*fixture.ledger, &runs));
        if steps.iter().any(|step| matches!(step, Step::Revoke)) {
            return Ok(());
        }
        // A writ that grants the same, with what was spent under the other one: only policies in Rust have to be asked again.
        let writ = Some(twin(&chain, |writ| narrowed(writ, &grant)));
        let (simulation, found) = simulated(&*fixture.ledger, &Change { writ, ..Change::default() });
        // What was asked for too early is judged as of the time when it is not any more.
        let early = |of: &Changed| matches!(&of.recorded, Status::Rejected(refusal) if refusal.code == Code::NotYetValid);
        let changed = found.iter().find(|found| matches!(found, Found::Changed(of) if !early(of)));
        prop_assert_eq!(changed, None);
        prop_assert!(simulation.undecided.keys().all(|gap| *gap == Gap::Unasked));
    }
}

#[test]
fn rules_stand_in_for_those_of_every_set_with_its_gates_and_policies() {
    let mut machine = Machine::with(rules(100).build().unwrap());
    let run = machine.start(&signed(writ()));
    for (tool, amount) in [("act", 1), ("act", 100), ("act", 50), ("critical", 1), ("gone", 1)] {
        submit(&run, tool, json!({"amount": amount}));
    }
    let same = rules(100).build().unwrap().definition().bundles.clone();
    stays(&*machine.fixture.ledger, &Change { rules: Some(same), ..Change::default() });
    let none: Vec<BundleEntry> = vec![];
    let (simulation, found) = simulated(&*machine.fixture.ledger, &Change { rules: Some(none), ..Change::default() });
    // The rules said no, and ask; the gate still asks, and the tool is still not there.
    assert_eq!((simulation.changed.staged, simulation.changed.total(), simulation.unchanged), (2, 2, 3));
    assert_eq!(found.len(), 2);
    // The policy in Rust denies eleven, as it did.
    let mut machine = Machine::new();
    let run = machine.start(&signed(writ()));
    submit(&run, "act", json!({"amount": 11}));
    let rules = Some(bundled(&json!([])).build().unwrap().definition().bundles.clone());
    let simulation = stays(&*machine.fixture.ledger, &Change { rules, ..Change::default() });
    assert_eq!(simulation.asserted, 1);
}

#[test]
fn what_cannot_be_derived_has_no_verdict() {
    let mut forged = Forged::new();
    forged.decision(1, |decision| decision["compiler"] = json!(7)).seal().passes_plainly();
    let (simulation, found) = simulated(&forged.copy, &Change::default());
    assert_eq!(simulation.undecided.into_iter().collect::<Vec<_>>(), [(Gap::Compiler(7), 1)]);
    let undecided = |found: &Found| matches!(found, Found::Undecided { at, gap: Gap::Compiler(7) } if at.seq == 1);
    assert!(found.len() == 1 && undecided(&found[0]), "{found:?}");
    let (simulation, _) = simulated(&forged.copy, &Change::default());
    assert_eq!((simulation.conclusion(), simulation.unchanged), (Conclusion::Incomplete, 6));
}

#[test]
fn rules_that_read_an_erased_value_have_no_verdict() {
    let mut machine = Machine::with(Default::default());
    let run = machine.start(&signed(writ()));
    submit(&run, "note", json!({"amount": 1}));
    submit(&run, "act", json!({"amount": 1}));
    submit(&run, "gone", json!({}));
    let mut forged = Forged::of(&machine, run.id());
    let record: serde_json::Value = serde_json::from_slice(&forged.entry(1).record).unwrap();
    let value = record["delta"][0]["create"]["value"].as_str().unwrap().parse().unwrap();
    crate::gaps::erase(&mut forged, 1, value);
    forged.seal();
    stays(&forged.copy, &Change::default());
    let frozen = json!({"field": "world.kv.frozen", "op": "eq", "value": true});
    let rules = json!([{"name": "frozen", "when": frozen, "decision": {"kind": "permit"}}]);
    let rules = Some(bundled(&rules).build().unwrap().definition().bundles.clone());
    let (simulation, _) = simulated(&forged.copy, &Change { rules, ..Change::default() });
    // The first call was decided before there was a value.
    assert_eq!(simulation.undecided.into_iter().collect::<Vec<_>>(), [(Gap::Erased, 2)]);
    assert_eq!((simulation.unchanged, simulation.changed.total()), (1, 0));
}

#[test]
fn what_policies_in_rust_think_of_another_writ_is_not_known() {
    let mut machine = Machine::new();
    let chain = child(&signed(writ()), |writ| writ.scopes([scope("act")]));
    let run = machine.start(&chain);
    submit(&run, "act", json!({"amount": 1}));
    submit(&run, "note", json!({"amount": 1}));
    let wider = block_on(
        WritBuilder::child(&signed(writ()), named(CHILD))
            .scopes([scope("*")])
            .budget(PLENTY)
            .effects_up_to(openthymos::contract::Effect::Write)
            .sign_with(&key(AGENT), &SeededEntropy::new(5)),
    )
    .unwrap();
    let (simulation, _) = simulated(&*machine.fixture.ledger, &Change { writ: Some(wider), ..Change::default() });
    assert_eq!(simulation.undecided.into_iter().collect::<Vec<_>>(), [(Gap::Unasked, 1)]);
    assert_eq!((simulation.changed.reaching, simulation.changed.total()), (1, 1));
}

#[test]
fn a_ledger_whose_decisions_do_not_follow_is_not_simulated() {
    let mut forged = Forged::new();
    forged.decision(5, |decision| decision["now_ms"] = json!(START_MS + 7)).seal();
    block_on(simulate::runs(&forged.copy, Runs::All, Change::default(), Pins::default(), |_| {})).unwrap_err();
}

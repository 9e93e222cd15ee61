//! What cannot be derived again is counted, and is no success.

use futures::executor::block_on;
use openthymos::{
    canon::{Commitment, EntryId, WorldRoot},
    crypto::Purpose,
    intent::Intent,
    ledger::{
        Draft, Entry, Header, Kind, StoredBlob,
        record::{BranchPoint, BranchStart, Erased, Erasure, Link, RunStart},
    },
    replay::{FaultKind, Gap, Part, ReplayError, Report, Verdict},
};
use serde_json::{Value, json};

use crate::{common::*, forged::Forged, honest::Machine, proposal, replayed};

/// The report of a changed ledger, which passes plainly and is incomplete when its decisions are derived again.
fn incomplete(forged: &mut Forged) -> Report {
    let report = forged.seal().passes_plainly().derived_again();
    assert_eq!(report.verdict(), Verdict::Incomplete, "{report}");
    report
}

fn not_derived(report: &Report) -> Vec<(Gap, u64)> {
    report.rederived.as_ref().unwrap().not_derived.iter().map(|(gap, decisions)| (*gap, *decisions)).collect()
}

#[test]
fn a_decision_of_another_compiler_says_which_one_it_needs() {
    let mut forged = Forged::new();
    for seq in [1, 3] {
        forged.decision(seq, |decision| decision["compiler"] = json!(7));
    }
    let report = incomplete(&mut forged);
    assert_eq!(not_derived(&report), [(Gap::Compiler(7), 2)]);
    let rederived = report.rederived.as_ref().unwrap();
    assert_eq!((rederived.decisions(), rederived.derived + rederived.asserted), (7, 5));
    assert!(report.incomplete[0].contains("2 decisions were not derived again: they need compiler 7"), "{report}");
    assert!(report.to_string().contains("5 of 7 decisions derived again"), "{report}");
}

/// Drops a value of an entry, and appends the entry that says so.
pub fn erase(forged: &mut Forged, seq: u64, commitment: Commitment) {
    let entry = forged.entry(seq);
    let at = entry.blobs.iter().position(|blob| blob.commitment() == commitment).unwrap();
    entry.blobs[at] = StoredBlob::Erased(commitment);
    let erased = vec![Erased { commitment, entry: entry.id() }];
    let erasure = Erasure { blobs: erased, by: named(ISSUER), reason: "asked to".into() };
    let draft = Draft::seal(Kind::Erasure, &erasure, vec![]).unwrap();
    let (position, last) = forged.copy.log.iter().rfind(|(_, entry)| entry.header.trajectory == forged.run).unwrap();
    let header = Header { kind: draft.kind.code(), seq: last.header.seq + 1, ..last.header };
    let entry = Entry { header, record: draft.record, blobs: vec![], signature: None };
    let position = *position + 1;
    forged.copy.log.push((position, entry));
}

#[test]
fn a_decision_whose_arguments_are_erased() {
    let mut forged = Forged::new();
    let args = proposal(forged.entry(2)).unwrap().intent.args;
    erase(&mut forged, 2, args);
    let report = incomplete(&mut forged);
    assert_eq!((not_derived(&report), report.erased), (vec![(Gap::Erased, 1)], 1));
    assert!(report.incomplete[0].starts_with("1 decision was not derived again: values"), "{report}");
}

#[test]
fn a_decision_by_rules_that_read_an_erased_value() {
    let mut forged = Forged::new();
    let record: Value = serde_json::from_slice(&forged.entry(1).record).unwrap();
    let value = record["delta"][0]["create"]["value"].as_str().unwrap().parse().unwrap();
    erase(&mut forged, 1, value);
    // Until it is written anew.
    assert_eq!(not_derived(&incomplete(&mut forged)), [(Gap::Erased, 1)]);
}

#[test]
fn an_erased_rationale_is_not_missed() {
    let mut machine = Machine::new();
    let run = machine.start(&signed(writ()));
    block_on(run.submit(Intent::act("gone", json!({})).because("it is due"))).unwrap();
    let mut forged = Forged::of(&machine, run.id());
    let rationale = proposal(forged.entry(1)).unwrap().intent.rationale.unwrap();
    erase(&mut forged, 1, rationale);
    let report = forged.seal().passes_plainly().derived_again();
    assert_eq!((report.verdict(), report.rederived.unwrap().derived), (Verdict::Verified, 1));
}

#[test]
fn a_decision_of_a_build_without_schemas_is_asserted() {
    let asserted = |decision: &mut Value| decision["asserted_schema"] = json!(true);
    let machine = || {
        let mut machine = Machine::with(Default::default());
        let run = machine.start(&signed(writ()));
        submit(&run, "note", json!({"amount": 1}));
        submit(&run, "note", json!({"amount": "much"}));
        Forged::of(&machine, run.id())
    };
    let mut forged = machine();
    let report = forged.decision(1, asserted).seal().passes_plainly().derived_again();
    let rederived = report.rederived.unwrap();
    assert_eq!((rederived.derived, rederived.asserted), (1, 1));
    // Such a build would have asked the tool.
    let parts = machine().decision(2, asserted).seal().passes_plainly().names(2);
    assert_eq!(parts, [Part::Status, Part::Hash]);
}

#[test]
fn a_branch_off_an_entry_that_no_run_has() {
    let mut machine = Machine::new();
    let run = machine.start(&signed(writ()));
    submit(&run, "gone", json!({}));
    let mut forged = Forged::of(&machine, run.id());
    let root = forged.entry(0);
    let mut start: RunStart = root.body().unwrap();
    let point = BranchPoint { entry: EntryId([1; 32]), seq: 3, trajectory: run.id() };
    start.start.from = Some(Link::Branch(point));
    let branch = start.start.trajectory().unwrap();
    start.signature = key(AGENT).sign(Purpose::Start, branch.as_bytes());
    let task = root.blobs.clone();
    let draft = Draft::seal(Kind::Branch, &BranchStart { run: start, world_root: WorldRoot::ZERO }, vec![]).unwrap();
    root.header.kind = draft.kind.code();
    root.record = draft.record;
    root.blobs = task;
    let opened = |entry: &Entry| entry.header.known_kind() == Some(Kind::RunOpened);
    for (_, entry) in &mut forged.copy.log {
        if opened(entry) {
            let text = String::from_utf8(entry.record.to_vec()).unwrap();
            entry.record = text.replace(&run.id().to_string(), &branch.to_string()).into_bytes().into();
        }
        if entry.header.trajectory == run.id() {
            entry.header.trajectory = branch;
        }
    }
    for key in forged.copy.registers.keys().cloned().collect::<Vec<_>>() {
        let value = forged.copy.registers.remove(&key).unwrap();
        let key = if key == openthymos::ledger::RegisterKey::opened(&run.id()) {
            openthymos::ledger::RegisterKey::opened(&branch)
        } else {
            key
        };
        forged.copy.registers.insert(key, value);
    }
    forged.run = branch;
    let fault = replayed(&forged.seal().copy, &branch, false).unwrap_err();
    let ReplayError::Fault(fault) = fault else { panic!("{fault}") };
    assert!(matches!(fault.reason, FaultKind::BranchPoint(EntryId([1, ..]))) && fault.seq == 0, "{fault:?}");
}

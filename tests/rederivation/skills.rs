//! Even with the runtime's key: what a run was bound to, and what was staged beyond it, cannot be changed alone.

use futures::executor::block_on;
use openthymos::{
    contract::Effect,
    ledger::{Kind, record::SkillBound},
    replay::{FaultKind, Part, ReplayError},
    runtime::{Binding, Run},
    writ::{Cap, Skill, ToolPattern},
};
use serde_json::{Value, json};

use crate::{common::*, forged::Forged, honest::Machine, replayed};

fn skill() -> Skill {
    Skill {
        budget: Cap { tool_calls: Some(2), ..Cap::NONE },
        effect_ceiling: Effect::Write,
        instructions: "Note.".into(),
        name: "noting".parse().unwrap(),
        parameters: json!({"type": "object"}),
        tools: vec![ToolPattern::new("note").unwrap()],
        version: std::num::NonZeroU32::MIN,
    }
}

/// A run that is bound to a skill and stays within it, once refused by it.
fn bound() -> (Forged, Run) {
    let mut machine = Machine::new();
    let chain = signed(writ());
    let run = machine.start(&chain);
    block_on(run.bind(Binding::new(skill()))).unwrap();
    submit(&run, "note", json!({"amount": 1}));
    submit(&run, "act", json!({"amount": 1}));
    submit(&run, "note", json!({"amount": 2}));
    (Forged::of(&machine, run.id()), run)
}

/// The fault of a replay that derives nothing, after the definition was changed and hashed anew.
fn fault(change: impl FnOnce(&mut Value)) -> FaultKind {
    let (mut forged, _run) = bound();
    forged.record(1, |record| {
        change(&mut record["definition"]);
        let definition: Skill = serde_json::from_value(record["definition"].clone()).unwrap();
        record["hash"] = json!(definition.hash().unwrap());
    });
    forged.seal();
    match replayed(&forged.copy, &forged.run, false) {
        Err(ReplayError::Fault(fault)) => fault.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_within_its_skill_follows() {
    let (forged, run) = bound();
    let kinds = [Kind::Root, Kind::Skill, Kind::Commit, Kind::Rejection, Kind::Commit];
    let entries = block_on(openthymos::LedgerStore::read(&forged.copy, &run.id(), 0, 9)).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.header.known_kind().unwrap()).collect::<Vec<_>>(), kinds);
    assert_eq!(crate::rederives(&forged.copy, &run.id()).decisions(), 3);
}

#[test]
fn a_definition_that_is_not_the_one_of_its_hash() {
    for change in [
        |bound: &mut SkillBound| bound.hash.0[0] ^= 1,
        |bound: &mut SkillBound| std::sync::Arc::make_mut(&mut bound.definition).instructions.push('!'),
        |bound: &mut SkillBound| std::sync::Arc::make_mut(&mut bound.definition).budget.tool_calls = Some(3),
    ] {
        let (mut forged, _run) = bound();
        forged.record(1, |record| {
            let mut bound = serde_json::from_value(record.clone()).unwrap();
            change(&mut bound);
            *record = serde_json::to_value(bound).unwrap();
        });
        forged.seal();
        let error = replayed(&forged.copy, &forged.run, false).unwrap_err();
        assert!(matches!(&error, ReplayError::Fault(fault) if matches!(fault.reason, FaultKind::Skill(_))), "{error}");
        assert!(error.to_string().starts_with("entry 1 (skill, "), "{error}");
    }
}

#[test]
fn what_was_carried_out_beyond_a_skill() {
    for change in [
        (|definition: &mut Value| definition["tools"] = json!(["other"])) as fn(&mut Value),
        |definition| definition["effect_ceiling"] = json!("read"),
        |definition| definition["budget"] = json!({"tool_calls": 0}),
        |definition| definition["budget"] = json!({"tool_calls": 1}),
        |definition| definition["budget"] = json!({"wall_clock_ms": 5}),
    ] {
        let fault = fault(change);
        assert!(matches!(&fault, FaultKind::BeyondSkill(skill) if skill == "noting@1"), "{fault}");
    }
}

#[test]
fn a_refusal_by_a_skill_that_allows_it() {
    let (mut forged, _run) = bound();
    forged.record(1, |record| {
        record["definition"]["tools"] = json!(["*"]);
        let definition: Skill = serde_json::from_value(record["definition"].clone()).unwrap();
        record["hash"] = json!(definition.hash().unwrap());
    });
    assert_eq!(forged.seal().passes_plainly().names(3), [Part::Status, Part::Hash]);
}

#[test]
fn a_binding_that_was_taken_out() {
    let (mut forged, _run) = bound();
    // The entry stays where it is, and becomes one of another kind that changes nothing.
    let checkpoint = json!({"length": 1, "position": 1, "root": "0".repeat(64)});
    forged.record(1, |record| *record = checkpoint);
    forged.entry(1).header.kind = Kind::Checkpoint.code();
    assert_eq!(forged.seal().passes_plainly().names(3), [Part::Status, Part::Hash]);
}

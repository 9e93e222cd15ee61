//! What no run shows by itself: only both sides together.

use openthymos::{
    ledger::Kind,
    replay::{LineageFault, ReplayError, StorePins},
};
use serde_json::{Value, json};

use crate::{DELEGATION, Forged, RESULT, SECOND_DELEGATION, common::*};

/// What is found of the whole store, when each run by itself still holds.
fn found(forged: &mut Forged) -> LineageFault {
    forged.copy.seal();
    for run in [forged.run, forged.first, forged.second] {
        forged.replayed(run).unwrap();
    }
    match forged.copy.verify(StorePins::default()).unwrap_err() {
        ReplayError::Lineage { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_run_that_says_that_it_was_delegated_and_whose_parent_knows_nothing_of_it() {
    let mut forged = Forged::new();
    forged.remove(forged.run, SECOND_DELEGATION);
    let fault = found(&mut forged);
    assert_eq!(fault, LineageFault::NotStarted(forged.run));
}

#[test]
fn a_child_that_is_not_there() {
    let mut forged = Forged::new();
    let opened = |entry: &openthymos::ledger::Entry| entry.header.known_kind() == Some(Kind::RunOpened);
    let last = forged.copy.log.iter().rposition(|(_, entry)| opened(entry)).unwrap();
    forged.copy.log.remove(last);
    forged.remove(forged.below, 0);
    let fault = found(&mut forged);
    assert_eq!(fault, LineageFault::Child(forged.below));
}

#[test]
fn an_end_that_is_not_how_the_child_ended() {
    let other = "ab".repeat(32);
    let changes: [(&str, Value); 4] =
        [("head", json!(other)), ("reason", json!("closed")), ("seq", json!(2)), ("spent", json!({"tokens": 1}))];
    for (member, value) in changes {
        let mut forged = Forged::new();
        forged.record(forged.run, RESULT, |result| {
            assert_ne!(result[member], value);
            result[member] = value;
        });
        assert_eq!(found(&mut forged), LineageFault::End(forged.first), "{member}");
        let Err(ReplayError::Lineage { fault, .. }) = forged.lineage() else { panic!("{member}") };
        assert_eq!(fault, LineageFault::End(forged.first), "{member}");
    }
    let mut forged = Forged::new();
    forged.entry(forged.run, RESULT).blobs.clear();
    forged.record(forged.run, RESULT, |result| drop(result.as_object_mut().unwrap().remove("answer").unwrap()));
    assert_eq!(found(&mut forged), LineageFault::End(forged.first));
}

#[test]
fn an_end_of_a_child_that_has_not_ended() {
    let mut forged = Forged::new();
    let last = forged.copy.heads[&forged.first].seq;
    forged.remove(forged.first, last);
    assert_eq!(found(&mut forged), LineageFault::End(forged.first));
    assert!(matches!(forged.lineage(), Err(ReplayError::Lineage { fault: LineageFault::End(_), .. })));
}

#[test]
fn a_start_that_was_not_stored_with_the_delegation() {
    // Another entry between the two, and the child first.
    for step in [1, -1] {
        let mut forged = Forged::new();
        let at = forged.at(forged.below, 0);
        forged.copy.log.swap(at, at.strict_add_signed(step));
        assert_eq!(found(&mut forged), LineageFault::Apart(forged.below), "{step}");
        // By themselves the runs show nothing of where they are stored.
        forged.lineage().unwrap();
    }
}

#[test]
fn counts_that_are_not_those_of_the_log() {
    let cases = [("generation", "generations", 2, 1), ("descendants", "descendants", 1, 0)];
    for (member, what, said, found_there) in cases {
        let mut forged = Forged::new();
        let child = format!("/origin/proposal/decision/quote/child/{member}");
        forged.record(forged.run, DELEGATION, |delegation| *delegation.pointer_mut(&child).unwrap() = json!(said));
        assert_eq!(found(&mut forged), LineageFault::Count { what, said, found: found_there });
        // A generation further down, where the run at the top counts.
        let mut forged = Forged::new();
        forged.record(forged.second, DELEGATION, |delegation| *delegation.pointer_mut(&child).unwrap() = json!(0));
        let there = 2;
        assert_eq!(found(&mut forged), LineageFault::Count { what, said: 0, found: there });
    }
}

#[test]
fn the_register_that_counts_the_runs_below_one() {
    let honest = Forged::new();
    let key = openthymos::ledger::RegisterKey::descendants(&honest.run);
    for value in [None, Some(vec![0; 8])] {
        let mut forged = Forged::new();
        match value {
            Some(value) => drop(forged.copy.registers.insert(key.clone(), value.into())),
            None => drop(forged.copy.registers.remove(&key)),
        }
        let (_, rebuilt, _) = forged.copy.register();
        assert!(rebuilt.unwrap().contains('3'));
    }
    // And one for a run that started none.
    let mut forged = Forged::new();
    let value = forged.copy.registers[&key].clone();
    forged.copy.registers.insert(openthymos::ledger::RegisterKey::descendants(&forged.first), value);
    assert_eq!(forged.copy.register().1, None);
    whole(&honest.copy);
}

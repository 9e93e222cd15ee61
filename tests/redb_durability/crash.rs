use std::sync::Arc;

use futures::executor::block_on;
use openthymos::ledger::{Batch, LedgerStore, StoreError, redb::RedbLedger};

use super::{
    device::{Device, Fault, Unsynced},
    workload::{Chain, contents, model, script},
};

/// Appends batches until one fails. Returns how many were acknowledged.
fn run(ledger: &RedbLedger, script: &[Batch]) -> (usize, Option<StoreError>) {
    for (number, batch) in script.iter().enumerate() {
        if let Err(error) = block_on(ledger.append(batch.clone())) {
            return (number, Some(error));
        }
    }
    (script.len(), None)
}

fn refuses_everything(ledger: &RedbLedger) {
    let trajectory = Chain::new(1).trajectory;
    assert!(matches!(block_on(ledger.append(Batch::default())), Err(StoreError::Poisoned(_))));
    assert!(matches!(block_on(ledger.head(&trajectory)), Err(StoreError::Poisoned(_))));
    assert!(matches!(block_on(ledger.read(&trajectory, 0, 1)), Err(StoreError::Poisoned(_))));
}

/// Lets the device fail at every operation of the workload, and holds what is left against the model: all that was
/// acknowledged, at most the one batch more that was under way, and no batch in part.
fn survives(fault: Fault, left: &[Unsynced], quick_repair_bytes: u64) {
    let script = script(9);
    let model = model(&script);
    let whole = Device::default();
    let ledger = whole.open(quick_repair_bytes).unwrap();
    let laid_out = whole.operations();
    assert_eq!(run(&ledger, &script).0, script.len());
    drop(ledger);
    let mut failures = 0;
    for number in laid_out..whole.operations() {
        let device = Device::default().failing(number, fault);
        let mut acknowledged = 0;
        match device.open(quick_repair_bytes) {
            Ok(ledger) => {
                let (done, error) = run(&ledger, &script);
                acknowledged = done;
                if let Some(error) = error {
                    failures += 1;
                    assert!(matches!(error, StoreError::Io(_) | StoreError::Poisoned(_)), "{number}: {error}");
                    refuses_everything(&ledger);
                }
            }
            Err(error) => assert!(matches!(error, StoreError::Io(_) | StoreError::Poisoned(_)), "{number}: {error}"),
        }
        for unsynced in left {
            let ledger = device.after_crash(*unsynced).open(quick_repair_bytes);
            let ledger = ledger.unwrap_or_else(|error| panic!("operation {number}, {unsynced:?}: {error}"));
            let found = contents(&ledger);
            let batches = model.iter().position(|state| *state == found);
            let batches = batches.unwrap_or_else(|| panic!("operation {number}, {unsynced:?}: a batch in part"));
            assert!(
                (acknowledged..=acknowledged + 1).contains(&batches),
                "operation {number}, {unsynced:?}: {acknowledged} batches were acknowledged and {batches} are there"
            );
            assert_eq!(run(&ledger, &script[batches..]).0, script.len() - batches, "operation {number}: it goes on");
            assert!(contents(&ledger) == model[script.len()]);
        }
    }
    assert!(failures > 50, "the device failed only {failures} times");
}

const QUICK: u64 = 0;
const FULL: u64 = u64::MAX;

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    survives(Fault::Error, &[Unsynced::Lost, Unsynced::Kept, Unsynced::Torn], FULL);
}

#[test]
fn a_crash_at_any_operation_is_repaired_quickly_without_loss() {
    survives(Fault::Error, &[Unsynced::Lost, Unsynced::Kept, Unsynced::Torn], QUICK);
}

#[test]
fn a_full_device_at_any_operation_loses_nothing_acknowledged() {
    survives(Fault::Full, &[Unsynced::Kept], FULL);
}

#[test]
fn a_writer_that_panics_poisons_the_ledger() {
    let script = script(9);
    let model = model(&script);
    let whole = Device::default();
    drop(whole.open(FULL).unwrap());
    let device = Device::default().failing(whole.operations() + 20, Fault::Panic);
    let ledger = device.open(FULL).unwrap();
    let (acknowledged, error) = run(&ledger, &script);
    assert!(matches!(error, Some(StoreError::Poisoned(_))), "{error:?}");
    refuses_everything(&ledger);
    drop(ledger);
    let found = contents(&device.after_crash(Unsynced::Kept).open(FULL).unwrap());
    assert!(found == model[acknowledged] || found == model[acknowledged + 1]);
}

#[test]
fn a_crash_under_concurrent_appends_keeps_what_each_writer_was_told() {
    for number in (30..400).step_by(23) {
        let device = Device::default().failing(number, Fault::Error);
        let Ok(ledger) = device.open(FULL).map(Arc::new) else { continue };
        let writer = |writer| {
            let ledger = Arc::clone(&ledger);
            std::thread::spawn(move || {
                let (mut chain, mut acknowledged) = (Chain::new(writer), Vec::new());
                loop {
                    let entry = chain.next(500);
                    match block_on(ledger.append(Batch { entries: vec![entry.clone()], registers: Vec::new() })) {
                        Ok(position) => acknowledged.push((position, entry)),
                        Err(error) => {
                            assert!(!error.is_conflict(), "{error}");
                            return acknowledged;
                        }
                    }
                }
            })
        };
        let writers: Vec<_> = (0..8).map(writer).collect();
        let told: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        drop(ledger);
        let ledger = device.after_crash(Unsynced::Torn).open(FULL).unwrap();
        for (position, entry) in told.into_iter().flatten() {
            assert_eq!(block_on(ledger.scan(position, 1)).unwrap(), [(position, entry.clone())]);
            assert_eq!(block_on(ledger.read(&entry.header.trajectory, entry.header.seq, 1)).unwrap(), [entry]);
        }
    }
}

#[test]
fn dropping_the_ledger_finishes_what_is_queued() {
    let device = Device::default();
    let ledger = device.open(FULL).unwrap();
    let script = script(9);
    let appends: Vec<_> = script.iter().map(|batch| ledger.append(batch.clone())).collect();
    // Polled once, each append is queued; then nobody waits for the answers.
    for mut append in appends {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        drop(append.as_mut().poll(&mut context));
    }
    drop(ledger);
    let ledger = device.after_crash(Unsynced::Lost).open(FULL).unwrap();
    assert!(contents(&ledger) == model(&script)[script.len()]);
}

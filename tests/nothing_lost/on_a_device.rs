//! The same over the ledger in a file, whose device fails at every operation.

use std::sync::Arc;

use futures::executor::block_on;
use openthymos::ledger::LedgerStore;

use super::{
    audit::audit,
    device::{Device, Fault, Unsynced},
    host::{Host, Process, Told},
    onward::go_on,
    script,
    undisturbed::{Undisturbed, log, play},
};

const FULL_REPAIR: u64 = u64::MAX;

fn open(device: &Device) -> Arc<dyn LedgerStore> {
    Arc::new(device.open(FULL_REPAIR).unwrap())
}

/// Lets the device fail at every operation, opens what a crash leaves of it, and goes on.
fn survives(fault: Fault, unsynced: Unsynced) {
    let (whole, mut host) = (Device::default(), Host::new(script::SHORT));
    let ledger = open(&whole);
    let mut operations = vec![];
    let normal = Undisturbed::on(&mut host, ledger, script::SHORT, |_| operations.push(whole.operations()));
    let mut cases = 0;
    for at in operations[0]..operations[1] {
        let (device, mut host) = (Device::default().failing(at, fault), Host::new(script::SHORT));
        let (mut process, mut told) = (None, vec![]);
        let played = block_on(play(&mut host, open(&device), script::SHORT, &mut process, &mut told, || ()));
        if played.is_ok() {
            // A device that is full is still read, and a fault that only syncs meet may come after the last of them.
            continue;
        }
        cases += 1;
        let effects = host.outside.effects();
        assert_eq!(told, normal.told[..told.len()], "operation {at}");
        let left = open(&device.after_crash(unsynced));
        let entries = log(&*left);
        assert!(entries == normal.log[..entries.len()], "operation {at}: nothing else is there");
        let acknowledged = told.iter().filter_map(|told| match told {
            Told::Submitted(submitted) => Some(submitted.entry()),
            _ => None,
        });
        assert!(acknowledged.into_iter().all(|id| entries.iter().any(|entry| entry.id() == id)), "operation {at}");
        assert!(effects == normal.effects[..effects.len()], "operation {at}: no other effects");
        let runtime = block_on(host.open(left)).unwrap();
        audit(&runtime, &host);
        // The process may have outlived its device, or have died with it.
        let outlived = matches!(unsynced, Unsynced::Kept) && fault != Fault::Panic;
        let runs = process.filter(|_| outlived).map_or([None, None], |process| process.runs);
        go_on(&normal, &mut host, Process { runtime, runs }, &told, outlived);
    }
    println!("{cases} faults");
    assert!(cases > 20, "only {cases} faults");
}

#[test]
fn a_device_that_fails_and_loses_what_was_not_synced() {
    survives(Fault::Error, Unsynced::Lost);
}

#[test]
fn a_device_that_fails_and_keeps_what_was_not_synced() {
    survives(Fault::Error, Unsynced::Kept);
}

#[test]
fn a_device_that_fails_and_tears_what_was_not_synced() {
    survives(Fault::Error, Unsynced::Torn);
}

#[test]
fn a_device_that_is_full() {
    survives(Fault::Full, Unsynced::Kept);
}

#[test]
fn a_writer_that_panics() {
    survives(Fault::Panic, Unsynced::Kept);
}

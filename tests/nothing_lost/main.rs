//! Whatever fails, at whatever operation of the ledger: what was acknowledged is there, no effect happened twice or without a
//! trace, budgets add up, and the rest goes on from there.
//!
//! Each script of governed calls is played once without a fault. Then it is played again for every operation and every way
//! to fail there, up to the fault, and held against the first: the same entries, effects and answers so far. What is left is
//! opened again, and the script goes on to the same end.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test helper that goes wrong should stop the test"
)]

mod audit;
mod case;
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "redb")]
#[path = "../redb_durability/device.rs"]
mod device;
mod host;
#[cfg(feature = "redb")]
mod on_a_device;
mod onward;
mod outside;
mod past;
mod planner;
mod script;
mod undisturbed;

use common::faulty::faults;
use script::Step;

fn sweep(script: &'static [Step]) {
    let normal = undisturbed::Undisturbed::new(script);
    let from = if matches!(script[0], Step::Reopen) { 0 } else { normal.opening };
    let mut cases = 0;
    for (at, op) in normal.trace.iter().enumerate().skip(from) {
        for fault in faults(*op) {
            let told = std::panic::catch_unwind(|| case::case(&normal, at, *fault));
            assert!(told.is_ok(), "{fault:?} at operation {at} of {}: {op:?}", normal.trace.len());
            cases += 1;
        }
    }
    println!("{cases} faults at {} operations", normal.trace.len() - from);
    assert!(cases >= 3 * script.len(), "only {cases} cases");
}

#[test]
fn a_fault_while_a_ledger_is_made_and_first_used() {
    sweep(script::FIRST_USE);
}

#[test]
fn a_fault_in_calls_that_touch_only_the_world() {
    sweep(script::WORLD);
}

#[test]
fn a_fault_in_calls_with_an_effect_outside() {
    sweep(script::HOST);
}

#[test]
fn a_fault_in_calls_that_leave_their_effect_in_doubt() {
    sweep(script::DOUBT);
}

#[test]
fn a_fault_in_calls_that_are_out_of_time_or_cancelled() {
    sweep(script::STOPPED);
}

#[test]
fn a_fault_in_calls_with_business_keys() {
    sweep(script::KEYS);
}

#[test]
fn a_fault_in_calls_that_are_refused_or_wait() {
    sweep(script::REFUSED);
}

#[test]
fn a_fault_while_cognition_drives() {
    sweep(script::DRIVEN);
}

#[test]
fn a_fault_under_a_child_writ_that_is_revoked() {
    sweep(script::CHILDREN);
}

#[test]
fn a_fault_while_what_another_fault_left_is_taken_up() {
    sweep(script::TAKEN_UP);
}

#[test]
fn a_fault_while_a_live_run_is_taken_over() {
    sweep(script::TAKEN_OVER);
}

//! Foreign bytes are refused or read, and what is read holds: every fuzz target on its seeds, on mutated seeds, and on
//! every input that once broke something.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target panics where a promise is broken"
)]

use std::path::Path;

use proptest::{
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};

#[path = "fuzz/src/lib.rs"]
#[expect(dead_code, reason = "fuzzers use the rest")]
mod fuzz;

use fuzz::{TARGETS, Target};

/// How many mutated seeds each target gets. A ledger file is slow to open.
fn cases(target: &Target) -> u32 {
    if target.name == "ledger_file" { 64 } else { 512 }
}

#[test]
fn every_seed_holds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() > 2, "{}", target.name);
        seeds.iter().for_each(|seed| (target.run)(seed));
        (target.run)(&[]);
    }
}

#[test]
fn every_input_that_once_broke_something_holds() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/regressions").join(target.name);
        let inputs = folder.read_dir().into_iter().flatten().map(|file| file.unwrap().path());
        for path in inputs {
            println!("{}", path.display());
            (target.run)(&std::fs::read(path).unwrap());
        }
    }
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize, usize),
    Join(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let word = prop::sample::select(vec![
        &b"null"[..],
        b"[]",
        b"{}",
        b"0",
        b"-0.0",
        b"1e400",
        b"9007199254740993",
        b"\"\\ud800\"",
        b"\"\\u0000\"",
        b",",
        b"\"",
        b"[[[[[[[[",
        b"{\"a\":",
        b"\xff",
        b"\n",
        b"**",
        b"\"$ref\":\"#\"",
        b"\"a\":1,\"a\":2",
    ]);
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (at(), word.prop_map(<[u8]>::to_vec)).prop_map(|(at, word)| Change::Insert(at, word)),
        (at(), 1..40usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), 1..40usize, 1..40usize).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        (at(), at()).prop_map(|(at, other)| Change::Join(at, other)),
    ]
}

fn changed(seeds: &[Vec<u8>], seed: &prop::sample::Index, changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.get(seeds).clone();
    for change in changes {
        let range = |at: &prop::sample::Index, length: usize| {
            let start = at.index(bytes.len() + 1);
            start..(start + length).min(bytes.len())
        };
        match change {
            Change::Flip(at, bits) => {
                let range = range(at, 1);
                bytes[range].iter_mut().for_each(|byte| *byte ^= bits);
            }
            Change::Insert(at, word) => {
                let range = range(at, 0);
                drop(bytes.splice(range, word.iter().copied()));
            }
            Change::Remove(at, length) => {
                let range = range(at, *length);
                drop(bytes.drain(range));
            }
            Change::Repeat(at, length, times) => {
                let range = range(at, *length);
                let part = bytes[range.clone()].repeat(*times);
                drop(bytes.splice(range, part));
            }
            Change::Join(at, other) => {
                let tail = other.get(seeds);
                bytes.truncate(at.index(bytes.len() + 1));
                bytes.extend_from_slice(&tail[at.index(tail.len() + 1)..]);
            }
        }
    }
    bytes
}

#[test]
fn mutated_seeds_hold() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let config = ProptestConfig { cases: cases(target), failure_persistence: None, ..ProptestConfig::default() };
        let input = (any::<prop::sample::Index>(), prop::collection::vec(change(), 1..4));
        let ran = TestRunner::new(config).run(&input, |(seed, changes)| {
            let bytes = changed(&seeds, &seed, &changes);
            let ran = std::panic::catch_unwind(|| (target.run)(&bytes));
            ran.map_err(|_| TestCaseError::fail(String::from_utf8_lossy(&bytes).into_owned()))
        });
        ran.unwrap_or_else(|error| panic!("{}: {error}", target.name));
    }
}

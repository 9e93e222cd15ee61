#![no_main]

use openthymos_fuzz::{predicate, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("predicate"), |bytes: &[u8]| predicate::run(bytes));

#![no_main]

use openthymos_fuzz::{record, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("record"), |bytes: &[u8]| record::run(bytes));

#![no_main]

use openthymos_fuzz::{header, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("header"), |bytes: &[u8]| header::run(bytes));

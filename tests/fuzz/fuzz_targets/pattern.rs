#![no_main]

use openthymos_fuzz::{pattern, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("pattern"), |bytes: &[u8]| pattern::run(bytes));

#![no_main]

use openthymos_fuzz::{intent, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("intent"), |bytes: &[u8]| intent::run(bytes));

#![no_main]

use openthymos_fuzz::{canonical_json, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("canonical_json"), |bytes: &[u8]| canonical_json::run(bytes));

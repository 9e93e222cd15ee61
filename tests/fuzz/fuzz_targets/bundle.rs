#![no_main]

use openthymos_fuzz::{bundle, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("bundle"), |bytes: &[u8]| bundle::run(bytes));

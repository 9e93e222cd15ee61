#![no_main]

use openthymos_fuzz::{export, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("export"), |bytes: &[u8]| export::run(bytes));

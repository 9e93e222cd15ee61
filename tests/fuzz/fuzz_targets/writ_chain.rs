#![no_main]

use openthymos_fuzz::{writ_chain, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("writ_chain"), |bytes: &[u8]| writ_chain::run(bytes));

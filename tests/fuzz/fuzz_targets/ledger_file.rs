#![no_main]

use openthymos_fuzz::{ledger_file, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("ledger_file"), |bytes: &[u8]| ledger_file::run(bytes));

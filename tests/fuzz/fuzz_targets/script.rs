#![no_main]

use openthymos_fuzz::{script, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds("script"), |bytes: &[u8]| script::run(bytes));

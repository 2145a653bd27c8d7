//! Runs [`certus_fuzz::binding`] on whatever libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| certus_fuzz::binding(data));

//! Runs [`certus_fuzz::challenge_certificate`] on whatever libFuzzer makes up, and on DER with parts of it changed.
#![no_main]

use certus_fuzz::der::mutate;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| certus_fuzz::challenge_certificate(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed, fuzzer_mutate)
});

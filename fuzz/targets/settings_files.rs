//! Settings files and `.env`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::settings::fuzzing::files(data));

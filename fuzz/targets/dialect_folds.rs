//! Answers in every dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie_actors::dialects::fuzzing::folds(data));

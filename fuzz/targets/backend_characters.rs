//! Characters that backends cut, in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::upstream::fuzzing::characters(data));

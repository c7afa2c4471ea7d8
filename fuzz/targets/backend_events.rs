//! Server-sent events in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::upstream::fuzzing::events(data));

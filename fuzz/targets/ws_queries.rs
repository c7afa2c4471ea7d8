//! What stands behind the `?` of a chat's address.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::ws::fuzzing::query(data));

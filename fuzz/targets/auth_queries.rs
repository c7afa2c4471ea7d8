//! Queries, subprotocols, origins.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::auth::fuzzing::query(data));

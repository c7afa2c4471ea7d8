//! Requests for responses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie_actors::dialects::fuzzing::response_request(data));

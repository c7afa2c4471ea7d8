//! Bodies of requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie_actors::openai::fuzzing::request(data));

//! JSON Web Tokens.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::auth::fuzzing::token(data));

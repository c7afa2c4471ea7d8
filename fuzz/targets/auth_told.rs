//! What the application, proxies and tokens tell.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::auth::fuzzing::told(data));

//! Offers of WebSocket extensions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::websocket::fuzzing::offers(data));

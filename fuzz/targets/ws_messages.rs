//! Messages of WebSocket clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::websocket::fuzzing::messages(data));

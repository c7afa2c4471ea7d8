//! Bytes of WebSocket clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie::websocket::fuzzing::frames(data));

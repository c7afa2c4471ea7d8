//! Text frames of clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie_actors::protocol::fuzzing::command(data));

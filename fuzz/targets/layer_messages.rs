//! Messages of Django's channel layer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sophie_actors::channel_layer::fuzzing::message(data));

//! What requests to backends go through before they fail or are answered: while a backend is in trouble, every one of them.

use std::time::Duration;

use log::Level;
use sophie_actors::repeated::{Line, Repeated};

static TROUBLE: Repeated = Repeated::of(module_path!(), Level::Warn);

/// A backend is asked again.
pub fn repeated(backend: &str, attempt: u32, pause: Duration, cause: &str) {
    TROUBLE.log("repeated", || {
        let line = Line::of("ai_request_repeated", "an AI request is repeated").with("backend", backend);
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        line.with_number("attempt", attempt.into()).with_number("pause_ms", pause_ms).with("cause", cause)
    });
}

/// Another backend is asked in its place.
pub fn moved(backend: &str, next: &str, cause: &str) {
    TROUBLE.log("moved", || {
        let line = Line::of("ai_request_moved", "an AI request goes on to another backend").with("backend", backend);
        line.with("next", next).with("cause", cause)
    });
}

//! What the span of a generation says of it at its end.

use super::{End, Generation};

impl Generation {
    /// Says by which model it was, for how many, and how it ended: without an end everybody had left.
    pub fn tell_span(&self, model: &str) {
        if !self.span.is_recording() {
            return;
        }
        let state = self.state();
        self.span.text("gen_ai.request.model", model);
        self.span.count("sophie.askers", state.askers.len() as u64);
        match &state.end {
            Some(End::Complete { finish_reason, .. }) => self.span.text("sophie.finish_reason", finish_reason),
            Some(End::Failed(error)) => self.span.fail(error.code.as_str()),
            None => self.span.set("sophie.finish_reason", "cancelled"),
        }
    }
}

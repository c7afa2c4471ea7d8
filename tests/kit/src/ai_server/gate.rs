//! A stream that the test releases step by step.

use tokio::sync::mpsc;

use super::chunks::{finish, http_chunk, usage, word};
use super::script::Step;

/// Releases a stream step by step. Dropped without an end, it breaks the connection.
pub struct Gate {
    pub(super) steps: mpsc::UnboundedSender<Step>,
}

impl Gate {
    /// Sends a chunk with this text.
    pub fn word(&self, text: &str) {
        self.data(&word(text));
    }

    /// Sends any `data:` line.
    pub fn data(&self, data: &str) {
        self.send(Step::Write(http_chunk(format!("data: {data}\n\n").as_bytes())));
    }

    /// Ends the answer well: finish reason, usage, `[DONE]`.
    pub fn finish(self) {
        self.data(&finish("stop"));
        self.data(&usage(7, 5));
        self.data("[DONE]");
        self.end();
    }

    /// Ends the response properly as it is.
    pub fn end(self) {
        self.send(Step::Write(b"0\r\n\r\n".to_vec()));
        self.send(Step::End);
    }

    /// Breaks the connection.
    pub fn cut(self) {}

    fn send(&self, step: Step) {
        // The call may have been cancelled; then nobody waits for the step.
        let _ = self.steps.send(step);
    }
}

//! What the span of a group's answer says of it at its end.

use super::GroupAnswer;
use crate::ids::RequestId;
use crate::protocol::{Logged, Usage};

impl GroupAnswer {
    /// Says whose it was and how it ended. Texts only where they are asked for.
    pub(super) fn tell_span(&self, outcome: &'static str, logged: &Logged, usage: Usage) {
        let span = RequestId::span();
        if !span.is_recording() {
            return;
        }
        span.text("sophie.answer", self.answer.as_str());
        span.text("sophie.group", self.ask.group.as_str());
        span.text("gen_ai.request.model", &self.model());
        span.set("sophie.outcome", outcome);
        span.count("gen_ai.usage.input_tokens", usage.prompt_tokens);
        span.count("gen_ai.usage.output_tokens", usage.completion_tokens);
        if let Logged::AnswerError { failure, .. } = logged {
            span.fail(failure.code.as_str());
        }
        if span.takes_content() {
            span.text("sophie.question_text", &self.ask.question);
            span.text("sophie.answer_text", &self.text);
        }
    }
}

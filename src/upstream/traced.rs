//! The span of one request to a backend, with the attributes that OpenTelemetry's conventions for generative AI name.

use opentelemetry::{Array, StringValue, Value};
use reqwest::Url;
use sophie_actors::ids::RequestId;
use sophie_actors::openai::traced::{input_messages, output_messages, response_of};
use sophie_actors::openai::{BackendRequest, Chunk, Endpoint};
use sophie_actors::protocol::Usage;
use sophie_actors::spans::{Begun, MOST_TEXT, Span, beginning};

/// The API that all backends speak, in the words of the conventions.
pub const PROVIDER: &str = "openai";
/// Choices whose ends are told.
const MOST_CHOICES: usize = 128;

/// One request.
pub struct Traced {
    span: Begun,
    /// The response has been named.
    is_named: bool,
    finish_reasons: Vec<String>,
    /// The beginning of the answer, where texts may be told.
    text: String,
}

impl Traced {
    /// Begins within what is carried out.
    pub fn begin(operation: &'static str, request: &BackendRequest, model: &str, url: &Url) -> Self {
        let span = RequestId::span().begin_client(operation);
        if span.is_recording() {
            span.rename(|| format!("{operation} {model}"));
            span.set("gen_ai.operation.name", operation);
            span.set("gen_ai.provider.name", PROVIDER);
            span.text("gen_ai.request.model", model);
            span.text("server.address", url.host_str().unwrap_or_default());
            span.count("server.port", url.port_or_known_default().unwrap_or_default().into());
        }
        if span.takes_content() && request.endpoint == Endpoint::ChatCompletions {
            span.set("gen_ai.input.messages", input_messages(request, MOST_TEXT));
        }
        Self { span, is_named: false, finish_reasons: Vec::new(), text: String::new() }
    }

    /// Its span.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// More of the answer has come.
    pub fn chunk(&mut self, chunk: &Chunk) {
        if !self.span.is_recording() {
            return;
        }
        if !self.is_named
            && let (Some(model), id) = response_of(chunk)
        {
            self.is_named = true;
            self.span.text("gen_ai.response.model", &model);
            if let Some(id) = id {
                self.span.text("gen_ai.response.id", &id);
            }
        }
        let room = MOST_CHOICES.saturating_sub(self.finish_reasons.len());
        self.finish_reasons.extend(chunk.finished.iter().take(room).map(|(_, reason)| reason.clone()));
        if self.span.takes_content() {
            self.text.push_str(beginning(&chunk.text, MOST_TEXT.saturating_sub(self.text.len())));
        }
    }

    /// It has ended. `error`: what kind of one it ended in, or nothing.
    pub fn ended(&self, error: &str, usage: Option<Usage>) {
        if !self.span.is_recording() {
            return;
        }
        if let Some(usage) = usage {
            self.span.count("gen_ai.usage.input_tokens", usage.prompt_tokens);
            self.span.count("gen_ai.usage.output_tokens", usage.completion_tokens);
        }
        if !self.finish_reasons.is_empty() {
            let reasons = self.finish_reasons.iter().map(|reason| StringValue::from(beginning(reason, 64).to_owned()));
            self.span.set("gen_ai.response.finish_reasons", Value::Array(Array::String(reasons.collect())));
        }
        if !self.text.is_empty() {
            let reason = self.finish_reasons.first().map_or("", String::as_str);
            self.span.set("gen_ai.output.messages", output_messages(&self.text, reason));
        }
        match error {
            "" => {}
            // Nobody waited for it any more.
            "cancelled" => self.span.set("sophie.outcome", "cancelled"),
            error => self.span.fail(error),
        }
        self.span.end();
    }
}

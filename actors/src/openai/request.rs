//! A request on its way to a backend.

use std::borrow::Cow;

use serde_json::json;

use super::{Api, Body, Endpoint, embeddings, estimate_prompt_tokens, quoted, responses_api, stream_options};
use crate::openai::error::ErrorObject;

/// A request for a chat completion, or for embeddings: the OpenAI body, fields that we do not know included.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendRequest {
    /// `model`, `messages` or `input`, and whatever else.
    pub body: Body,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// The same in the words of OpenAI's Responses, where its sender spoke those: for backends that do too. All of the conversation is in it.
    pub as_response: Option<Body>,
}

/// Fields of a request for a response that make no difference to the answer.
const NO_PART_OF_THE_QUESTION: [&str; 9] = [
    "client_metadata",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream",
    "stream_options",
    "user",
];

impl From<Body> for BackendRequest {
    /// For a chat completion.
    fn from(body: Body) -> Self {
        Self { body, endpoint: Endpoint::ChatCompletions, as_response: None }
    }
}

impl BackendRequest {
    /// Asks `model` what comes next after `messages`, each as [`message`] writes it.
    pub fn new(model: &str, messages: &[String]) -> Self {
        let mut body = Body::default();
        body.set("model", &json!(model));
        body.set_text("messages", format!("[{}]", messages.join(",")));
        Self::from(body)
    }

    /// What makes it the same question as another one. Who asks, and how it is to be sent and kept, is no part of that.
    pub fn identity(&self) -> Cow<'_, Body> {
        let Some(response) = &self.as_response else { return Cow::Borrowed(&self.body) };
        let mut response = response.clone();
        NO_PART_OF_THE_QUESTION.iter().for_each(|name| _ = response.remove(name));
        let mut body = self.body.clone();
        body.set_text("as_response", response.to_string());
        Cow::Owned(body)
    }

    /// How many choices (`n`), or embeddings, are asked for.
    pub fn choices(&self) -> u64 {
        if self.endpoint == Endpoint::Embeddings {
            return embeddings::inputs(&self.body);
        }
        self.body.get("n").and_then(|count| count.parse().ok()).unwrap_or(1).max(1)
    }

    /// About how many tokens the backend reads of it.
    pub fn estimated_tokens(&self) -> u64 {
        match self.endpoint {
            Endpoint::ChatCompletions => estimate_prompt_tokens(&self.body),
            Endpoint::Embeddings => embeddings::estimate_tokens(&self.body),
        }
    }
}

/// A message in the order in which everybody else writes it too: an application that asks the same may share the answer.
pub fn message(role: &str, text: &str) -> String {
    format!(r#"{{"role":"{role}","content":{}}}"#, quoted(text))
}

/// The body as it is sent, and whether it asks for a stream. `model` takes the place of the one that was asked for, unless it is empty.
///
/// # Errors
/// The API has no words for it.
pub fn for_backend(api: Api, asked: &BackendRequest, model: &str) -> Result<(Body, bool), ErrorObject> {
    let (mut body, speaks_responses) = match (asked.endpoint, api, &asked.as_response) {
        (Endpoint::ChatCompletions, Api::Responses, Some(body)) => (body.clone(), true),
        (Endpoint::ChatCompletions, Api::Responses, None) => (responses_api::from_chat(&asked.body)?, true),
        _ => (asked.body.clone(), false),
    };
    if !model.is_empty() {
        body.set("model", &model.into());
    }
    Ok(match asked.endpoint {
        Endpoint::ChatCompletions if speaks_responses => (body, true),
        Endpoint::ChatCompletions => chat_for_backend(body),
        // Nothing of it is ours to say.
        Endpoint::Embeddings => (body, false),
    })
}

/// A chat completion as it is sent: everything as it came, plus the wish for a stream and its
/// usage where the body says nothing else.
fn chat_for_backend(mut body: Body) -> (Body, bool) {
    let completes = body.text("model").is_some_and(|model| wants_completion_tokens(&model));
    if completes && body.get("max_completion_tokens").is_none() {
        body.rename("max_tokens", "max_completion_tokens");
    }
    if !body.says("stream") {
        body.set("stream", &true.into());
    }
    let streams = body.get("stream") == Some("true");
    if streams {
        // Only together with `stream`: OpenAI refuses it otherwise.
        stream_options::ask_unless_said(&mut body);
    }
    (body, streams)
}

/// Whether a model refuses `max_tokens`: OpenAI's o1, o3, o4 and gpt-5 families, also behind a vendor's name (`openai/o3`).
fn wants_completion_tokens(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or_default();
    ["o1", "o3", "o4", "gpt-5"]
        .iter()
        .any(|family| name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.'])))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn for_chat(asked: Body, model: &str) -> (Body, bool) {
        for_backend(Api::ChatCompletions, &asked.into(), model).expect("a body")
    }

    fn sent(asked: Value) -> (Value, bool) {
        let Value::Object(asked) = asked else { unreachable!() };
        let (body, streams) = for_chat(asked.into(), "");
        (serde_json::from_str(&body.to_string()).expect("JSON"), streams)
    }

    #[test]
    fn a_stream_and_its_usage_are_asked_for_and_unknown_fields_stay() {
        let (body, streams) = sent(json!({ "model": "m", "x_new": { "deep": [1, null] } }));
        assert!(streams);
        let all = json!({
            "model": "m", "x_new": { "deep": [1, null] }, "stream": true, "stream_options": { "include_usage": true }
        });
        assert_eq!(body, all);
    }

    #[test]
    fn what_is_sent_keeps_the_order_and_the_text_of_what_was_asked() {
        let asked = r#"{"model":"o1","max_tokens":9,"tools":[{"z":1.0, "a":123456789012345678901}],"stream":true,"stream_options":{"x":1}}"#;
        let (body, _) = for_chat(Body::parse(&asked.into()).expect("a body"), "");
        let sent =
            asked.replace("max_tokens", "max_completion_tokens").replace(r#""x":1"#, r#""x":1,"include_usage":true"#);
        assert_eq!(body.to_string(), sent);
    }

    #[test]
    fn what_the_body_says_itself_is_kept() {
        let whole = json!({ "stream": false });
        assert_eq!(sent(whole.clone()), (whole, false));
        let quiet = json!({ "stream": true, "stream_options": { "include_usage": false, "x": 1 } });
        assert_eq!(sent(quiet.clone()), (quiet, true));
        let (body, _) = sent(json!({ "stream": null, "stream_options": null }));
        assert_eq!(body, json!({ "stream": true, "stream_options": { "include_usage": true } }));
    }

    #[test]
    fn models_that_take_max_completion_tokens_alone_get_it() {
        for model in ["o1", "o3-mini", "openai/o4-mini", "gpt-5", "gpt-5.1", "gpt-5-nano"] {
            let (body, _) = sent(json!({ "model": model, "max_tokens": 9 }));
            assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(9), None), "{model}");
        }
        for model in ["gpt-4o", "o10", "gpt-50", "my-o3", "llama-o1", "gpt-4o-o3"] {
            let (body, _) = sent(json!({ "model": model, "max_tokens": 9 }));
            assert_eq!((&body["max_tokens"], body.get("max_completion_tokens")), (&json!(9), None), "{model}");
        }
        let (both, _) = sent(json!({ "model": "o3", "max_tokens": 9, "max_completion_tokens": 8 }));
        assert_eq!((&both["max_tokens"], &both["max_completion_tokens"]), (&json!(9), &json!(8)), "not ours to judge");
    }

    #[test]
    fn another_model_may_be_sent_and_is_the_one_that_counts() {
        let Value::Object(asked) = json!({ "model": "fast", "max_tokens": 9 }) else { unreachable!() };
        let (body, _) = for_chat(asked.into(), "o3-mini");
        assert_eq!((body.get("model"), body.get("max_completion_tokens")), (Some(r#""o3-mini""#), Some("9")));
    }
    #[test]
    fn a_backend_of_responses_gets_what_was_said_in_its_own_words_and_else_a_translation() {
        let mut asked = BackendRequest::new("fast", &[message("user", "hi")]);
        let (translated, streams) = for_backend(Api::Responses, &asked, "").expect("a body");
        assert!(streams && translated.get("messages").is_none() && translated.says("input"));
        let own = r#"{"model":"fast","input":"hi","x":1.0,"stream":true}"#;
        asked.as_response = Some(Body::parse(&own.into()).expect("a body"));
        let (body, _) = for_backend(Api::Responses, &asked, "").expect("a body");
        assert_eq!(body.to_string(), own);
        let (chat, _) = for_backend(Api::ChatCompletions, &asked, "o3").expect("a body");
        assert!(chat.says("messages") && chat.text("model").as_deref() == Some("o3"));
        let (renamed, _) = for_backend(Api::Responses, &asked, "gpt-5").expect("a body");
        assert_eq!(renamed.text("model").as_deref(), Some("gpt-5"));
    }
}

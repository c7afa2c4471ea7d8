//! What a response says of the request that it answers.

use serde::Serialize;

use crate::dialects::Json;
use crate::openai::Body;

/// The fields of a request that its response repeats, as they came; what was not said is as the API's defaults have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub struct Echo {
    pub background: Json,
    pub instructions: Json,
    pub max_output_tokens: Json,
    pub metadata: Json,
    pub parallel_tool_calls: Json,
    pub previous_response_id: Json,
    pub reasoning: Json,
    pub store: Json,
    pub temperature: Json,
    pub text: Json,
    pub tool_choice: Json,
    pub tools: Json,
    pub top_p: Json,
    pub truncation: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tool_calls: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Json>,
}

impl Echo {
    /// That of a request.
    pub fn of(request: &Body) -> Self {
        let said = |name: &str| request.get(name).filter(|value| *value != "null").and_then(Json::read);
        let or = |name: &str, default: &'static str| said(name).unwrap_or_else(|| Json::known(default));
        Self {
            background: or("background", "false"),
            instructions: or("instructions", "null"),
            max_output_tokens: or("max_output_tokens", "null"),
            metadata: or("metadata", "{}"),
            parallel_tool_calls: or("parallel_tool_calls", "true"),
            previous_response_id: or("previous_response_id", "null"),
            reasoning: or("reasoning", r#"{"effort":null,"summary":null}"#),
            store: or("store", "true"),
            temperature: or("temperature", "null"),
            text: or("text", r#"{"format":{"type":"text"}}"#),
            tool_choice: or("tool_choice", r#""auto""#),
            tools: or("tools", "[]"),
            top_p: or("top_p", "null"),
            truncation: or("truncation", r#""disabled""#),
            max_tool_calls: said("max_tool_calls"),
            prompt_cache_key: said("prompt_cache_key"),
            safety_identifier: said("safety_identifier"),
            service_tier: said("service_tier"),
            top_logprobs: said("top_logprobs"),
            user: said("user"),
        }
    }

    /// Whether it runs in the background.
    pub fn is_background(&self) -> bool {
        self.background.as_str() == "true"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_was_asked_is_repeated_as_it_came_and_the_rest_is_as_usual() {
        let asked = r#"{"model":"m","input":"secret","tools":[{"type":"function", "name":"f"}],"temperature":0.50,"metadata":null,"user":"u"}"#;
        let echo = Echo::of(&Body::parse(&asked.into()).expect("a body"));
        let written = serde_json::to_string(&echo).expect("JSON");
        assert!(written.contains(r#""tools":[{"type":"function", "name":"f"}]"#), "{written}");
        assert!(written.contains(r#""temperature":0.50"#) && !written.contains("secret"), "{written}");
        let read: Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!((&read["metadata"], &read["store"], &read["user"]), (&json!({}), &json!(true), &json!("u")));
        assert_eq!(read.get("service_tier"), None);
        assert!(!echo.is_background());
    }
}

//! A request for a text completion, as the request for a chat completion that asks the same. Pure.

use bytes::Bytes;

use super::TextForm;
use crate::openai::error::ErrorObject;
use crate::openai::question::{missing, read_model, read_object, wrong_type};
use crate::openai::request::message;
use crate::openai::{Body, Question, each_element};

/// The request.
#[derive(Debug)]
pub struct TextQuestion {
    /// What is asked of a chat.
    pub question: Question,
    /// How the answer is told.
    pub form: TextForm,
}

impl TextQuestion {
    /// Takes a body apart. Its prompt becomes the one message of a user, so that it is the same question as that chat; all that chats know too
    /// stays as it came.
    ///
    /// # Errors
    /// It is no request for a text completion, or asks what cannot be asked of a chat.
    pub fn read(bytes: Bytes) -> Result<Self, ErrorObject> {
        let mut body = read_object(bytes)?;
        read_model(&body)?;
        let prompt = prompt(&body)?;
        let count = |name: &str| body.get(name).and_then(|count| count.parse::<u64>().ok());
        let choices = count("n").unwrap_or(1).max(1);
        if body.says("best_of") && count("best_of").is_none_or(|best_of| best_of > choices) {
            return Err(unsupported("best_of", "more answers than `n` cannot be asked for"));
        }
        if body.get("suffix").is_some_and(|suffix| !matches!(suffix, "null" | r#""""#)) {
            return Err(unsupported("suffix", "a chat model cannot fill in a gap"));
        }
        if body.get("logprobs").is_some_and(|logprobs| !matches!(logprobs, "null" | "false")) {
            return Err(unsupported("logprobs", "ask for a chat completion"));
        }
        let echoes = match body.get("echo") {
            None | Some("null" | "false") => false,
            Some("true") => true,
            Some(_) => return Err(wrong_type("echo", "a boolean")),
        };
        for name in ["best_of", "suffix", "logprobs", "echo", "messages"] {
            body.remove(name);
        }
        body.rename("prompt", "messages");
        body.set_text("messages", format!("[{}]", message("user", &prompt)));
        let form = TextForm { echo: echoes.then(|| prompt.into()), choices };
        Ok(Self { question: Question::of(body)?, form })
    }
}

/// The prompt: a text, also as the only one of a list.
fn prompt(body: &Body) -> Result<String, ErrorObject> {
    if !body.says("prompt") {
        return Err(missing("prompt"));
    }
    if let Some(text) = body.text("prompt") {
        return Ok(text);
    }
    let mut all = Vec::new();
    each_element(body.get("prompt").unwrap_or_default(), |element| all.push(element));
    match all.as_slice() {
        [text] if text.starts_with('"') => serde_json::from_str(text).map_err(|_| wrong_type("prompt", "a string")),
        [_, _, ..] if all.iter().all(|element| element.starts_with('"')) => {
            Err(unsupported("prompt", "send a request for each of several prompts"))
        }
        [first, ..] if first.starts_with(|c: char| c == '[' || c.is_ascii_digit()) => {
            Err(unsupported("prompt", "a chat model takes text, not tokens"))
        }
        _ => Err(wrong_type("prompt", "a string, or an array of one string")),
    }
}

fn unsupported(param: &str, why: &str) -> ErrorObject {
    let message = format!("Unsupported value: '{param}' is not supported with this value here: {why}.");
    ErrorObject::invalid(&message).about(param).called("unsupported_value")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: Value) -> Result<TextQuestion, ErrorObject> {
        TextQuestion::read(Bytes::from(body.to_string()))
    }

    #[test]
    fn a_prompt_is_the_question_of_a_chat() {
        for prompt in [json!("Hi \"you\""), json!(["Hi \"you\""])] {
            let asked = json!({"model": "m", "prompt": prompt, "max_tokens": 9, "stop": ["."], "n": 2, "best_of": 2,
                "suffix": "", "logprobs": null, "echo": false, "x_new": {"a": 1.5}});
            let TextQuestion { question, form } = read(asked).unwrap();
            let sent: Value = serde_json::from_str(&question.body.to_string()).unwrap();
            let chat = json!({"model": "m", "messages": [{"role": "user", "content": "Hi \"you\""}], "max_tokens": 9,
                "stop": ["."], "n": 2, "x_new": {"a": 1.5}, "stream": false});
            assert_eq!(sent, chat);
            assert_eq!(form, TextForm { echo: None, choices: 2 });
        }
        let echoing = read(json!({"model": "m", "prompt": "Hi", "echo": true, "stream": true})).unwrap();
        assert!(echoing.question.streams && echoing.form.echo.as_deref() == Some("Hi"));
    }

    #[test]
    fn what_no_chat_can_do_is_named() {
        for (field, value) in [
            ("prompt", json!(null)),
            ("prompt", json!(7)),
            ("prompt", json!([])),
            ("prompt", json!(["a", "b"])),
            ("prompt", json!([1, 2])),
            ("prompt", json!([[1, 2]])),
            ("prompt", json!([null])),
            ("suffix", json!("end")),
            ("best_of", json!(2)),
            ("best_of", json!("2")),
            ("logprobs", json!(0)),
            ("logprobs", json!(5)),
            ("echo", json!("yes")),
            ("model", json!(null)),
            ("stream", json!("yes")),
            ("stream_options", json!(7)),
        ] {
            let mut body = json!({"model": "m", "prompt": "Hi", "stream": true});
            body[field] = value.clone();
            assert_eq!(read(body).unwrap_err().body()["error"]["param"], field, "{value}");
        }
    }
}

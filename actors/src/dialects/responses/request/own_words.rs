//! A request for a response for a backend that speaks Responses itself.

use crate::dialects::responses::Items;
use crate::openai::Body;

/// What is ours to do: what was said before is kept here, and here it runs on.
const OURS: [&str; 2] = ["background", "previous_response_id"];

/// The request as it came, with all of its conversation in it and its answer as events.
pub fn in_own_words(request: &Body, conversation: &Items) -> Body {
    let mut body = request.clone();
    OURS.iter().for_each(|name| _ = body.remove(name));
    let is_all = conversation.iter().count() == 1 && body.get("input").is_some_and(|input| input.starts_with('"'));
    if !is_all {
        body.set_text("input", conversation.for_backend());
    }
    body.set("stream", &true.into());
    body
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent(asked: &Value, before: &Value) -> Value {
        let body = Body::parse(&asked.to_string().into()).expect("a body");
        let mut conversation = Items::read(&before.to_string());
        conversation.extend(Items::of_input(&body, "a").expect("items"));
        serde_json::from_str(&in_own_words(&body, &conversation).to_string()).expect("JSON")
    }

    #[test]
    fn all_that_was_said_stays_but_what_is_done_here() {
        let asked = json!({"model": "m", "input": "hi", "tools": [{"type": "file_search"}], "include": ["x"], "metadata": {"a": "b"},
            "store": false, "background": true, "stream": false, "x_new": [1]});
        let mut expected = asked.clone();
        expected.as_object_mut().expect("an object").remove("background");
        expected["stream"] = json!(true);
        assert_eq!(sent(&asked, &json!([])), expected);
    }

    #[test]
    fn what_was_said_before_comes_first() {
        let before =
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]});
        let asked = json!({"model": "m", "input": "and?", "previous_response_id": "resp_a"});
        let now = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and?"}]});
        let sent = sent(&asked, &json!([before]));
        assert_eq!(sent, json!({"model": "m", "input": [before, now], "stream": true}));
    }
}

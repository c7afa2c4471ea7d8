//! Errors as backends write them: what they say, in whichever shape. Pure.

use serde_json::{Map, Value};

/// An error that a backend reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportedError {
    /// `type`, such as `invalid_request_error`; empty if it does not say.
    pub kind: String,
    /// `code`, such as `insufficient_quota`, or a number as text; empty if it does not say.
    pub code: String,
    /// The words.
    pub message: String,
    /// The error object as it came, if it has OpenAI's shape; else null.
    pub object: Value,
    /// The beginning of the response that it came in, for the log.
    pub beginning: Box<str>,
}

/// Where the words may stand beside OpenAI's `error`: FastAPI, Azure, AWS, Cloudflare, gateways.
const WORDS: [&str; 10] = [
    "detail",
    "message",
    "Message",
    "msg",
    "error_message",
    "errorMessage",
    "error_msg",
    "error_description",
    "title",
    "faultstring",
];
/// Where objects with words may stand.
const WITHIN: [&str; 3] = ["errors", "detail", "fault"];
/// Objects in objects are looked into so far.
const DEPTH: usize = 4;

impl ReportedError {
    /// The error that an object bears as `error`, `{"error":{"message","type","code"}}` or `{"error":"text"}`, or a list of such.
    pub fn find(body: &Value) -> Option<Self> {
        match body {
            Value::Array(all) => all.iter().take(1).find_map(Self::find),
            body => {
                let error = body.get("error")?;
                let object = if error.is_object() { error.clone() } else { Value::Null };
                Self::of(error, DEPTH).map(|found| Self { object, ..found })
            }
        }
    }

    /// The error that stands where a piece of an answer should: as [`Self::find`], and what has words and no choices.
    pub fn in_stream(body: &Value) -> Option<Self> {
        let found = Self::find(body);
        if found.is_some() || !body.is_object() {
            return found;
        }
        let object = body.get("object").and_then(Value::as_str).unwrap_or_default();
        let answers = body.get("choices").is_some_and(|choices| !choices.is_null()) || object.starts_with("chat.");
        if answers { None } else { Self::in_words(body) }
    }

    /// What a body says in any shape that we know, if it says anything.
    pub fn in_words(body: &Value) -> Option<Self> {
        let says = |error: &Self| !error.message.is_empty();
        let found = Self::find(body);
        if found.as_ref().is_some_and(says) {
            return found;
        }
        let mut bare = Self::of(body, DEPTH).filter(says);
        if let (Some(error), Value::Object(fields)) = (&mut bare, body)
            && fields.get("object").is_some_and(|object| object == "error")
        {
            // OpenAI's object without its wrapping, as vLLM and Mistral send it.
            let rest = fields.iter().filter(|(name, _)| *name != "object");
            error.object = rest.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into();
        }
        bare.or(found)
    }

    /// Whether it names this field of the request as the one that it is about.
    pub fn names(&self, field: &str) -> bool {
        let param = self.object.get("param").and_then(Value::as_str).unwrap_or_default();
        self.message.contains(field) || param.contains(field)
    }

    fn of(error: &Value, depth: usize) -> Option<Self> {
        match error {
            Value::String(text) => (!text.is_empty()).then(|| Self { message: text.clone(), ..Self::default() }),
            Value::Array(all) => {
                let each: Vec<String> = all.iter().filter_map(|one| complaint(one, depth)).take(8).collect();
                (!each.is_empty()).then(|| Self { message: each.join("; "), ..Self::default() })
            }
            Value::Object(fields) => Some(Self::of_object(fields, depth)),
            _ => None,
        }
    }

    fn of_object(fields: &Map<String, Value>, depth: usize) -> Self {
        let field = |name: &str| fields.get(name).map(text).unwrap_or_default();
        let mut found = Self { kind: field("type"), code: field("code"), ..Self::default() };
        let said = WORDS.iter().map(|name| field(name)).find(|words| !words.is_empty());
        match said {
            Some(words) => found.message = words,
            None if depth > 0 => {
                let within = WITHIN.iter().chain(&["error"]).filter_map(|name| fields.get(*name));
                let inner = within.filter_map(|value| Self::of(value, depth - 1)).find(|it| !it.message.is_empty());
                if let Some(inner) = inner {
                    let first = |one: &str, other: String| if one.is_empty() { other } else { one.to_owned() };
                    found = Self {
                        kind: first(&found.kind, inner.kind),
                        code: first(&found.code, inner.code),
                        message: inner.message,
                        ..found
                    };
                }
            }
            None => {}
        }
        found
    }
}

/// One of several complaints: FastAPI says where (`loc`) and what (`msg`).
fn complaint(one: &Value, depth: usize) -> Option<String> {
    let inner = if depth > 0 { ReportedError::of(one, depth - 1) } else { None };
    let words = inner.map(|error| error.message).filter(|words| !words.is_empty())?;
    let place: Vec<String> = one.get("loc").and_then(Value::as_array).into_iter().flatten().map(text).collect();
    Some(if place.is_empty() { words } else { format!("{}: {words}", place.join(".")) })
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_are_found_in_every_shape() {
        for body in [
            json!({ "error": { "message": "no" } }),
            json!({ "error": "no" }),
            json!([{ "error": { "code": 400, "message": "no", "status": "INVALID_ARGUMENT" } }]),
            json!({ "object": "error", "message": "no", "type": "BadRequestError", "param": null, "code": 400 }),
            json!({ "detail": "no" }),
            json!({ "detail": { "message": "no" } }),
            json!({ "detail": { "error": { "message": "no" } } }),
            json!({ "message": "no" }),
            json!({ "Message": "no" }),
            json!({ "errors": [{ "code": 7003, "message": "no" }], "success": false }),
            json!({ "errors": ["no"] }),
            json!({ "type": "about:blank", "title": "no", "status": 400 }),
            json!({ "fault": { "faultstring": "no" } }),
            json!({ "error": { "error": { "message": "no" } } }),
            json!("no"),
        ] {
            assert_eq!(ReportedError::in_words(&body).expect("words").message, "no", "{body}");
        }
        for body in [json!({}), json!([]), json!(7), json!({ "detail": [] }), json!({ "message": { "content": "x" } })]
        {
            assert_eq!(ReportedError::in_words(&body), None, "{body}");
        }
    }

    #[test]
    fn fastapi_says_where_it_hurts_and_nothing_of_what_was_sent_is_repeated() {
        let body = json!({ "detail": [
            { "type": "missing", "loc": ["body", "model"], "msg": "Field required", "input": { "messages": ["secret"] } },
            { "type": "x", "loc": ["body", "messages", 0], "msg": "bad" },
        ] });
        let found = ReportedError::in_words(&body).expect("words");
        assert_eq!(found.message, "body.model: Field required; body.messages.0: bad");
        assert!(found.object.is_null(), "not OpenAI's shape");
    }

    #[test]
    fn openais_shape_is_known_with_and_without_its_wrapping() {
        let bare = json!({ "object": "error", "message": "no", "type": "NotFoundError", "code": 404 });
        let found = ReportedError::in_words(&bare).expect("words");
        assert_eq!((&*found.kind, &*found.code), ("NotFoundError", "404"));
        assert_eq!(found.object, json!({ "message": "no", "type": "NotFoundError", "code": 404 }));
        assert!(ReportedError::in_words(&json!({ "error": "no" })).expect("words").object.is_null());
    }
}

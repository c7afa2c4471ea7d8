//! A backend's own words about a request that it refused, for callers who speak its protocol. Only what is about the request: what
//! concerns the account, or how this service is run, is nobody's business.

use serde_json::{Map, Value, json};
use sophie_actors::backend::BackendRefusal;
use sophie_actors::openai::error::{ErrorObject, FIELDS, INVALID_REQUEST, Meaning, RATE_LIMIT, ReportedError};

use super::secrets::Secrets;
use super::words::words;

/// The most that any text in it may have, in characters.
const TEXT_CHARS: usize = 2_000;
/// The most bytes of it as JSON. A larger one is cut down to its four usual fields.
const MOST_BYTES: usize = 16 * 1024;
/// The code of a limit that is the backend's, not one of this service.
const BACKEND_LIMIT: &str = "backend_rate_limited";

/// The refusal to show, if it is one about the request. `status` is that of the response; an error inside a stream has none.
pub fn of(status: Option<u16>, meaning: Meaning, error: &ReportedError, secrets: &Secrets) -> Option<BackendRefusal> {
    let told = status
        .or_else(|| error.code.parse().ok())
        .filter(|status| matches!(status, 400 | 404 | 406 | 410..=426 | 431 | 451));
    let status = match meaning {
        Meaning::NoModel => 404,
        Meaning::Limited => 429,
        Meaning::Filtered | Meaning::TooLong => told.unwrap_or(400),
        Meaning::Rejected if status.is_some() => told?,
        Meaning::Rejected => told.unwrap_or(400),
        _ => return None,
    };
    let mut object = match clean(&error.object, secrets) {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    if json!(object).to_string().len() > MOST_BYTES {
        object.retain(|name, value| FIELDS.contains(&name.as_str()) && !value.is_object());
    }
    let message = match error.message.as_str() {
        "" => words(meaning).1.to_owned(),
        message => text(message, secrets),
    };
    let error = match meaning {
        // Not one of ours: who asks for less here is not helped.
        Meaning::Limited => ErrorObject::from_fields(object, RATE_LIMIT, &message).called(BACKEND_LIMIT),
        _ => ErrorObject::from_fields(object, INVALID_REQUEST, &message),
    };
    Some(BackendRefusal { status, error })
}

/// What is said where the model's backend knows nothing of embeddings.
pub const NO_EMBEDDINGS: &str = "The AI service of this model does not offer embeddings.";

/// That, for who speaks its protocol.
pub fn no_embeddings() -> BackendRefusal {
    let error = ErrorObject::new(INVALID_REQUEST, Some("embeddings_not_offered"), NO_EMBEDDINGS).about("model");
    BackendRefusal { status: 404, error }
}

/// What is said while every backend is left out because it has too many requests.
pub fn limited() -> BackendRefusal {
    let message = words(Meaning::Limited).1;
    BackendRefusal { status: 429, error: ErrorObject::new(RATE_LIMIT, Some(BACKEND_LIMIT), message) }
}

/// What is said where no backend has the model at all, as OpenAI says it.
pub fn no_such_model(model: &str) -> BackendRefusal {
    let shown: String = model.chars().take(200).collect();
    let message = format!("The model `{shown}` does not exist");
    BackendRefusal { status: 404, error: ErrorObject::new(INVALID_REQUEST, Some("model_not_found"), &message) }
}

fn clean(value: &Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(said) => text(said, secrets).into(),
        Value::Array(values) => values.iter().map(|value| clean(value, secrets)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (text(key, secrets), clean(value, secrets))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn text(said: &str, secrets: &Secrets) -> String {
    secrets.hide_all(said).chars().take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::upstream::BackendKey;
    use crate::upstream::fault::Fault;

    fn refusal(status: Option<u16>, error: Value) -> Option<BackendRefusal> {
        let error = ReportedError::find(&json!({ "error": error })).unwrap_or_default();
        let fault = status.map_or_else(|| Fault::Reported(error.clone()), |it| Fault::Status(it, error.clone()));
        let key = BackendKey::new("hunter2");
        let secrets = Secrets::of(&Url::parse("http://llm.internal:8000/v1").unwrap(), key.as_ref(), []);
        fault.for_caller(None, &secrets).refusal
    }

    #[test]
    fn a_refused_request_gets_the_backends_words_without_what_is_internal() {
        let error = json!({
            "message": "bad hunter2 at http://llm.internal:8000", "type": "invalid_request_error", "param": "n",
            "innererror": { "hunter2": ["hunter2", 1] },
        });
        let told = refusal(Some(422), error).expect("a refusal");
        assert_eq!(told.status, 422);
        assert_eq!(
            json!(told.error),
            json!({
                "message": "bad [key] at http://[address]", "type": "invalid_request_error", "param": "n",
                "code": null, "innererror": { "[key]": ["[key]", 1] },
            })
        );
        assert_eq!(refusal(Some(400), json!("plain words")).expect("one").error["message"], "plain words");
        assert!(refusal(Some(413), json!(null)).expect("one").error["message"].is_string(), "a body without words");
        let long = json!({ "message": "m".repeat(5_000), "x": vec!["y".repeat(1_900); 20] });
        let told = refusal(Some(400), long).expect("one").error;
        assert!(told["message"].as_str().is_some_and(|it| it.len() == TEXT_CHARS) && told["x"].is_null());
    }

    #[test]
    fn inside_a_stream_the_code_says_which_status_it_would_have_been() {
        assert_eq!(refusal(None, json!({ "code": "content_filter" })).map(|it| it.status), Some(400));
        assert_eq!(refusal(None, json!({ "code": "model_not_found" })).map(|it| it.status), Some(404));
        assert_eq!(refusal(None, json!({ "code": 422, "type": "BadRequestError" })).map(|it| it.status), Some(422));
        assert_eq!(refusal(None, json!({ "message": "down", "type": "server_error" })), None);
    }

    #[test]
    fn what_is_not_about_the_request_is_not_told() {
        for (status, code) in
            [(401, ""), (403, ""), (429, "insufficient_quota"), (400, "invalid_api_key"), (500, ""), (405, "")]
        {
            assert_eq!(refusal(Some(status), json!({ "message": "m", "code": code })), None, "{status} {code}");
        }
    }

    #[test]
    fn a_backends_limit_is_told_as_the_backends() {
        let told = refusal(
            Some(429),
            json!({ "message": "slow down, org-abc", "type": "tokens", "code": "rate_limit_exceeded" }),
        );
        let told = told.expect("a refusal");
        assert_eq!(told.status, 429);
        assert_eq!(
            json!(told.error),
            json!({ "message": "slow down, [account]", "type": "tokens", "param": null, "code": "backend_rate_limited" })
        );
        assert_eq!(refusal(None, json!({ "message": "slow", "code": 429 })).map(|it| it.status), Some(429));
    }
}

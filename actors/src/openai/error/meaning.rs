//! What an error means, in the words of those who speak this protocol. Pure.

use super::ReportedError;
use super::response::is_page;

/// What a refusal by the backend means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The account is not usable.
    Account,
    /// Against its content rules.
    Filtered,
    /// More than the model can read.
    TooLong,
    /// It does not have the model.
    NoModel,
    /// Not a request that it takes.
    Rejected,
    /// It gave up waiting.
    Slow,
    /// Too many requests.
    Limited,
    /// It is not where it is looked for.
    Elsewhere,
    /// It has trouble of its own.
    Down,
}

impl Meaning {
    /// The codes and types are those of OpenAI, Azure, OpenRouter, vLLM and LiteLLM; they say more than the status.
    pub fn of(status: Option<u16>, error: &ReportedError) -> Self {
        for name in [error.code.as_str(), error.kind.as_str()] {
            match name {
                "insufficient_quota"
                | "billing_hard_limit_reached"
                | "billing_not_active"
                | "account_deactivated"
                | "invalid_api_key"
                | "authentication_error"
                | "permission_error" => return Self::Account,
                "content_filter" | "content_policy_violation" => return Self::Filtered,
                "context_length_exceeded" => return Self::TooLong,
                "model_not_found"
                | "model_not_available"
                | "invalid_model"
                | "DeploymentNotFound"
                | "ModelNotFoundError" => return Self::NoModel,
                _ => {}
            }
        }
        let status = status.or_else(|| error.code.parse().ok());
        if matches!(status, None | Some(400 | 404 | 422)) && lacks_model(error) {
            return Self::NoModel;
        }
        if is_elsewhere(status, error) {
            return Self::Elsewhere;
        }
        match (status, error.kind.as_str()) {
            (Some(401..=403), _) => Self::Account,
            (Some(408), _) => Self::Slow,
            (Some(429), _) | (None, "rate_limit_error" | "rate_limit_exceeded") => Self::Limited,
            (Some(409), _) => Self::Down,
            (Some(400..=499), _) | (None, "invalid_request_error" | "BadRequestError") => Self::Rejected,
            _ => Self::Down,
        }
    }
}

/// Whether an error says that there is no such model.
fn lacks_model(error: &ReportedError) -> bool {
    let message = error.message.to_ascii_lowercase();
    let named =
        [&error.kind, &error.code].iter().any(|name| matches!(name.as_str(), "not_found_error" | "NotFoundError"));
    if named && !is_nothing_here(&message) {
        return true;
    }
    // "The model `x` does not exist", "model 'x' not found", "models/x is not found", "x is not a valid model ID".
    let after = message.find("model").map(|at| &message[at..]);
    let missing =
        ["not found", "not exist", "n't exist", "unknown model", "no such model", "not supported by any provider"];
    after.is_some_and(|after| {
        let sentence = after.split(". ").next().unwrap_or_default();
        missing.iter().any(|words| sentence.contains(words))
    }) || ["no such model", "unknown model", "not a valid model", "invalid model name"]
        .iter()
        .any(|it| message.contains(it))
}

/// Whether an error says that there is nothing at this path at all.
fn is_nothing_here(message: &str) -> bool {
    let message = message.trim().trim_end_matches('.').to_ascii_lowercase();
    let bare = [
        "",
        "not found",
        "file not found",
        "page not found",
        "resource not found",
        "404 not found",
        "404 page not found",
    ];
    bare.contains(&message.as_str()) || message.starts_with("invalid url") || message.starts_with("unknown request url")
}

/// Whether whoever answered is not the service that was meant: a wrong path, a web server, a proxy.
fn is_elsewhere(status: Option<u16>, error: &ReportedError) -> bool {
    if error.code == "unknown_url" {
        return true;
    }
    match status {
        Some(300..=399 | 405) => true,
        Some(404) => !error.object.is_object() || is_nothing_here(&error.message),
        // These say by themselves what is the matter, also as a page.
        Some(401 | 402 | 407 | 408 | 413 | 429 | 500..) | None => false,
        Some(_) => is_page(&error.beginning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, body: &str) -> Meaning {
        Meaning::of(Some(status), &ReportedError::in_response(body.as_bytes()))
    }

    #[test]
    fn who_answers_in_another_way_is_not_the_service_that_was_meant() {
        let page = "<html><head><title>Welcome</title></head></html>";
        for (status, body) in [
            (404, r#"{"detail":"Not Found"}"#),
            (404, "404 page not found"),
            (404, page),
            (404, ""),
            (404, r#"{"message":"no Route matched with those values"}"#),
            (404, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#),
            (404, r#"{"error":{"code":"404","message":"Resource not found"}}"#),
            (404, r#"{"error":{"message":"Invalid URL (POST /chat/completions)","type":"invalid_request_error"}}"#),
            (405, r#"{"detail":"Method Not Allowed"}"#),
            (301, ""),
            (308, page),
            (200, page),
            (400, page),
            (403, page),
        ] {
            assert_eq!(meaning(status, body), Meaning::Elsewhere, "{status} {body}");
        }
        for (status, body) in
            [(401, page), (413, page), (429, page), (502, page), (404, r#"{"error":{"message":"no"}}"#)]
        {
            assert_ne!(meaning(status, body), Meaning::Elsewhere, "{status} {body}");
        }
    }

    #[test]
    fn a_model_that_is_missing_is_known_by_many_words() {
        for (status, body) in [
            (404, r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#),
            (404, r#"{"error":"model 'x' not found"}"#),
            (404, r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#),
            (404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#),
            (
                404,
                r#"[{"error":{"code":404,"message":"models/x is not found for API version v1","status":"NOT_FOUND"}}]"#,
            ),
            (404, r#"{"detail":"Model x not found"}"#),
            (400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#),
            (400, r#"{"error":{"message":"x is not a valid model ID","code":400}}"#),
            (400, r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#),
        ] {
            assert_eq!(meaning(status, body), Meaning::NoModel, "{body}");
        }
        for message in
            ["This model's maximum context length is 4096 tokens", "The tool was not found", "bad model parameter"]
        {
            let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
            assert_eq!(meaning(400, &body), Meaning::Rejected, "{message}");
        }
    }
}

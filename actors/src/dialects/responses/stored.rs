//! What is kept of a request beside its response: what the response repeats of it, its items, and those of the conversation before. Pure.

use super::{Echo, Items};
use crate::openai::Body;

/// Holds the items of the conversation before. No API has a field of this name, and every request that is kept has it.
const BEFORE: &str = "sophie.before";

/// A request that is kept.
#[derive(Debug, Clone)]
pub struct StoredRequest(Body);

impl StoredRequest {
    /// That of a request with these items, in a conversation that has said these before.
    pub fn new(request: &Body, input: &Items, before: &Items) -> Self {
        // Nothing else of it is asked for later.
        let echo = serde_json::to_string(&Echo::of(request)).unwrap_or_default();
        let mut body = Body::parse(&echo.into()).unwrap_or_default();
        body.set_text("input", input.json());
        body.set_text(BEFORE, before.json());
        Self(body)
    }

    /// One as [`Self::text`] writes it. `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        Body::parse(&text.into()).ok().filter(|body| body.get(BEFORE).is_some()).map(Self)
    }

    /// It as a text.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// What its response repeats.
    pub fn echo(&self) -> Echo {
        Echo::of(&self.0)
    }

    /// Its own items behind those of the conversation before.
    pub fn items(&self) -> Items {
        let of = |name| Items::read(self.0.get(name).unwrap_or_default());
        let mut items = of(BEFORE);
        items.extend(of("input"));
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_kept_with_its_conversation_and_repeated_as_it_came() {
        let asked = r#"{"model":"m","input":"hi","temperature":0.50,"stream":true,"store":true,"metadata":{"k":"v"}}"#;
        let request = Body::parse(&asked.into()).expect("a body");
        let input = Items::of_input(&request, "a").expect("items");
        let before = Items::read(r#"[{"id":"x"}]"#);
        let stored = StoredRequest::read(&StoredRequest::new(&request, &input, &before).text()).expect("kept");
        assert_eq!(stored.echo(), Echo::of(&request));
        let mut all = before;
        all.extend(input);
        assert_eq!(stored.items(), all);
        assert!(!stored.text().contains("stream"), "{}", stored.text());
        assert!(stored.text().contains(r#""temperature":0.50"#), "{}", stored.text());
        let many: Vec<String> = (0..999).map(|at| format!(r#""x{at}":0"#)).collect();
        let many = Body::parse(&format!(r#"{{"input":"hi",{}}}"#, many.join(",")).into()).expect("as many as may be");
        assert!(StoredRequest::read(&StoredRequest::new(&many, &all, &all).text()).is_some());
        assert!(StoredRequest::read("{}").is_none() && StoredRequest::read(asked).is_none());
    }
}

//! What is kept of a request beside its response: what the response repeats of it, its items, and those of the conversation before. Pure.

use super::{Echo, Items};
use crate::openai::Body;

/// Holds the items of the conversation before. No API has a field of this name, and every request that is kept has it.
const BEFORE: &str = "sophie.before";
/// What is about the way of the answer to its caller, and nothing that anybody asks later.
const NOT_KEPT: [&str; 3] = ["stream", "include", "client_metadata"];

/// A request that is kept.
#[derive(Debug, Clone)]
pub struct StoredRequest(Body);

impl StoredRequest {
    /// That of a request with these items, in a conversation that has said these before.
    pub fn new(request: &Body, input: &Items, before: &Items) -> Self {
        let mut body = request.clone();
        NOT_KEPT.iter().for_each(|name| _ = body.remove(name));
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
        assert!(StoredRequest::read("{}").is_none() && StoredRequest::read(asked).is_none());
    }
}

//! Which models a request names beside its own: many a server behind us is a router that takes lists of them, and asks another one when
//! the first fails. So a caller who may ask some models alone may name no others anywhere. Pure.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Body;

/// Fields of what is said, not of who is to answer: any word may be in them.
const CONTENT: [&str; 10] = [
    "messages",
    "functions",
    "response_format",
    "metadata",
    "prediction",
    "stop",
    "logit_bias",
    "tool_choice",
    "function_call",
    "audio",
];
/// The same inside of other fields: schemas of tools, messages for another model.
const CONTENT_INSIDE: [&str; 8] =
    ["messages", "content", "function", "custom", "parameters", "input_schema", "schema", "response_format"];
/// How the names of fields end that name models: `model`, `models`, `fallbacks`, `context_window_fallbacks`, `allowed_models` and so on.
const ENDINGS: [&str; 7] = ["MODEL", "MODELS", "MODELNAME", "MODELID", "MODELLIST", "FALLBACK", "FALLBACKS"];

/// The first field of a body that names a model which may not be asked, and that model.
pub fn forbidden(body: &Body, may_use: &dyn Fn(&str) -> bool) -> Option<(String, String)> {
    body.iter().filter(|(field, _)| !CONTENT.contains(field)).find_map(|(field, value)| {
        let look = Look { may_use, place: if names_models(field) { Place::Models } else { Place::Elsewhere } };
        let model = match serde_json::Deserializer::from_str(value).deserialize_any(look) {
            Ok(found) => found.sure,
            // A number without an end, half a letter: what we cannot read another may.
            Err(_) => Some("?".to_owned()),
        };
        model.map(|model| (field.to_owned(), model))
    })
}

/// Whether a field of this name names models, as the most careless of readers would take it: some tell neither case nor `_` from `-`.
fn names_models(field: &str) -> bool {
    // The long s and the sign of Kelvin are letters to those who fold.
    let folded: String = field.to_lowercase().to_uppercase().chars().filter(|letter| letter.is_alphabetic()).collect();
    ENDINGS.iter().any(|ending| folded.ends_with(ending))
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Texts here are models' names.
    Models,
    /// They are, if the object around them says nothing else of its model.
    Perhaps,
    /// They are not.
    Elsewhere,
}

/// Models that may not be asked.
#[derive(Default)]
struct Found {
    sure: Option<String>,
    perhaps: Option<String>,
}

impl Found {
    fn add(&mut self, more: Self) {
        self.sure = self.sure.take().or(more.sure);
        self.perhaps = self.perhaps.take().or(more.perhaps);
    }
}

/// Looks through one value for the name of a model that may not be asked, in one pass, keeping nothing else.
#[derive(Clone, Copy)]
struct Look<'a> {
    may_use: &'a dyn Fn(&str) -> bool,
    place: Place,
}

impl Look<'_> {
    fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Found, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        // Some routers take several names with commas between them.
        let mut names = text.split(',').map(str::trim);
        let forbidden = names.find(|name| !name.is_empty() && !(self.may_use)(name)).map(str::to_owned);
        Ok(match self.place {
            Place::Models => Found { sure: forbidden, perhaps: None },
            Place::Perhaps => Found { sure: None, perhaps: forbidden },
            Place::Elsewhere => Found::default(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        while let Some(more) = list.next_element_seed(self)? {
            found.add(more);
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        // Among models an object is one with its settings, which has a field `model`, or says who stands in for whom:
        // `{"gpt-4o": ["o3"]}`.
        let inside = if self.place == Place::Elsewhere { Place::Elsewhere } else { Place::Perhaps };
        let (mut found, mut has_model) = (Found::default(), false);
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            if names_models(&field) {
                has_model = true;
                found.add(map.next_value_seed(self.at(Place::Models))?);
            } else if CONTENT_INSIDE.contains(&&*field) {
                map.next_value::<IgnoredAny>()?;
            } else {
                found.add(map.next_value_seed(self.at(inside))?);
            }
        }
        let perhaps = found.perhaps.take().filter(|_| !has_model);
        match self.place {
            Place::Models => found.sure = found.sure.or(perhaps),
            Place::Perhaps | Place::Elsewhere => found.perhaps = perhaps,
        }
        Ok(found)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Found, E> {
        Ok(Found::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Found, E> {
        Ok(Found::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Found, E> {
        Ok(Found::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Found, E> {
        Ok(Found::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(body: Value) -> Option<(String, String)> {
        let body = Body::parse(&body.to_string().into()).expect("a body");
        forbidden(&body, &|model| model.starts_with("gpt-4o"))
    }

    #[test]
    fn a_model_is_found_wherever_a_router_would_look_for_it() {
        for (field, value) in [
            ("model", json!("o3")),
            ("model", json!("gpt-4o-mini,o3")),
            ("models", json!(["gpt-4o", "o3"])),
            ("Models", json!(["o3"])),
            ("model\u{17f}", json!(["o3"])),
            ("fallbacks", json!(["o3"])),
            ("fallbacks", json!("o3")),
            ("fallbacks", json!([{"model": "gpt-4o"}, {"model": "o3", "messages": []}])),
            ("fallbacks", json!([{"gpt-4o": ["o3"]}])),
            ("context_window_fallbacks", json!([{"gpt-4o": ["gpt-4o-mini", "o3"]}])),
            ("extra_body", json!({"fallbacks": ["o3"]})),
            ("extra_body", json!({"a": [{"b": {"models": ["o3"]}}]})),
            ("route", json!({"models": ["o3"]})),
            ("plugins", json!([{"id": "auto-router", "allowed_models": ["o3"]}])),
            ("user_config", json!({"model_list": [{"model_name": "gpt-4o", "litellm_params": {"model": "o3"}}]})),
            ("tools", json!([{"type": "advisor", "model": "o3"}])),
            ("x", json!({"router-model": "o3"})),
        ] {
            let body = json!({"model": "gpt-4o-mini", "messages": [], field: value});
            assert_eq!(found(body.clone()), Some((field.to_owned(), "o3".to_owned())), "{body}");
        }
    }

    #[test]
    fn what_people_say_and_what_may_be_asked_is_no_matter() {
        for (field, value) in [
            ("messages", json!([{"role": "user", "content": "o3", "model": "o3"}])),
            ("models", json!(["gpt-4o", "gpt-4o-mini"])),
            ("models", json!(null)),
            ("fallbacks", json!([{"model": "gpt-4o", "temperature": 1, "stop": ["x"], "api_base": "http://x"}])),
            ("fallbacks", json!([{"o3": ["gpt-4o"]}])),
            (
                "tools",
                json!([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"model": {"enum": ["o3"]}}}}}]),
            ),
            ("response_format", json!({"json_schema": {"schema": {"model": "o3"}}})),
            ("metadata", json!({"model": "o3"})),
            ("user", json!("o3")),
            ("provider", json!({"order": ["azure"], "allow_fallbacks": true})),
            ("modalities", json!(["text"])),
        ] {
            let body = json!({"model": "gpt-4o-mini", field: value});
            assert_eq!(found(body.clone()), None, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_by() {
        for unreadable in [r#"["o3",1e999]"#, r#"["o3","\ud800"]"#] {
            let body = Body::parse(&format!(r#"{{"fallbacks":{unreadable}}}"#).into()).expect("a body");
            assert!(forbidden(&body, &|_| true).is_some(), "{unreadable}");
        }
    }

    #[test]
    fn of_a_name_that_comes_twice_both_count_inside_a_field() {
        let text = r#"{"model":"gpt-4o","fallbacks":[{"model":"o3","model":"gpt-4o"}]}"#;
        let body = Body::parse(&text.into()).expect("a body");
        assert!(forbidden(&body, &|model| model == "gpt-4o").is_some());
    }
}

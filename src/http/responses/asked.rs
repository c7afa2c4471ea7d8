//! A request for a response, taken apart as far as its way to the backend needs it.

use actix_web::web::Bytes;
use sophie_actors::dialects::BadRequest;
use sophie_actors::openai::error::ErrorObject;
use sophie_actors::openai::{Body, read_model, read_object};

/// The request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its body.
    pub body: Body,
    /// Whether it is to be answered by events.
    pub streams: bool,
    /// Whether it runs to its end whoever reads it.
    pub in_background: bool,
    /// Whether the response is kept.
    pub stores: bool,
}

impl Asked {
    /// Takes a body apart.
    ///
    /// # Errors
    /// It is no request for a response.
    pub fn read(bytes: Bytes) -> Result<Self, ErrorObject> {
        Self::of(read_object(bytes)?)
    }

    /// The same of one that was taken apart.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(body: Body) -> Result<Self, ErrorObject> {
        read_model(&body)?;
        let flag = |name: &str, default| match body.get(name) {
            None | Some("null") => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(BadRequest::expected(name, "a boolean")),
        };
        let (streams, in_background) = (flag("stream", false)?, flag("background", false)?);
        let stores = flag("store", true)?;
        if in_background && !stores {
            let what = "what runs in the background is stored: 'store' must not be false";
            return Err(BadRequest::new("background", what).into());
        }
        Ok(Self { body, streams, in_background, stores })
    }

    /// The model that it names.
    pub fn model(&self) -> String {
        self.body.text("model").unwrap_or_default()
    }

    /// The earlier response that it goes on from.
    ///
    /// # Errors
    /// It is no text.
    pub fn previous(&self) -> Result<Option<String>, BadRequest> {
        match (self.body.says("previous_response_id"), self.body.text("previous_response_id")) {
            (false, _) => Ok(None),
            (true, Some(id)) => Ok(Some(id)),
            (true, None) => Err(BadRequest::expected("previous_response_id", "a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Asked, ErrorObject> {
        Asked::read(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_response_is_whole_in_the_foreground_and_kept_unless_something_else_is_said() {
        let flags = |text| read(text).map(|it| (it.streams, it.in_background, it.stores)).expect("a request");
        assert_eq!(flags(r#"{"model":"m"}"#), (false, false, true));
        assert_eq!(flags(r#"{"model":"m","stream":null,"store":null,"background":null}"#), (false, false, true));
        assert_eq!(flags(r#"{"model":"m","stream":true,"background":true}"#), (true, true, true));
        assert_eq!(flags(r#"{"model":"m","store":false}"#), (false, false, false));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, field) in [
            ("{}", "model"),
            (r#"{"model":"m","stream":1}"#, "stream"),
            (r#"{"model":"m","store":"yes"}"#, "store"),
            (r#"{"model":"m","background":[]}"#, "background"),
            (r#"{"model":"m","background":true,"store":false}"#, "background"),
        ] {
            assert_eq!(read(text).expect_err("refused")["param"], field, "{text}");
        }
        assert!(read(r#"{"model":"m","previous_response_id":7}"#).expect("a request").previous().is_err());
    }
}

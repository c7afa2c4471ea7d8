//! What a client says. Pure.

use std::rc::Rc;

use actix_web::web::Bytes;
use sophie_actors::dialects::BadRequest;
use sophie_actors::openai::{Body, read_object};

use crate::http::gateway::GatewayError;
use crate::http::responses::{Asked, coded};

/// A lane, by the name that the client has given it; `None`: that of what names none.
pub(super) type LaneName = Option<Rc<str>>;

/// One frame.
pub(super) enum Frame {
    /// A response is wanted.
    Create(Box<Create>),
    /// A response under way is to be steered, which is not supported here.
    Steer(Body),
}

/// A response that is wanted.
pub(super) struct Create {
    pub(super) asked: Asked,
    /// It is to be answered. Otherwise it is only said, so that the next one can go on from it.
    pub(super) generates: bool,
    /// Bytes of its frame.
    pub(super) bytes: usize,
}

/// Why a frame is not understood, and whose lane it is in.
pub(super) type Refused = (LaneName, GatewayError);

impl Frame {
    /// Reads one.
    ///
    /// # Errors
    /// It is none of the protocol, or something of it is wrong.
    pub(super) fn read(text: &str) -> Result<(LaneName, Self), Refused> {
        let body = read_object(Bytes::copy_from_slice(text.as_bytes())).map_err(|bad| (None, bad.into()))?;
        match body.text("type").as_deref() {
            Some("response.create") => {}
            Some("response.steer") => return Ok((None, Self::Steer(body))),
            _ => {
                let bad = BadRequest::expected("type", "'response.create' or 'response.steer'");
                return Err((None, bad.into()));
            }
        }
        let lane = lane(&body).map_err(|refused| (None, refused))?;
        match create(body, text.len()) {
            Ok(create) => Ok((lane, Self::Create(Box::new(create)))),
            Err(refused) => Err((lane, refused)),
        }
    }
}

fn lane(body: &Body) -> Result<LaneName, GatewayError> {
    if !body.says("stream_id") {
        return Ok(None);
    }
    let is_legal = |name: &String| {
        (1..=256).contains(&name.len())
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.'))
    };
    let name = body.text("stream_id").filter(is_legal);
    name.map(|name| Some(name.into())).ok_or_else(|| {
        let message = "'stream_id' is 1 to 256 of A-Z a-z 0-9 _ - and the dot.";
        coded("invalid_stream_id", message).about("stream_id")
    })
}

fn create(mut body: Body, bytes: usize) -> Result<Create, GatewayError> {
    if body.get("background") == Some("true") {
        let what = "over a WebSocket nothing runs in the background; ask for it by POST /v1/responses";
        return Err(BadRequest::new("background", what).into());
    }
    let generates = match body.get("generate") {
        None | Some("null" | "true") => true,
        Some("false") => false,
        Some(_) => return Err(BadRequest::expected("generate", "a boolean").into()),
    };
    for name in ["type", "stream_id", "generate", "stream", "background"] {
        body.remove(name);
    }
    Ok(Create { asked: Asked::of(body)?, generates, bytes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(frame: Value) -> Result<(LaneName, Frame), Value> {
        Frame::read(&frame.to_string()).map_err(|(_, refused)| refused.body()["error"].clone())
    }

    fn create(frame: Value) -> (LaneName, Create) {
        match read(frame) {
            Ok((lane, Frame::Create(create))) => (lane, *create),
            _ => panic!("not a response that is wanted"),
        }
    }

    #[test]
    fn a_frame_is_the_body_of_a_request_and_says_where_it_belongs() {
        let (lane, asked) =
            create(json!({"type": "response.create", "model": "m", "input": "hi", "stream_id": "a.b-c_1",
            "stream": true, "background": false, "store": false}));
        assert_eq!(lane.as_deref(), Some("a.b-c_1"));
        assert!(asked.generates && !asked.asked.stores && !asked.asked.in_background);
        let body: Value = serde_json::from_str(&asked.asked.body.to_string()).expect("a body");
        assert_eq!(body, json!({"model": "m", "input": "hi", "store": false}));
        let (lane, asked) = create(json!({"type": "response.create", "model": "m", "generate": false}));
        assert_eq!((lane, asked.generates), (None, false));
        assert!(matches!(read(json!({"type": "response.steer"})), Ok((None, Frame::Steer(_)))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |name: &str, value: Value| {
            let mut frame = json!({"type": "response.create", "model": "m", "input": "hi"});
            frame[name] = value;
            frame
        };
        let long = "x".repeat(257);
        for (frame, param) in [
            (json!([]), Value::Null),
            (json!({}), "type".into()),
            (with("type", "session.update".into()), "type".into()),
            (with("model", Value::Null), "model".into()),
            (with("background", true.into()), "background".into()),
            (with("generate", "no".into()), "generate".into()),
            (with("stream_id", "".into()), "stream_id".into()),
            (with("stream_id", "a b".into()), "stream_id".into()),
            (with("stream_id", long.into()), "stream_id".into()),
            (with("stream_id", 7.into()), "stream_id".into()),
        ] {
            let refused = read(frame.clone()).err().unwrap_or_else(|| panic!("{frame} was taken"));
            assert_eq!(refused["param"], param, "{frame}");
        }
        assert_eq!(read(with("stream_id", "a b".into())).err().expect("refused")["code"], "invalid_stream_id");
    }
}

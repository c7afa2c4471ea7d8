//! What the server says: the events of responses, and errors. Pure.

use actix_web::ResponseError;
use serde::Serialize;
use serde_json::{Value, json};
use sophie_actors::dialects::responses::ResponseEvent;
use sophie_actors::openai::Body;

use super::frame::LaneName;
use crate::http::gateway::GatewayError;
use crate::http::responses::coded;

/// An event of a lane.
#[derive(Serialize)]
pub(super) struct InLane<'a> {
    #[serde(flatten)]
    pub(super) event: &'a ResponseEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream_id: Option<&'a str>,
}

/// An error of a lane.
pub(super) fn refused(lane: &LaneName, refused: &GatewayError) -> Value {
    let mut said = refused.body();
    said["type"] = "error".into();
    said["status"] = refused.status_code().as_u16().into();
    if let Some(lane) = lane {
        said["stream_id"] = (**lane).into();
    }
    said
}

/// What answers an attempt to steer: the input comes back, so that it can be asked with anew.
pub(super) fn not_steered(asked: &Body) -> Value {
    let field = |name: &str| asked.get(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let message = "Responses cannot be steered here; send the input with the next response.create.";
    json!({
        "type": "response.steer.failed",
        "sequence_number": 0,
        "error": coded("steering_not_supported", message).body()["error"],
        "steer": {"previous_response_id": field("previous_response_id"), "input": field("input")},
    })
}

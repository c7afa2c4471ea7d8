//! What an agent at this address can do, in AG-UI's words.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::http::{ApiError, State, visitor};

/// `GET /ag-ui/capabilities`
pub(super) async fn tell(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    visitor::check_entrance(&request, &state)?;
    Ok(HttpResponse::Ok().json(json!({
        "identity": {"name": "Sophie", "type": "sophie", "version": env!("CARGO_PKG_VERSION")},
        "transport": {
            "streaming": true,
            "websocket": false,
            "httpBinary": false,
            "pushNotifications": false,
            "resumable": true,
        },
        // Those of the client: there are none here.
        "tools": {"supported": true, "clientProvided": true, "parallelCalls": true, "items": []},
        "reasoning": {"supported": true, "streaming": true, "encrypted": false},
        "state": {"snapshots": false, "deltas": false, "memory": false, "persistentState": false},
        "humanInTheLoop": {"supported": false, "interrupts": false},
    })))
}

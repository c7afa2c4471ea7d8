//! The events of a response as server-sent events.

use std::io;

use actix_web::HttpResponse;
use actix_web::HttpResponseBuilder;
use actix_web::web::Bytes;
use futures_util::stream;
use sophie_actors::dialects::responses::ResponseEvent;
use tokio::time::timeout;

use super::telling::Events;
use crate::http::gateway::source::Broken;
use crate::http::server_sent::{self, KEEPALIVE, QUIET};

/// Events that are ready are written together, up to about so many bytes.
const PIECE: usize = 16 * 1024;

/// What is still to be sent.
struct Sending {
    events: Events,
    /// The number of the first event that the reader does not have.
    from: u64,
}

/// The response, with the events from a number on. `in_time`: nothing has come yet for long enough that the line must not stay quiet.
pub(super) fn respond(reply: &mut HttpResponseBuilder, events: Events, from: u64) -> HttpResponse {
    let pieces = stream::unfold(Some(Sending { events, from }), |sending| async move {
        let mut sending = sending?;
        match sending.piece().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(sending))),
            Ok(None) => None,
            // Without its last chunk the body is broken: a stream that ended early must not look like a whole one.
            Err(Broken) => Some((Err(io::Error::other("the node goes")), None)),
        }
    });
    reply.streaming(pieces)
}

/// The head of such a response.
pub(super) fn head() -> HttpResponseBuilder {
    server_sent::response()
}

impl Sending {
    /// The next write; `None` after the last one.
    async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        let mut piece = String::new();
        loop {
            let next = match timeout(QUIET, self.events.next()).await {
                Ok(next) => next?,
                Err(_) => return Ok(Some(Bytes::from_static(KEEPALIVE))),
            };
            let Some(event) = next else { break };
            if event.sequence_number >= self.from {
                write(&mut piece, &event);
            }
            if !self.events.has_more() && !piece.is_empty() || piece.len() >= PIECE {
                break;
            }
        }
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

fn write(piece: &mut String, event: &ResponseEvent) {
    // What it holds is text: it always is JSON.
    let json = serde_json::to_string(event).unwrap_or_default();
    for part in ["event: ", event.kind, "\ndata: ", &json, "\n\n"] {
        piece.push_str(part);
    }
}

//! A stream as server-sent events: data, and behind each a word on where the reader stands, in one write.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::stream::{Piece, Stream};
use super::{cursor, header as name};
use crate::http::State;
use crate::http::gateway::Visit;
use crate::http::server_sent::{self, KEEPALIVE, QUIET};

/// Bytes of the data of one event, at most.
const MOST: usize = 256 * 1024;
/// How long one response lasts. Then it ends behind a word on where the reader stands, who comes back with that.
const LASTS: Duration = Duration::from_secs(60);
/// How often it is looked whether something has to be said though nothing comes.
const LOOK: Duration = Duration::from_secs(1);

struct Live<S> {
    state: Data<State>,
    stream: S,
    position: u64,
    shown: Option<String>,
    /// Nothing was said yet.
    is_new: bool,
    is_over: bool,
    ends_at: Instant,
    said_at: Instant,
    /// A node that goes waits for the response's end.
    _visit: Visit,
}

/// The response, from a position on.
pub(super) fn respond(
    state: Data<State>,
    stream: impl Stream + 'static,
    position: u64,
    shown: Option<String>,
) -> HttpResponse {
    let now = Instant::now();
    let is_text = stream.is_text();
    let live = Live {
        _visit: state.gateway.running.begin(),
        state,
        stream,
        position,
        shown,
        is_new: true,
        is_over: false,
        ends_at: now + LASTS,
        said_at: now,
    };
    let events = stream::unfold(live, |mut live| async move {
        let piece = live.next().await?;
        Some((Ok::<_, Infallible>(piece), live))
    });
    let mut reply = server_sent::response();
    if is_text {
        // A line of an event cannot hold a carriage return.
        reply.insert_header((name::SSE_DATA_ENCODING, "base64"));
    }
    reply.streaming(events)
}

impl<S: Stream> Live<S> {
    /// The next write; `None`: the response ends, always behind a word on where the reader stands.
    async fn next(&mut self) -> Option<Bytes> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.is_over {
                return None;
            }
            // A reader who cannot be told more comes back and is told why.
            let piece = self.stream.piece(self.position, MOST).await.ok()?;
            if self.is_new || !piece.is_empty() || piece.is_end {
                return Some(self.event(piece));
            }
            let mut grown = pin!(self.stream.grow());
            loop {
                tokio::select! {
                    biased;
                    grown = &mut grown => break grown.ok()?,
                    () = self.state.goes() => return None,
                    _ = look.tick() => {
                        if Instant::now() >= self.ends_at {
                            return None;
                        }
                        if self.said_at.elapsed() >= QUIET {
                            self.said_at = Instant::now();
                            return Some(Bytes::from_static(KEEPALIVE));
                        }
                    }
                }
            }
        }
    }

    fn event(&mut self, piece: Piece) -> Bytes {
        let mut control = json!({"streamNextOffset": self.stream.offset(piece.next)});
        if piece.is_tail {
            control["upToDate"] = true.into();
        }
        if piece.is_end {
            control["streamClosed"] = true.into();
            self.is_over = true;
        } else {
            control["streamCursor"] = cursor::next(self.shown.as_deref()).to_string().into();
            self.is_over = Instant::now() >= self.ends_at;
        }
        (self.position, self.is_new, self.said_at) = (piece.next, false, Instant::now());
        let mut written = String::new();
        if !piece.is_empty() {
            let data = if self.stream.is_text() { STANDARD.encode(piece.body) } else { piece.body };
            written = format!("event: data\ndata: {data}\n\n");
        }
        written.push_str(&format!("event: control\ndata: {control}\n\n"));
        Bytes::from(written)
    }
}

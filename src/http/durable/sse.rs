//! A stream as server-sent events: data, and behind each a word on where the reader stands, in one write.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::content::Content;
use super::stream::AnswerStream;
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

struct Live {
    state: Data<State>,
    stream: AnswerStream,
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
pub(super) fn respond(state: Data<State>, stream: AnswerStream, position: u64, shown: Option<String>) -> HttpResponse {
    let now = Instant::now();
    let is_text = matches!(stream.content, Content::Text(_));
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

impl Live {
    /// The next write; `None`: the response ends, always behind a word on where the reader stands.
    async fn next(&mut self) -> Option<Bytes> {
        let state = self.state.clone();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.is_over {
                return None;
            }
            if self.is_new || self.stream.content.len() > self.position || self.stream.is_closed {
                return Some(self.event());
            }
            tokio::select! {
                biased;
                grown = self.stream.grow() => grown.ok()?,
                () = state.goes() => return None,
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

    fn event(&mut self) -> Bytes {
        let (body, next) = self.stream.content.piece(self.position, MOST);
        let mut written = String::new();
        if next > self.position {
            let data = match &self.stream.content {
                Content::Text(_) => STANDARD.encode(body),
                Content::Messages(_) => body,
            };
            written = format!("event: data\ndata: {data}\n\n");
        }
        let mut control = json!({"streamNextOffset": self.stream.offset(next)});
        if next == self.stream.content.len() {
            control["upToDate"] = true.into();
        }
        if self.stream.is_end(next) {
            control["streamClosed"] = true.into();
            self.is_over = true;
        } else {
            control["streamCursor"] = cursor::next(self.shown.as_deref()).to_string().into();
            self.is_over = Instant::now() >= self.ends_at;
        }
        (self.position, self.is_new, self.said_at) = (next, false, Instant::now());
        written.push_str(&format!("event: control\ndata: {control}\n\n"));
        Bytes::from(written)
    }
}

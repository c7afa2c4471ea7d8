//! The body of a request on its way in: as it came, in time, and to its end.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use super::ApiError;
use crate::line::Wire;

/// What a body must bring in each second once the time for its beginning is over.
const BYTES_A_SECOND: u64 = 16 * 1024;
/// How long, and how much of, a body that nobody asked for is read on after the answer: a connection whose body ends is kept.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);
const DRAIN_BYTES: usize = 64 * 1024;

/// What was wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooSlow,
    Encoded,
}

/// The body of one request. Clones are the same body.
#[derive(Clone)]
pub(super) struct Incoming(Rc<RefCell<Body>>);

struct Body {
    payload: Payload,
    /// As its head has it; none for one in chunks.
    length: Option<u64>,
    within: Duration,
    /// The client waits for `100 Continue` before it sends it, on this connection.
    awaits: Option<Arc<Wire>>,
    encoded: bool,
    fault: Option<Fault>,
    ended: bool,
    received: u64,
    begun_at: Option<Instant>,
    last_at: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// Puts itself in the place of a request's body, if it has one. Nothing of it may be missing for longer than `within`. Whoever
    /// `awaits` word to send it gets that when somebody reads it.
    pub(super) fn of(request: &mut ServiceRequest, within: Duration, awaits: Option<Arc<Wire>>) -> Option<Self> {
        let payload = request.take_payload();
        if matches!(payload, Payload::None) {
            request.set_payload(payload);
            return None;
        }
        let encoded = is_encoded(request.headers());
        // So that nobody inflates it.
        request.headers_mut().remove(header::CONTENT_ENCODING);
        let incoming = Self(Rc::new(RefCell::new(Body {
            payload,
            length: length(request.headers()),
            within,
            awaits,
            encoded,
            fault: None,
            ended: false,
            received: 0,
            begun_at: None,
            last_at: Instant::now(),
            timer: None,
        })));
        request.set_payload(Payload::Stream { payload: Box::pin(incoming.clone()) });
        Some(incoming)
    }

    /// What is to be answered in the place of whatever the handler made of it.
    pub(super) fn refusal(&self) -> Option<ApiError> {
        use actix_web::http::StatusCode;
        Some(match self.0.borrow().fault? {
            Fault::TooSlow => {
                ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body of the request did not come in time")
            }
            Fault::Encoded => ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                "bodies are taken as they are: send it without Content-Encoding",
            ),
        })
    }

    /// Whether more of it is still to come than is read after the answer, as far as its head has said; or whether it may not come at all,
    /// as its sender was not told to send it.
    pub(super) fn is_left(&self) -> bool {
        let body = self.0.borrow();
        if body.awaits.is_some() {
            return true;
        }
        let left = body.length.map(|length| length.saturating_sub(body.received));
        !body.ended && left.is_none_or(|left| left > DRAIN_BYTES as u64)
    }

    /// Reads on, now that the answer has been given: a body that does not end soon takes the connection with it.
    pub(super) fn finish(mut self, wire: Arc<Wire>) {
        if self.0.borrow().ended {
            return;
        }
        {
            let mut body = self.0.borrow_mut();
            (body.encoded, body.awaits) = (false, None);
        }
        actix_web::rt::spawn(async move {
            let (until, mut received) = (Instant::now() + DRAIN_WITHIN, 0);
            while let Ok(part) = tokio::time::timeout_at(until, self.next()).await {
                match part {
                    None => return,
                    Some(Ok(part)) if received < DRAIN_BYTES => received += part.len(),
                    Some(_) => break,
                }
            }
            // The answer is on its way as long.
            tokio::time::sleep_until(until).await;
            wire.cut();
        });
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Whether a body would have to be inflated.
fn is_encoded(headers: &HeaderMap) -> bool {
    let identity = |encoding: &[u8]| {
        matches!(encoding.trim_ascii(), b"") || encoding.trim_ascii().eq_ignore_ascii_case(b"identity")
    };
    headers.get_all(header::CONTENT_ENCODING).any(|value| !value.as_bytes().split(|byte| *byte == b',').all(identity))
}

impl Body {
    /// When what has come so far is too little.
    fn due(&self, begun_at: Instant) -> Instant {
        let earned = Duration::from_millis(self.received.saturating_mul(1_000) / BYTES_A_SECOND);
        (begun_at + self.within + earned).min(self.last_at + self.within)
    }

    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let begun_at = *self.begun_at.get_or_insert(now);
        if begun_at == now && self.received == 0 {
            self.last_at = now;
        }
        let due = self.due(begun_at);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.borrow_mut();
        if body.encoded {
            body.fault = Some(Fault::Encoded);
            return Poll::Ready(Some(Err(PayloadError::EncodingCorrupted)));
        }
        match Pin::new(&mut body.payload).poll_next(cx) {
            Poll::Ready(None) => {
                body.ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(part))) => {
                // It did not wait.
                body.awaits = None;
                body.last_at = Instant::now();
                body.begun_at.get_or_insert(Instant::now());
                body.received += part.len() as u64;
                // What comes drop by drop is never waited for, but falls behind all the same.
                if body.is_overdue(cx) {
                    return too_slow(&mut body);
                }
                Poll::Ready(Some(Ok(part)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Pending if body.is_overdue(cx) => too_slow(&mut body),
            Poll::Pending => {
                if let Some(wire) = body.awaits.take() {
                    wire.say_continue();
                }
                Poll::Pending
            }
        }
    }
}

fn too_slow(body: &mut Body) -> Poll<Option<Result<Bytes, PayloadError>>> {
    body.fault = Some(Fault::TooSlow);
    Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into()))))
}

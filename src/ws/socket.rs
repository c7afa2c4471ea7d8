//! One WebSocket. The only file that names actix-web-actors, which is deprecated upstream: what replaces it has to do
//! no more than this.
//!
//! Owns: the connection's heartbeat, its flood limit, its fragments. Receives: frames from the client, frames from the
//! outbox. Sends: commands to its session. Ends when: either side closes, no pong comes, or the outbox cuts it.

use std::time::Duration;

use actix::prelude::*;
use actix_http::ws::Item;
use actix_web::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::http::{StatusCode, header};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws::{self, Message, ProtocolError, WebsocketContext};
use sophie_actors::ids::SocketId;
use sophie_actors::limiter::{Bucket, Limit, Verdict, gcra};
use sophie_actors::messages::{AttachSocket, Attached, Commanded, SocketClosed};
use sophie_actors::metrics::Metrics;
use sophie_actors::options::SessionOptions;
use sophie_actors::outbox::{Outgoing, SocketHandle};
use sophie_actors::protocol::{Close, CloseCode, Command, Event};
use sophie_actors::session::{Reply, Session};
use tokio::time::Instant;

use super::Resume;
use crate::http::{ApiError, Place};

/// How long a client may take to answer our close frame, and the transport to end after that.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// How long the transport is given to send our answer to a client's close frame.
const LINGER: Duration = Duration::from_millis(100);

/// Refuses what is no WebSocket handshake.
pub(super) fn check_handshake(request: &HttpRequest) -> Result<(), ApiError> {
    // The library also takes drafts of the protocol.
    if request.headers().get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13") {
        return Err(ApiError::bad_request("this server speaks version 13 of the WebSocket protocol"));
    }
    match ws::handshake(request) {
        Ok(_) => Ok(()),
        Err(error) => {
            let status = match error {
                ws::HandshakeError::GetMethodRequired => StatusCode::METHOD_NOT_ALLOWED,
                _ => StatusCode::BAD_REQUEST,
            };
            Err(ApiError::new(status, "bad_request", format!("this is a WebSocket endpoint: {error}")))
        }
    }
}

/// The actor.
pub(super) struct Socket {
    handle: SocketHandle,
    /// Taken when the socket is attached.
    opening: Option<(Addr<Session>, Attached, Resume)>,
    metrics: Metrics,
    ping: Duration,
    pong: Duration,
    pong_at: Instant,
    max_text_chars: usize,
    max_frame_bytes: usize,
    flood: Option<Flood>,
    fragments: Option<Vec<u8>>,
    /// We said goodbye: nothing more is read.
    closing: bool,
    /// The client said goodbye: our answer is all that is left to send.
    left: bool,
    _place: Place,
}

impl Socket {
    pub(super) fn new(
        handle: SocketHandle,
        opening: Option<(Addr<Session>, Attached, Resume)>,
        options: &SessionOptions,
        limited: bool,
        metrics: &Metrics,
        place: Place,
    ) -> Self {
        Self {
            handle,
            opening,
            metrics: metrics.clone(),
            ping: Duration::from_secs(options.ping_seconds),
            pong: Duration::from_secs(options.pong_seconds),
            pong_at: Instant::now(),
            max_text_chars: options.max_text_chars,
            max_frame_bytes: options.max_frame_bytes,
            flood: limited.then(|| Flood::new(options)),
            fragments: None,
            closing: false,
            left: false,
            _place: place,
        }
    }

    pub(super) fn start(
        self,
        request: &HttpRequest,
        payload: Payload,
        protocol: Option<&'static str>,
        frame_bytes: usize,
    ) -> Result<HttpResponse, ApiError> {
        let mut response = ws::WsResponseBuilder::new(self, request, payload)
            .frame_size(frame_bytes)
            .start()
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        // Set here, since the builder reads the first of several offering headers only.
        if let Some(protocol) = protocol {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        Ok(response)
    }

    fn id(&self) -> SocketId {
        self.handle.id()
    }

    fn check_pong(&mut self, asked_at: Instant) {
        if self.pong_at < asked_at {
            self.handle.close(CloseCode::NoPong);
        }
    }

    fn take_text(&mut self, text: &str) {
        if let Some(flood) = &mut self.flood
            && !flood.admit()
        {
            self.handle.close(CloseCode::Flooding);
            return;
        }
        let (id, command) = match Command::parse(text, self.max_text_chars) {
            Ok(command) => (command.id, Ok(command.body)),
            Err(bad) => (bad.id, Err(bad.refusal)),
        };
        let reply = Reply::new(self.handle.clone(), id, self.metrics.clone());
        let Some(session) = self.handle.session() else { return };
        // A full mailbox drops the message, and with it the reply, which tells the client to try again.
        if let Err(SendError::Full(_)) = session.try_send(Commanded { socket: self.id(), command, reply }) {
            self.handle.close(CloseCode::Overloaded);
        }
    }

    fn take_fragment(&mut self, item: Item) {
        let (part, last) = match item {
            Item::FirstText(part) => {
                self.fragments = Some(Vec::new());
                (part, false)
            }
            Item::FirstBinary(_) => return self.handle.close(CloseCode::Unsupported),
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        let Some(whole) = &mut self.fragments else { return };
        if whole.len() + part.len() > self.max_frame_bytes {
            return self.handle.close(CloseCode::TooLarge);
        }
        whole.extend_from_slice(&part);
        if last {
            let whole = self.fragments.take().unwrap_or_default();
            match String::from_utf8(whole) {
                Ok(text) => self.take_text(&text),
                Err(_) => self.handle.close(CloseCode::InvalidText),
            }
        }
    }

    fn count_close(&self, code: CloseCode) {
        self.metrics.closes.with_label_values(&[code.label()]).inc();
        log::debug!("socket closed socket={} reason={}", self.id(), code.label());
    }

    fn say_goodbye(&mut self, close: Close, ctx: &mut WebsocketContext<Self>) {
        self.closing = true;
        self.count_close(close.code);
        let (code, reason) = (close.code.code(), close.code.reason());
        let closing =
            Event::Closing { code, reason, reconnect: close.code.reconnect(), retry_in_ms: close.retry_in_ms };
        ctx.text(closing.encode());
        ctx.close(Some(ws::CloseReason { code: code.into(), description: Some(reason.to_owned()) }));
        ctx.run_later(CLOSE_WITHIN, |_, ctx| ctx.stop());
    }
}

impl Actor for Socket {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.add_stream(Outbox(self.handle.clone()));
        ctx.run_interval(self.ping, |socket, ctx| {
            let asked_at = Instant::now();
            ctx.ping(b"");
            ctx.run_later(socket.pong, move |socket, _| socket.check_pong(asked_at));
        });
        if let Some((session, attached, resume)) = self.opening.take() {
            self.handle.bind(session.clone());
            if let Err(SendError::Full(_attach)) = session.try_send(AttachSocket::new(attached, resume)) {
                self.handle.close(CloseCode::Overloaded);
            }
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.handle.mark_gone();
        if let Some(code) = self.handle.closing().filter(|_| !self.closing) {
            // A client that reads nothing is cut without a goodbye: its transport took no more.
            self.count_close(code);
        }
        if let Some(session) = self.handle.session() {
            // If this gets lost, the registry and the session notice by themselves.
            let _ = session.try_send(SocketClosed(self.id()));
        }
        let handle = self.handle.clone();
        let linger = if self.left { LINGER } else { CLOSE_WITHIN };
        actix_web::rt::spawn(async move {
            tokio::time::sleep(linger).await;
            handle.cut();
        });
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Socket {
    fn handle(&mut self, item: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        match item {
            Ok(Message::Close(_)) if self.closing => ctx.stop(),
            _ if self.closing || self.handle.closing().is_some() => {}
            Ok(Message::Text(text)) => self.take_text(&text),
            Ok(Message::Ping(payload)) => ctx.pong(&payload),
            Ok(Message::Pong(_)) => self.pong_at = Instant::now(),
            Ok(Message::Continuation(item)) => self.take_fragment(item),
            Ok(Message::Binary(_)) => self.handle.close(CloseCode::Unsupported),
            Ok(Message::Close(reason)) => {
                self.left = true;
                ctx.close(reason);
                ctx.stop();
            }
            Ok(Message::Nop) => {}
            Err(error) => match close_code(&error) {
                Some(code) => self.handle.close(code),
                // The connection broke: there is nobody to tell.
                None => ctx.stop(),
            },
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

fn close_code(error: &ProtocolError) -> Option<CloseCode> {
    match error {
        ProtocolError::Overflow => Some(CloseCode::TooLarge),
        // The only trace that a text frame which is not UTF-8 leaves.
        ProtocolError::Io(error) if error.to_string().contains("utf-8") => Some(CloseCode::InvalidText),
        ProtocolError::Io(_) => None,
        _ => Some(CloseCode::ProtocolError),
    }
}

impl StreamHandler<Outgoing> for Socket {
    fn handle(&mut self, outgoing: Outgoing, ctx: &mut Self::Context) {
        match outgoing {
            Outgoing::Frames(frames) => frames.into_iter().for_each(|frame| ctx.text(frame)),
            Outgoing::Close(close) => self.say_goodbye(close, ctx),
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // The goodbye has been said; its timer, or the client's own, ends the actor.
    }
}

/// The outbox as a stream.
struct Outbox(SocketHandle);

impl futures_util::Stream for Outbox {
    type Item = Outgoing;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_outgoing(cx)
    }
}

/// Commands a second of one connection.
struct Flood {
    bucket: Bucket,
    stored: Option<u64>,
    since: Instant,
}

impl Flood {
    fn new(options: &SessionOptions) -> Self {
        let bucket = Bucket {
            key: String::new(),
            limit: Limit::ConnectionCommands,
            interval_us: 1_000_000 / u64::from(options.commands_per_second.max(1)),
            burst: u64::from(options.commands_burst),
            cost: 1,
        };
        Self { bucket, stored: None, since: Instant::now() }
    }

    fn admit(&mut self) -> bool {
        let now = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (verdict, stored) = gcra::admit(now, std::slice::from_ref(&self.bucket), &[self.stored]);
        self.stored = stored.first().copied().or(self.stored);
        matches!(verdict, Verdict::Admitted { .. })
    }
}

//! One WebSocket. The only file that names actix-web-actors, which is deprecated upstream: what replaces it has to do
//! no more than this.
//!
//! Owns: the connection's heartbeat and its fragments. Receives: frames from the client, judged by [`Inflow`], and frames
//! from the outbox. Sends: commands to its session. Ends when: either side closes, no pong comes, or the outbox cuts it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_http::ws::{Codec, Item};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws::{self, Message, ProtocolError, WebsocketContext};
use sophie_actors::ids::SocketId;
use sophie_actors::metrics::Metrics;
use sophie_actors::options::SessionOptions;
use sophie_actors::protocol::{Close, CloseCode, Command, Event};
use sophie_actors::socket::{AttachSocket, Attached, Commanded, Intake, Outgoing, Reply, SessionHandle, SocketHandle};
use tokio::time::Instant;

use super::flood::Flood;
use super::inflow::Inflow;
use super::{Resume, handshake};
use crate::http::SocketPlace;
use crate::line::{Share, Wire};

/// How long a client may take to answer our close frame, and the transport to end after that.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// How long the transport is given to send our answer to a client's close frame.
const LINGER: Duration = Duration::from_millis(100);

/// The actor.
pub(super) struct Socket {
    handle: SocketHandle,
    /// Taken when the socket is attached.
    opening: Option<(SessionHandle, Attached, Resume)>,
    metrics: Metrics,
    ping: Duration,
    pong: Duration,
    pong_at: Instant,
    max_text_chars: usize,
    max_frame_bytes: usize,
    flood: Option<Flood>,
    fragments: Option<Vec<u8>>,
    /// Commands that are under way.
    intake: Intake,
    /// Nothing is read until some of them are answered: what the client sends, pongs too, waits.
    held: Rc<Cell<bool>>,
    /// We said goodbye: nothing more is read.
    closing: bool,
    /// The client said goodbye: our answer is all that is left to send.
    left: bool,
    seat: Seat,
}

/// What a socket takes up while it lives.
pub(super) struct Seat {
    /// Of the sockets of this node.
    pub(super) _place: SocketPlace,
    /// Of the connections of its address, if it came through a proxy.
    pub(super) _share: Option<Share>,
    /// The connection below it.
    pub(super) wire: Option<Arc<Wire>>,
}

impl Socket {
    pub(super) fn new(
        handle: SocketHandle,
        opening: Option<(SessionHandle, Attached, Resume)>,
        options: &SessionOptions,
        limited: bool,
        metrics: &Metrics,
        seat: Seat,
    ) -> Self {
        Self {
            handle,
            opening,
            metrics: metrics.clone(),
            ping: Duration::from_secs(options.ping_seconds),
            pong: Duration::from_secs(options.pong_seconds),
            pong_at: Instant::now(),
            max_text_chars: options.max_text_chars,
            max_frame_bytes: options.frame_bytes(),
            flood: limited.then(|| Flood::new(options)),
            fragments: None,
            intake: Intake::default(),
            held: Rc::default(),
            closing: false,
            left: false,
            seat,
        }
    }

    /// The answer to the handshake, with the connection behind it.
    pub(super) fn start(
        mut self,
        request: &HttpRequest,
        payload: Payload,
        protocol: Option<&'static str>,
    ) -> HttpResponse {
        let (most, flood) = (self.max_frame_bytes, self.flood.take());
        let inflow = Inflow::new(payload, most, flood, self.intake.clone(), self.handle.clone(), self.held.clone());
        let codec = Codec::new().max_size(most);
        handshake::accept(request, protocol).streaming(WebsocketContext::with_codec(self, inflow, codec))
    }

    fn id(&self) -> SocketId {
        self.handle.id()
    }

    fn check_pong(&mut self, asked_at: Instant, ctx: &mut WebsocketContext<Self>) {
        if self.pong_at >= asked_at {
            return;
        }
        if self.held.get() {
            // It may have come, and waits behind commands.
            ctx.run_later(self.pong, move |socket, ctx| socket.check_pong(asked_at, ctx));
        } else {
            self.handle.close(CloseCode::NoPong);
        }
    }

    fn take_text(&mut self, text: &str) {
        let (id, command) = match Command::parse(text, self.max_text_chars) {
            Ok(command) => (command.id, Ok(command.body)),
            Err(bad) => (bad.id, Err(bad.refusal)),
        };
        let reply = Reply::new(self.handle.clone(), id, self.metrics.clone()).holding(self.intake.take(text.len()));
        let Some(session) = self.handle.session() else { return };
        // A full mailbox drops the message, and with it the reply, which tells the client to try again.
        if session.command(Commanded { socket: self.id(), command, reply }).is_err() {
            self.handle.close(CloseCode::Overloaded);
        }
    }

    fn take_fragment(&mut self, item: Item) {
        // Heads are judged before: what comes here belongs together and is not too large.
        let (part, last) = match item {
            Item::FirstText(part) | Item::FirstBinary(part) => {
                self.fragments = Some(Vec::new());
                (part, false)
            }
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        let Some(whole) = &mut self.fragments else { return };
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
        ctx.add_stream(OutgoingStream(self.handle.clone()));
        ctx.run_interval(self.ping, |socket, ctx| {
            let asked_at = Instant::now();
            ctx.ping(b"");
            ctx.run_later(socket.pong, move |socket, ctx| socket.check_pong(asked_at, ctx));
        });
        if let Some((session, attached, resume)) = self.opening.take() {
            self.handle.bind(session.clone());
            if session.attach(AttachSocket::new(attached, resume)).is_err() {
                self.handle.close(CloseCode::Overloaded);
            }
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.handle.mark_gone();
        // What a client still sends whose goodbye is said is not even read.
        self.seat.wire.iter().for_each(|wire| wire.deafen());
        if let Some(code) = self.handle.closing().filter(|_| !self.closing) {
            // A client that reads nothing is cut without a goodbye: its transport took no more.
            self.count_close(code);
        }
        if let Some(session) = self.handle.session() {
            session.closed(self.id());
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
            Ok(Message::Close(_)) if self.closing => {
                // Both have said it: nothing is left to wait for.
                self.left = true;
                ctx.stop();
            }
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

/// What comes out of the outbox, as a stream.
struct OutgoingStream(SocketHandle);

impl futures_util::Stream for OutgoingStream {
    type Item = Outgoing;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_outgoing(cx)
    }
}

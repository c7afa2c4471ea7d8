//! What is said over a socket of `sophie.v1`: commands for its session.

use std::task::{Context, Poll};

use bytestring::ByteString;
use sophie_actors::ids::RequestId;
use sophie_actors::metrics::Metrics;
use sophie_actors::options::SessionOptions;
use sophie_actors::protocol::{Close, CloseCode, Command, Event};
use sophie_actors::socket::{AttachSocket, Attached, Commanded, Intake, Reply, SessionHandle, SocketHandle};

use super::Resume;
use super::flood::Flood;
use super::seat::{Seat, reason};
use crate::websocket::{Receiver, Unsent};

/// One socket's.
pub(super) struct Chat {
    handle: SocketHandle,
    /// Taken when the connection begins.
    opening: Option<Box<(SessionHandle, Attached, Resume)>>,
    metrics: Metrics,
    max_text_chars: usize,
    flood: Option<Flood>,
    /// Commands that are under way.
    intake: Intake,
    _seat: Seat,
}

impl Chat {
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
            opening: opening.map(Box::new),
            metrics: metrics.clone(),
            max_text_chars: options.max_text_chars,
            flood: limited.then(|| Flood::new(options)),
            intake: Intake::default(),
            _seat: seat,
        }
    }
}

impl Receiver for Chat {
    fn opened(&mut self) {
        if let Some((session, attached, resume)) = self.opening.take().map(|opening| *opening)
            && session.attach(AttachSocket::new(attached, resume)).is_err()
        {
            self.handle.close(CloseCode::Overloaded);
        }
    }

    fn admit(&mut self) -> bool {
        self.flood.as_mut().is_none_or(Flood::admit)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.intake.poll_room(cx)
    }

    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.intake.poll_empty(cx)
    }

    fn text(&mut self, text: &str, _: &mut Unsent) {
        let (id, command) = match Command::parse(text, self.max_text_chars) {
            Ok(command) => (command.id, Ok(command.body)),
            Err(bad) => (bad.id, Err(bad.refusal)),
        };
        let reply = Reply::new(self.handle.clone(), id, self.metrics.clone()).holding(self.intake.take(text.len()));
        let Some(session) = self.handle.session() else { return };
        // A full mailbox drops the message, and with it the reply, which tells the client to try again.
        if session.command(Commanded { socket: self.handle.id(), command, reply }).is_err() {
            self.handle.close(CloseCode::Overloaded);
        }
    }

    fn goodbye(&self, close: Close) -> Option<ByteString> {
        let (code, reason) = (close.code.code(), close.code.reason());
        let (reconnect, retry_in_ms) = (close.code.reconnect(), close.retry_in_ms);
        Some(Event::Closing { code, reason, reconnect, retry_in_ms }.encode())
    }

    fn closed(&mut self, code: Option<CloseCode>) {
        if let Some(code) = code {
            self.metrics.closes.with_label_values(&[code.label()]).inc();
        }
        RequestId::within_now(self.handle.request(), || {
            log::debug!(socket:% = self.handle.id(), reason = reason(code); "a socket is closed");
        });
        if let Some(session) = self.handle.session() {
            session.closed(self.handle.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::Connection;

    /// What tokio puts around a task of one thread, in bytes.
    const AROUND: usize = 104;

    #[test]
    fn the_task_of_an_idle_socket_takes_640_bytes() {
        // Tasks come in steps of 128 bytes, and each socket has one: what is rarely needed is boxed.
        let size = size_of::<Connection<Chat>>();
        assert!(size + AROUND <= 640, "{size}");
    }
}

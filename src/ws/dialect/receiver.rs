//! What comes in over a socket of another protocol: texts, within the bounds of one client.

use std::rc::Rc;
use std::task::{Context, Poll};

use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::Intake;

use super::{Dialect, Socket, closing};
use crate::websocket::{Receiver, Unsent};
use crate::ws::flood::Flood;
use crate::ws::seat::{Seat, reason};

/// One socket's.
pub(super) struct Frames<D> {
    dialect: D,
    socket: Rc<Socket>,
    flood: Option<Flood>,
    intake: Intake,
    _seat: Seat,
}

impl<D: Dialect> Frames<D> {
    pub(super) fn new(dialect: D, socket: &Rc<Socket>, seat: Seat) -> Self {
        let state = &socket.state;
        let flood = (!state.node.limiter.is_off()).then(|| Flood::new(&state.node.options));
        Self { dialect, socket: socket.clone(), flood, intake: Intake::default(), _seat: seat }
    }
}

impl<D: Dialect> Receiver for Frames<D> {
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
        let taken = self.intake.take(text.len());
        self.dialect.frame(text, taken);
    }

    fn number(&self, code: CloseCode) -> u16 {
        closing::number(code)
    }

    fn closed(&mut self, code: Option<CloseCode>) {
        if let Some(code) = code {
            self.socket.state.node.metrics.closes.with_label_values(&[code.label()]).inc();
        }
        log::debug!(socket:% = self.socket.id(), reason = reason(code); "a socket is closed");
        self.socket.gone();
        self.dialect.closed();
    }
}

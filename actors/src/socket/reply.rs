//! The promise that a command is answered exactly once, whatever becomes of the session that carries it out.

use bytestring::ByteString;

use super::{SocketHandle, Taken};
use crate::ids::{CommandId, MessageId};
use crate::metrics::Metrics;
use crate::protocol::{Event, Refusal, Remaining, Standing};

/// Where a command's one reply goes. Dropped unanswered (its session failed), it tells the client `internal`.
pub struct Reply {
    socket: SocketHandle,
    id: Option<CommandId>,
    metrics: Metrics,
    answered: bool,
    _taken: Option<Taken>,
}

impl Reply {
    /// A reply to the command `id` that came from `socket`.
    pub fn new(socket: SocketHandle, id: Option<CommandId>, metrics: Metrics) -> Self {
        Self { socket, id, metrics, answered: false, _taken: None }
    }

    /// Holds its command's place among those that the socket has under way.
    pub fn holding(mut self, taken: Taken) -> Self {
        self._taken = Some(taken);
        self
    }

    /// The command's id.
    pub fn id(&self) -> Option<&CommandId> {
        self.id.as_ref()
    }

    /// Replies with an event that bears the id itself.
    pub fn send(mut self, frame: ByteString) {
        self.answered = true;
        self.socket.push(frame);
    }

    /// Done; says so if the client gave an id.
    pub fn ack(mut self) {
        self.answered = true;
        if let Some(id) = &self.id {
            self.socket.push(Event::ack(id).encode());
        }
    }

    /// Done here; `is_pending`: not yet everywhere.
    pub fn done(mut self, is_pending: bool) {
        self.answered = true;
        if let Some(id) = &self.id {
            let pending = is_pending.then_some(true);
            self.socket.push(Event::AckOfOrder { id, pending }.encode());
        }
    }

    /// Logged at `seq`; `limits` are those that near their end.
    pub fn logged(mut self, seq: u64, message: Option<&MessageId>, limits: Option<&Remaining>) {
        self.answered = true;
        if let Some(id) = &self.id {
            let ack = Event::Ack {
                id,
                epoch: None,
                seq: Some(seq),
                message,
                recovered: None,
                assistant: None,
                person: None,
                limits,
            };
            self.socket.push(ack.encode());
        }
    }

    /// A member of a group that stands so.
    pub fn joined(mut self, standing: &Standing, recovered: bool) {
        self.answered = true;
        if let Some(id) = &self.id {
            let Standing { head, assistant, person } = standing;
            let ack = Event::Ack {
                id,
                epoch: Some(&head.epoch),
                seq: Some(head.seq),
                message: None,
                recovered: Some(recovered),
                assistant: *assistant,
                person: *person,
                limits: None,
            };
            self.socket.push(ack.encode());
        }
    }

    /// Refused; the client is told with or without an id.
    pub fn refuse(mut self, refusal: &Refusal) {
        self.answered = true;
        self.metrics.errors.with_label_values(&[refusal.code.as_str()]).inc();
        self.socket.push(Event::error(self.id.as_ref(), refusal).encode());
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered && self.id.is_some() {
            self.socket.push(Event::error(self.id.as_ref(), &Refusal::internal()).encode());
        }
    }
}

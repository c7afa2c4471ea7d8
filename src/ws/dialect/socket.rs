//! What whoever speaks over a socket may do with it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::web::Data;
use bytestring::ByteString;
use serde::Serialize;
use sophie_actors::ids::SocketId;
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::SocketHandle;
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};

use crate::auth::unix_now;
use crate::http::State;

/// How long a client has to be known for somebody: each comes because it wants something.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);
/// Credentials end by the clock on the wall, which may be put forward meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

/// One socket. Those who speak over it are on its thread.
pub(in crate::ws) struct Socket {
    handle: SocketHandle,
    pub(in crate::ws) state: Data<State>,
    /// Whose frame is next: they stand in line, so nobody holds all the room.
    turn: Mutex<()>,
    /// What is under way that a node that goes waits for.
    answering: Cell<usize>,
    is_known: Cell<bool>,
    /// Something of this has changed.
    changed: Notify,
}

/// Something is under way on a socket, until it is dropped.
pub(in crate::ws) struct Answering(Rc<Socket>);

impl Socket {
    pub(super) fn new(handle: SocketHandle, state: Data<State>) -> Self {
        let (turn, answering, is_known, changed) = (Mutex::default(), Cell::default(), Cell::default(), Notify::new());
        Self { handle, state, turn, answering, is_known, changed }
    }

    /// Which one.
    pub(in crate::ws) fn id(&self) -> SocketId {
        self.handle.id()
    }

    /// Says something at once. Who brings about more of it than they read is closed.
    pub(in crate::ws) fn say(&self, frame: &impl Serialize) {
        self.handle.push(text(frame));
    }

    /// Says something when there is room for it, as soon as the client reads. `false`: nothing more is said here.
    pub(in crate::ws) async fn say_in_turn(&self, frame: &impl Serialize) -> bool {
        let _turn = self.turn.lock().await;
        self.handle.wants_more().await && self.handle.push_in_turn(text(frame))
    }

    /// Ends it once what waits is sent.
    pub(in crate::ws) fn close(&self, code: CloseCode) {
        self.handle.close(code);
    }

    /// Its client has shown who it is.
    pub(in crate::ws) fn becomes_known(&self) {
        self.is_known.set(true);
        self.tell();
    }

    /// Something is under way. A node that goes lets it come to its end, as far as there is time.
    pub(in crate::ws) fn answering(self: &Rc<Self>) -> Answering {
        self.answering.set(self.answering.get() + 1);
        Answering(self.clone())
    }

    /// Ends the socket when what was shown on it is no longer good. For ever.
    pub(in crate::ws) async fn expire(&self, expires_at: Option<u64>) {
        let Some(end) = expires_at else { return std::future::pending().await };
        loop {
            let left = Duration::from_secs(end.saturating_sub(unix_now()));
            if left.is_zero() {
                self.close(CloseCode::BadToken);
                return std::future::pending().await;
            }
            sleep(left.min(LONGEST_SLEEP)).await;
        }
    }

    pub(super) fn gone(&self) {
        self.tell();
    }

    /// Has everybody who waits for something of this look again.
    fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// Ends it when the node goes, or nobody can say who is there.
    pub(super) async fn leave_in_time(self: Rc<Self>) {
        let known = async {
            if timeout(KNOWN_WITHIN, self.until(|| self.is_known.get())).await.is_err() {
                self.close(CloseCode::BadToken);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.until(|| false) => {}
            () = known => {}
            () = self.state.goes() => self.leave().await,
        }
    }

    /// Ends it when what is under way has ended, or the node cannot wait any longer.
    async fn leave(&self) {
        // Until the goodbye is said.
        let mut visit = self.state.gateway.running.begin();
        tokio::select! {
            () = self.until(|| self.answering.get() == 0) => {}
            () = visit.interrupted() => {}
        }
        self.close(CloseCode::Draining);
        self.until(|| false).await;
    }

    /// Waits until something is so, or the connection is over.
    async fn until(&self, is_so: impl Fn() -> bool) {
        while !self.handle.is_gone() && !is_so() {
            self.changed.notified().await;
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.set(self.0.answering.get() - 1);
        self.0.tell();
    }
}

fn text(frame: &impl Serialize) -> ByteString {
    serde_json::to_string(frame).unwrap_or_default().into()
}

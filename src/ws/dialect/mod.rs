//! A socket of another protocol than our own: JSON in text frames, in and out. What is common to all of them: how one is opened, what may
//! come in and how much of it, the way out with its bounds, the numbers of its closes, and how it goes when the node goes.

mod closing;
mod receiver;
mod socket;

use std::rc::Rc;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, rt};
use sophie_actors::ids::RequestId;
use sophie_actors::socket::Taken;

use super::handshake;
use super::seat::{self, Seat};
use crate::auth::credentials;
use crate::http::visitor::joined;
use crate::http::{ApiError, State};
use crate::websocket::{self, Allowed, Connection, Options};
use receiver::Frames;
pub(super) use socket::Socket;

/// What is said over one socket.
pub(super) trait Dialect: Unpin + 'static {
    /// A text that the client sends. `taken` is its part of what may be under way: while it is kept, less of what follows is read.
    fn frame(&mut self, text: &str, taken: Taken);

    /// The client is gone, or is told to go: nothing more is heard.
    fn closed(&mut self);
}

/// Opens a socket on which frames of at most `most` bytes may come. `speak`: what is said over it.
///
/// # Errors
/// It may not come in now, or is no WebSocket.
pub(super) fn open<D: Dialect>(
    request: &HttpRequest,
    state: &Data<State>,
    seat: Seat,
    most: usize,
    speak: impl FnOnce(Rc<Socket>) -> D,
) -> Result<HttpResponse, ApiError> {
    let upgrade = handshake::check(request)?;
    let options = &state.node.options;
    let worker = upgrade.worker();
    let handle = seat::way_out(request, options, &worker);
    let socket = Rc::new(Socket::new(handle.clone(), state.clone()));
    let frames = Frames::new(speak(socket.clone()), &socket, seat);
    let deflate = websocket::handshake::compression(request, options.compression);
    let allowed = Allowed { bytes: most, binary: false, compressed: deflate.is_some() };
    let heartbeat = Some(seat::heartbeat(options));
    let offers = joined(request.headers(), header::SEC_WEBSOCKET_PROTOCOL, ",");
    let id = RequestId::current().map(RequestId::apart);
    let answer = websocket::handshake::accept(request, credentials::first_offer(&offers), deflate);
    upgrade.then(move |raw| {
        rt::spawn(socket.leave_in_time());
        let options = Options { allowed, heartbeat, deflate };
        let connection = Connection::new(raw, handle, frames, worker, options);
        // What is said over it is said for its handshake, and is no part of that.
        rt::spawn(RequestId::within(id, connection));
    });
    Ok(answer)
}

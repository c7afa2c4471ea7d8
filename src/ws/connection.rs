//! The TCP connection under a socket: set up once, and cut from outside when its client has stopped reading.

use std::any::Any;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::{SockRef, Socket};

/// After this long without an acknowledgement the kernel gives a peer up. A little more than ping and pong allow a
/// client that is alive (25 s and 10 s by default).
const GIVE_UP_AFTER: Duration = Duration::from_secs(40);

/// A second handle on the connection, kept by the connection itself, so that it is closed with it.
pub struct Connection(Arc<Socket>);

impl Connection {
    /// For `HttpServer::on_connect`.
    pub fn note(io: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = io.downcast_ref::<TcpStream>() else { return };
        let socket = SockRef::from(stream);
        #[cfg(target_os = "linux")]
        if let Err(error) = socket.set_tcp_user_timeout(Some(GIVE_UP_AFTER)) {
            log::debug!("tcp user timeout not set error={error}");
        }
        if let Err(error) = socket.set_tcp_nodelay(true) {
            log::debug!("tcp nodelay not set error={error}");
        }
        match stream.as_fd().try_clone_to_owned() {
            Ok(descriptor) => _ = extensions.insert(Self(Arc::new(Socket::from(descriptor)))),
            Err(error) => log::warn!("connection cannot be cut from outside error={error}"),
        }
    }

    /// What cuts the connection of this request; does nothing once it is closed.
    pub(super) fn cutter(request: &HttpRequest) -> impl Fn() + Send + Sync + 'static {
        let socket = request.conn_data::<Self>().map_or_else(Weak::new, |connection| Arc::downgrade(&connection.0));
        move || {
            if let Some(socket) = socket.upgrade() {
                // The peer may have closed it first.
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }
}

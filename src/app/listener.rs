//! Listeners: bound first, so that a port in use is told before anything else is tried, and listening last, once there
//! is somebody to serve.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App, HttpServer};
use socket2::{Domain, Socket, Type};

use super::AppError;
use crate::http::{self, Serves, State};
use crate::ws::Connection;

/// The largest request body, in bytes: a message of the greatest length and its JSON around it.
const MAX_BODY: usize = 256 * 1024;
/// How long HTTP clients may take to send their request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Every connection takes two file descriptors (the second one cuts it from outside): the soft limit that many systems
/// set, 1,024, is no more than a default.
pub(super) fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        log::debug!("limit of open files not raised error={error}");
    }
}

/// A port that is ours, on which nothing listens yet.
pub(super) struct Bound {
    socket: Socket,
    /// Where.
    pub(super) address: SocketAddr,
}

impl Bound {
    pub(super) fn to(address: SocketAddr) -> Result<Self, AppError> {
        let bind = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            // A restart must not wait for the old connections' last packets.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            let address = socket.local_addr()?.as_socket().unwrap_or(address);
            io::Result::Ok(Self { socket, address })
        };
        bind().map_err(|error| AppError::Listen { address, error })
    }

    pub(super) fn serve(self, state: Data<State>, serves: Serves, workers: usize) -> Result<Server, AppError> {
        let Self { socket, address } = self;
        let failed = |error| AppError::Listen { address, error };
        socket.listen(BACKLOG).map_err(failed)?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .app_data(PayloadConfig::new(MAX_BODY))
                .wrap(Compress::default())
                .wrap(from_fn(http::wrap))
                .configure(|config| http::routes(config, serves))
        })
        .workers(workers)
        .on_connect(Connection::note)
        .client_request_timeout(REQUEST_TIMEOUT)
        .h1_allow_half_closed(false)
        .shutdown_timeout(0)
        .disable_signals()
        .listen(TcpListener::from(socket))
        .map_err(failed)?;
        Ok(server.run())
    }
}

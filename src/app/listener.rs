//! Listeners: bound first, so that a port in use is told before anything else is tried, and listening last, once there
//! is somebody to serve.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix::ArbiterHandle;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, fn_service};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App, Error};
use socket2::{Domain, Socket, Type};

use super::AppError;
use super::acceptor::Acceptor;
use super::routes::{Serves, routes};
use crate::http::{self, State};
use crate::line::{self, Line, Places};
use crate::settings::Settings;
use crate::tls::Listening;
use crate::websocket;

/// How long a head may take to come, from its first byte; for the first of a connection, from its beginning.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long what a client still sends is read after an answer that did not wait for it, so that it gets the answer.
const LINGER: Duration = Duration::from_secs(1);

/// The largest request body that is read whole is no smaller than this, in bytes.
const LEAST_BODY: usize = 256 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// How many files this process may have open. Every connection takes a descriptor: the soft limit that many systems set, 1,024, is
/// no more than a default.
pub(crate) fn raise_file_limit() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX).or_else(|_| rlimit::Resource::NOFILE.get_soft()) {
        Ok(files) => files,
        Err(error) => {
            log::debug!(error:%; "the limit of open files is not known");
            1_024
        }
    }
}

/// How a listener deals with connections.
#[derive(Clone)]
pub(super) struct Rules {
    /// Which of them are taken.
    pub(super) places: Places,
    /// How long one may be idle after its first answer.
    pub(super) keep_alive: Duration,
    /// Bytes of the largest body that is read whole.
    pub(super) most_bytes: usize,
}

impl Rules {
    /// What the settings say, for a process that may have so many files open and runs so many threads.
    pub(super) fn of(settings: &Settings, files: u64, threads: usize) -> Self {
        let most = line::bound(files, threads);
        log::info!(event = "places", connections = most, files; "so many connections have a place");
        let server = &settings.server;
        let of_one_address = if settings.limits.enabled { server.address_connections } else { 0 };
        Self {
            places: Places::new(most, of_one_address, server.trusted_proxies.clone()),
            keep_alive: Duration::from_secs(server.keep_alive_seconds),
            // What is said over HTTP may be as long as over a socket.
            most_bytes: settings.session.frame_bytes().max(LEAST_BODY),
        }
    }
}

/// A port that is ours, on which nothing listens yet.
pub(crate) struct Bound {
    socket: Socket,
    /// Where.
    pub(super) address: SocketAddr,
}

impl Bound {
    pub(crate) fn to(address: SocketAddr) -> Result<Self, AppError> {
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

    /// Has connections served by these threads in turn, once the result is polled.
    pub(super) fn serve(
        self,
        state: Data<State>,
        serves: Serves,
        threads: &[ArbiterHandle],
        rules: Rules,
        tls: Option<Arc<Listening>>,
    ) -> Result<Acceptor, AppError> {
        let Self { socket, address } = self;
        socket.listen(BACKLOG).map_err(|error| AppError::Listen { address, error })?;
        let service = move || {
            let Rules { keep_alive, most_bytes, .. } = rules;
            let app = || {
                let app = App::new()
                    .app_data(state.clone())
                    .app_data(PayloadConfig::new(most_bytes))
                    .wrap(from_fn(http::keep_small_plain))
                    .wrap(Compress::default())
                    .wrap(from_fn(http::wrap))
                    .configure(|config| routes(config, serves, &state));
                let app = app.into_factory().map_err(|error: Error| error.error_response());
                map_config(app, |()| AppConfig::default())
            };
            let over_http = HttpService::build()
                .keep_alive(KeepAlive::Timeout(keep_alive))
                .client_request_timeout(HEAD_WITHIN)
                .client_disconnect_timeout(LINGER)
                .h1_allow_half_closed(false)
                .local_addr(address)
                .on_connect_ext(|line: &Line, of_connection| _ = of_connection.insert(line.wire()))
                .upgrade(websocket::serve(app()))
                .finish(app());
            let tls = tls.clone();
            fn_service(move |(line, peer): (Line, Option<SocketAddr>)| {
                let certificate = tls.as_ref().map(|tls| tls.current());
                async move {
                    let line = match certificate {
                        // Probes come here if there is no other listener for them.
                        Some(certificate) => line.with_tls(certificate, serves.admin).await?,
                        None => line,
                    };
                    Ok((line, Protocol::Http1, peer))
                }
            })
            .and_then(over_http)
        };
        Ok(Acceptor::new(TcpListener::from(socket), address, threads, &rules.places, HEAD_WITHIN, service))
    }
}

//! The handshake of TLS, before anything else is read from a connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Wire;

/// Shakes hands with a client, who has so much time for it; ends as soon as the connection is cut.
pub(super) async fn shake_hands(
    stream: TcpStream,
    by: Arc<ServerConfig>,
    wire: &Wire,
    within: Duration,
) -> io::Result<TlsStream<TcpStream>> {
    let mut shaking = TlsAcceptor::from(by).accept(stream);
    let until_cut = std::future::poll_fn(|cx| match wire.is_cut(cx) {
        true => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        false => Pin::new(&mut shaking).poll(cx),
    });
    timeout(within, until_cut).await?
}

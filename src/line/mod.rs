//! One TCP connection, from its acceptance to its end: what the HTTP library is given to read from and write to.
//!
//! It can be cut from outside with no second descriptor, has a place among those that this node takes, and sees to it that a head is
//! whole in time. Of HTTP it knows no more than where a head ends, and how a client is told to go on with its body.

mod handshake;
mod head;
mod places;
mod transport;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use bytes::BytesMut;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use head::{Heads, Seen};
pub use places::{Place, Places, Share, UNSEEN, bound};
pub use transport::Transport;
pub use wire::{Standing, UnderWay, Wire};

/// After this long without an acknowledgement the kernel gives a peer up. A little more than ping and pong allow a
/// client that is alive (25 s and 10 s by default).
const GIVE_UP_AFTER: Duration = Duration::from_secs(40);

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The connection.
pub struct Line {
    stream: Transport,
    wire: Arc<Wire>,
    heads: Heads,
    /// What is still to be written of [`CONTINUE`].
    interim: &'static [u8],
    /// Until when a head that has begun must be whole.
    due: Option<Pin<Box<Sleep>>>,
    head_within: Duration,
    place: Place,
}

impl Line {
    /// A connection that was just accepted. A head must be whole within `head_within`.
    pub fn new(stream: TcpStream, peer: Option<SocketAddr>, places: &Places, head_within: Duration) -> Self {
        let socket = SockRef::from(&stream);
        #[cfg(target_os = "linux")]
        if let Err(error) = socket.set_tcp_user_timeout(Some(GIVE_UP_AFTER)) {
            log::debug!(error:%; "the time-out of a connection was not set");
        }
        if let Err(error) = socket.set_tcp_nodelay(true) {
            log::debug!(error:%; "a connection sends small packets late");
        }
        let (wire, place) = places.admit(peer.map(|peer| peer.ip()));
        let stream = Transport::Plain(stream);
        Self { stream, wire, heads: Heads::default(), interim: &[], due: None, head_within, place }
    }

    /// The connection, once its client has shaken hands for TLS, for which it has as long as for a head. A connection without a place of its
    /// own costs no handshake: it is closed, unless `probes` says that it may bring one.
    ///
    /// # Errors
    /// It is to be closed: there was no handshake, or none in time.
    pub async fn with_tls(self, by: Arc<ServerConfig>, probes: bool) -> io::Result<Self> {
        match self.wire.standing() {
            Standing::Whole => {}
            Standing::ForProbes if probes => {}
            Standing::ForProbes | Standing::OfTooMany => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        let Transport::Plain(stream) = self.stream else { return Ok(self) };
        let stream = handshake::shake_hands(stream, by, &self.wire, self.head_within).await?;
        Ok(Self { stream: Transport::Tls(Box::new(stream)), ..self })
    }

    /// What is known of it elsewhere.
    pub fn wire(&self) -> Arc<Wire> {
        self.wire.clone()
    }

    /// Takes it apart, for whom it goes on without HTTP: with what was read and is not handed out.
    pub fn into_parts(self) -> (Transport, Arc<Wire>, Place, BytesMut) {
        (self.stream, self.wire, self.place, self.heads.into_rest())
    }

    /// An error once it is cut. To be asked whenever it is used, so that whoever is woken by the cut comes to its end.
    fn check(&self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.wire.is_cut(cx) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }

    /// Writes what is left of [`CONTINUE`].
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.interim))?;
            self.interim = &self.interim[written..];
            // It is so little that nothing is left to be flushed later, unless the client reads nothing at all.
            _ = Pin::new(&mut self.stream).poll_flush(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the time for a head is over.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        if self.heads.is_awaited(&self.wire) {
            let due = self.due.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.head_within)));
            return due.as_mut().poll(cx).is_ready();
        }
        self.due = None;
        false
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.check(cx)?;
        // The library reads whenever it is woken, and writes only when it has something to say.
        if this.wire.take_continue() {
            this.interim = CONTINUE;
        }
        if let Poll::Ready(Err(error)) = this.poll_interim(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if this.heads.hand_out(into) {
                return Poll::Ready(Ok(()));
            }
            let before = into.filled().len();
            let read = Pin::new(&mut this.stream).poll_read(cx, into);
            if read.is_pending() {
                return match this.is_overdue(cx) {
                    true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    false => Poll::Pending,
                };
            }
            ready!(read)?;
            if into.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            match this.heads.look(&mut into.filled_mut()[before..], &this.wire) {
                Seen::Pass => return Poll::Ready(Ok(())),
                // It is held until the head is whole.
                Seen::Held => into.set_filled(before),
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        // Whoever is answered need not go on.
        self.wire.take_continue();
        ready!(self.poll_interim(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

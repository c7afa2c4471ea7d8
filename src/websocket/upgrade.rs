//! How a connection leaves the HTTP library: its request is answered by the same application as every other, and a handler that agrees
//! to an upgrade leaves word what is to be done with the stream once the answer is sent.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::h1::{Codec, SendResponse};
use actix_http::{HttpMessage, Request, Response, StatusCode};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Worker;
use crate::line::{Line, Place, Transport, Wire};

/// How long what a client still sends is read after its upgrade was refused, so that it gets the answer.
const LINGER: Duration = Duration::from_secs(1);
/// How much of it, in bytes.
const LEFT_OVER: usize = 64 * 1024;

/// A connection as the HTTP library leaves it.
pub struct Raw {
    pub(super) io: Transport,
    pub(super) wire: Arc<Wire>,
    /// What was read and may not be looked at yet; at first what the client has sent behind its handshake.
    pub(super) early: Vec<u8>,
    _place: Place,
}

impl Raw {
    /// Of a connection from which this has been read.
    pub(super) fn of(line: Line, early: &[u8]) -> Self {
        let (io, wire, place, held) = line.into_parts();
        Self { io, wire, early: [early, &held].concat(), _place: place }
    }

    /// Ends it after an answer that was no upgrade.
    async fn end(mut self) {
        let gone = async {
            self.io.shutdown().await?;
            let (mut left, mut room) = (LEFT_OVER, [0; 1_024]);
            while left > 0 {
                match self.io.read(&mut room).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            io::Result::Ok(())
        };
        _ = timeout(LINGER, gone).await;
    }
}

type Then = Box<dyn FnOnce(Raw)>;

/// Where a handler leaves word. Among the extensions of a request for an upgrade.
pub struct Upgrade {
    worker: Rc<Worker>,
    then: RefCell<Option<Then>>,
}

impl Upgrade {
    /// What the thread's sockets share.
    pub fn worker(&self) -> Rc<Worker> {
        self.worker.clone()
    }

    /// What is done with the stream after the answer `101 Switching Protocols`, and with no other.
    pub fn then(&self, then: impl FnOnce(Raw) + 'static) {
        *self.then.borrow_mut() = Some(Box::new(then));
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}

/// What the HTTP library is to call for requests that ask for an upgrade: the application, which is built once more for them.
pub fn serve<S, B>(
    app: S,
) -> impl ServiceFactory<(Request, Framed<Line, Codec>), Config = (), Response = (), Error = Infallible, InitError = ()>
where
    S: ServiceFactory<Request, Config = ()> + 'static,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    fn_factory(move || {
        let app = app.new_service(());
        async move {
            let (app, worker) = (Rc::new(app.await.map_err(|_| ())?), Worker::start());
            Ok::<_, ()>(fn_service(move |(request, framed)| answer(app.clone(), worker.clone(), request, framed)))
        }
    })
}

async fn answer<S, B>(
    app: Rc<S>,
    worker: Rc<Worker>,
    request: Request,
    framed: Framed<Line, Codec>,
) -> Result<(), Infallible>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let upgrade = Rc::new(Upgrade { worker, then: RefCell::default() });
    request.extensions_mut().insert(upgrade.clone());
    let response = match app.call(request).await {
        Ok(response) => response.into().map_into_boxed_body(),
        Err(error) => error.into(),
    };
    let is_agreed = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    // An error here is a connection that broke: nobody is left to tell.
    let response = response.map_body(|_, body| Answer(body));
    let Ok(framed) = SendResponse::new(framed, response).await else { return Ok(()) };
    let parts = framed.into_parts();
    let raw = Raw::of(parts.io, &parts.read_buf);
    match upgrade.then.take() {
        Some(then) if is_agreed => then(raw),
        _ => raw.end().await,
    }
    Ok(())
}

/// A body, its errors in the form that the library sends them in.
struct Answer(BoxBody);

impl MessageBody for Answer {
    type Error = PayloadError;

    fn size(&self) -> BodySize {
        self.0.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        let next = Pin::new(&mut self.0).poll_next(cx);
        next.map_err(|error| PayloadError::Io(io::Error::other(error.to_string())))
    }
}

//! A server that says again what it is told, on the very same sockets as the program: for conformance tests (`make autobahn`).
//!
//! `cargo run --release --example echo -- 127.0.0.1:9001 [compression]`

use std::future::ready;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error, HttpRequest, HttpResponse, rt, web};
use sophie::line::{Line, Places, Wire};
use sophie::websocket::{Allowed, Connection, Opcode, Options, Receiver, Unsent, handshake, serve};
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::{OutboxLimits, SocketHandle};

/// The largest message of the conformance tests.
const MOST_BYTES: usize = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// With the socket's queue where messages are compressed on their way through it.
struct Echo(Option<SocketHandle>);

impl Receiver for Echo {
    fn text(&mut self, text: &str, out: &mut Unsent) {
        match &self.0 {
            Some(queue) => _ = queue.push(text.into()),
            None => out.say(Opcode::Text, text.as_bytes()),
        }
    }

    fn binary(&mut self, bytes: &[u8], out: &mut Unsent) {
        out.say(Opcode::Binary, bytes);
    }

    fn closed(&mut self, _: Option<CloseCode>) {}
}

/// Whether messages may be compressed.
struct Compression(bool);

async fn connect(request: HttpRequest, compression: web::Data<Compression>) -> Result<HttpResponse, Error> {
    let upgrade = handshake::opening(&request)?;
    let deflate = handshake::compression(&request, compression.0);
    let allowed = Allowed { bytes: MOST_BYTES, binary: true, compressed: deflate.is_some() };
    let wire = request.conn_data::<Arc<Wire>>().cloned();
    let limits = OutboxLimits { bytes: MOST_BYTES, frames: 100, age: PATIENCE };
    let worker = upgrade.worker();
    let handle = SocketHandle::new(limits, Some(worker.bell()), move || wire.iter().for_each(|wire| wire.cut()));
    upgrade.then(move |raw| {
        let options = Options { allowed, heartbeat: None, deflate };
        let echo = Echo(deflate.map(|_| handle.clone()));
        rt::spawn(Connection::new(raw, handle, echo, worker, options));
    });
    Ok(handshake::accept(&request, None, deflate))
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let compression = web::Data::new(Compression(arguments.next().as_deref() == Some("compression")));
    let listener = TcpListener::bind(&address)?;
    println!("echoes at {}", listener.local_addr()?);
    let places = Places::new(1_000, 0, Vec::new());
    let service = move || {
        let app = || {
            let app = App::new().app_data(compression.clone()).default_service(web::get().to(connect));
            map_config(app.into_factory().map_err(|error: Error| error.error_response()), |()| AppConfig::default())
        };
        let over_http = HttpService::build()
            .on_connect_ext(|line: &Line, of_connection| _ = of_connection.insert(line.wire()))
            .upgrade(serve(app()))
            .finish(app());
        let places = places.clone();
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            ready(Ok((Line::new(stream, peer, &places, PATIENCE), Protocol::Http1, peer)))
        })
        .and_then(over_http)
    };
    Server::build().workers(1).listen("echo", listener, service)?.run().await
}

//! A server that is not what it is taken for: it answers every request in one way, and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sophie_kit::HeldPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Status, content type and body for the first line of a request.
type Answer = dyn Fn(&str) -> (u16, &'static str, String) + Send + Sync;

/// The server. It ends when it is dropped.
pub struct FixedServer {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Mutex<String>>,
    serving: JoinHandle<()>,
    _port: HeldPort,
}

impl FixedServer {
    /// One that gives every request the same answer.
    pub async fn start(status: u16, kind: &'static str, body: &'static str) -> Self {
        Self::answering(move |_| (status, kind, body.to_owned())).await
    }

    /// One that answers by the first line of a request (`GET /v1/models HTTP/1.1`).
    pub async fn answering(answer: impl Fn(&str) -> (u16, &'static str, String) + Send + Sync + 'static) -> Self {
        let port = HeldPort::free();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).await.expect("it is held");
        let address = listener.local_addr().expect("bound");
        let heard: Arc<Mutex<String>> = Arc::default();
        let answer: Arc<Answer> = Arc::new(answer);
        let noted = heard.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), noted.clone()));
            }
        });
        Self { address, heard, serving, _port: port }
    }

    /// One that takes connections and says nothing.
    pub async fn silent() -> Self {
        Self::start(0, "", "").await
    }

    /// `http://…` of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All that it was sent.
    pub fn heard(&self) -> String {
        self.heard.lock().expect("whole").clone()
    }
}

impl Drop for FixedServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request of a connection, which is closed then.
async fn serve(mut stream: TcpStream, answer: Arc<Answer>, heard: Arc<Mutex<String>>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    heard.lock().expect("whole").push_str(&request);
    let (status, kind, body) = answer(request.lines().next().unwrap_or_default());
    if status == 0 {
        return std::future::pending().await;
    }
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n", body.len());
    _ = stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await;
    // What is still to come is read, or the answer would be lost with it.
    let mut rest = [0; 1024];
    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
}

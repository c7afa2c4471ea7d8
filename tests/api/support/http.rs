//! HTTP over a bare TCP connection: every byte is the test's own, and every byte of the answer is seen.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{SOON, described};

/// One connection.
pub struct RawHttp {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What came of a request.
#[derive(Debug)]
pub struct RawResponse {
    /// Its status.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// As long as the head says.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, it)| (name, it.trim())).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl RawHttp {
    /// Connects.
    pub async fn to(address: SocketAddr) -> Self {
        let stream = timeout(SOON, TcpStream::connect(address)).await.expect("in time").expect("connected");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes. `false`: the connection has ended.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends a request, and reads its answer.
    pub async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> RawResponse {
        let request = bytes.as_ref().to_vec();
        assert!(self.send(&request).await, "the connection has ended");
        let response = self.response(SOON).await;
        if let Some((method, target)) = asked(&request) {
            described::whole(&method, &target, response.status, &response.pairs(), &response.body);
        }
        response
    }

    /// The next answer.
    pub async fn response(&mut self, within: Duration) -> RawResponse {
        self.response_or_end(within).await.expect("an answer before the connection ends")
    }

    /// The next answer; `None` if the connection ends without.
    pub async fn response_or_end(&mut self, within: Duration) -> Option<RawResponse> {
        timeout(within, async {
            loop {
                if let Some(response) = self.take() {
                    return Some(response);
                }
                if !self.read().await {
                    assert!(self.unread.is_empty(), "half an answer: {}", String::from_utf8_lossy(&self.unread));
                    return None;
                }
            }
        })
        .await
        .expect("an answer in time")
    }

    /// Waits for the end of the connection; what came before that.
    pub async fn rest(&mut self, within: Duration) -> Vec<u8> {
        timeout(within, async { while self.read().await {} }).await.expect("the connection ends in time");
        std::mem::take(&mut self.unread)
    }

    /// Whether the connection still stands after a while in which nothing is sent.
    pub async fn stands(&mut self, for_: Duration) -> bool {
        timeout(for_, self.read()).await.is_err()
    }

    /// Sends nothing more, and reads on.
    pub async fn close_half(&mut self) {
        self.stream.shutdown().await.expect("half closed");
    }

    /// Ends the connection, without a word or with a reset.
    pub fn break_off(self, reset: bool) {
        if reset {
            self.stream.set_zero_linger().expect("set");
        }
    }

    async fn read(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..))
    }

    fn take(&mut self) -> Option<RawResponse> {
        let end = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.unread[..end]).to_lowercase();
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        let mut response = RawResponse { status, head, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        response.body = self.unread.get(end..end + length)?.to_vec();
        self.unread.drain(..end + length);
        Some(response)
    }
}

/// The method and the path that a request asks for, if that can be told.
fn asked(request: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(request.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    (target.starts_with('/') && words.next()?.starts_with("HTTP/1.")).then(|| (method.to_owned(), target.to_owned()))
}

//! Callers: how long answers take, and how many there are.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The length of what follows, none if it is chunked, and the first line.
pub(crate) async fn read_head(stream: &mut BufReader<TcpStream>) -> Option<(Option<usize>, String)> {
    let (mut length, mut first, mut line) = (None, String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let text = line.trim_end();
        if text.is_empty() {
            return Some((length, first));
        }
        if first.is_empty() {
            first = text.to_owned();
        }
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
}

/// One connection of the load.
pub(crate) struct Caller {
    pub(crate) stream: BufReader<TcpStream>,
    pub(crate) head: String,
}

/// To the first byte of the body, and to its end.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) first: Duration,
    pub(crate) whole: Duration,
}

impl Caller {
    pub(crate) async fn connect(target: &Target) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nauthorization: Bearer sk-bench\r\n{}",
            target.path, target.headers
        );
        Self { stream: BufReader::new(stream), head }
    }

    pub(crate) async fn ask(&mut self, question: &str, streams: bool) -> Took {
        // Only of a request that fixes its answer is that one looked for, and kept: the dearest way, and the one with hits.
        let body = format!(
            "{{\"model\":\"m\",\"temperature\":0,\"stream\":{streams},\"messages\":[{{\"role\":\"user\",\"content\":\"{question}\"}}]}}"
        );
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        let began = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).await.expect("sent");
        let (length, status) = read_head(&mut self.stream).await.expect("a response");
        let first_byte = self.stream.fill_buf().await.expect("a body")[0];
        let first = began.elapsed();
        let mut body = Vec::new();
        match length {
            Some(length) => {
                body.resize(length, 0);
                self.stream.read_exact(&mut body).await.expect("a body");
            }
            None => read_chunks(&mut self.stream, &mut body).await,
        }
        assert!(status.contains(" 200 "), "{status}: {}", String::from_utf8_lossy(&body));
        let text = String::from_utf8_lossy(&body);
        assert!(if streams { text.contains("[DONE]") } else { text.contains("word word") }, "{first_byte} {text}");
        Took { first, whole: began.elapsed() }
    }
}

pub(crate) async fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.expect("a chunk");
        let length = usize::from_str_radix(line.trim(), 16).expect("a length");
        let at = body.len();
        body.resize(at + length, 0);
        stream.read_exact(&mut body[at..]).await.expect("a chunk");
        stream.read_line(&mut line).await.expect("its end");
        if length == 0 {
            return;
        }
    }
}

/// Somewhere to ask.
pub(crate) struct Target {
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    pub(crate) headers: String,
}

impl Target {
    pub(crate) fn at(port: u16) -> Self {
        Self { port, path: "/v1/chat/completions", headers: String::new() }
    }
}

pub(crate) fn percentile(times: &mut [Duration], of: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * of).round() as usize;
    times[at].as_secs_f64() * 1e3
}

/// Asks `count` times over `callers` connections, each question another one; returns requests a second and what each took.
pub(crate) async fn load(target: &Target, callers: usize, count: usize, streams: bool) -> (f64, Vec<Took>) {
    let began = Instant::now();
    let work = (0..callers).map(async |caller| {
        let (mut connection, mut took) = (Caller::connect(target).await, Vec::new());
        for n in 0..count / callers {
            let question = format!("question {caller} {n} {}", began.elapsed().as_nanos());
            took.push(connection.ask(&question, streams).await);
        }
        took
    });
    let took = futures_util::future::join_all(work).await.concat();
    (took.len() as f64 / began.elapsed().as_secs_f64(), took)
}

/// What a gateway adds, in ms (p50, p99): asked in turn with the backend itself, one at a time.
pub(crate) async fn added(target: &Target, direct: &Target, count: usize, streams: bool) -> (f64, f64) {
    let (mut through, mut straight) = (Caller::connect(target).await, Caller::connect(direct).await);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for n in 0..count + 20 {
        let question = format!("one {n} of {count} {streams}");
        let (one, other) = (through.ask(&question, streams).await, straight.ask(&question, streams).await);
        if n >= 20 {
            with.push(if streams { one.first } else { one.whole });
            without.push(if streams { other.first } else { other.whole });
        }
    }
    let base = percentile(&mut without, 0.5);
    (percentile(&mut with, 0.5) - base, percentile(&mut with, 0.99) - base)
}

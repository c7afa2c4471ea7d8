//! What the gateway adds to a request, beside LiteLLM and Portkey's gateway in one run: an AI backend that answers at once, with
//! 20 chunks, and each gateway on one core of its own; this process (load and backend) has the other.
//!
//! `make bench-gateway` installs the peers under `target/bench` and runs this; `cargo bench --bench gateway` runs it with those
//! that are there. Needs redis-server and taskset. Read the ratios and differences: machines differ, and they are noisy.
//!
//! `SOPHIE_BEFORE=/path/to/another/sophie cargo bench --bench gateway` measures that program instead of the peers, in turn with
//! this one, and prints this one's figures as multiples of that one's.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sophie_kit::TestServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const CHUNKS: usize = 20;
/// The core of the gateways, and that of load and backend.
const THEIRS: &str = "0";
const OURS: &str = "1";

/// Answers everything at once.
async fn backend() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream));
        }
    });
    port
}

async fn serve(stream: TcpStream) {
    stream.set_nodelay(true).expect("a socket");
    let mut stream = BufReader::new(stream);
    let piece = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
             \"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut events: String = (1..CHUNKS).map(|_| piece("{\"content\":\"word \"}", "null")).collect();
    events += &piece("{}", "\"stop\"");
    events += "data: [DONE]\n\n";
    let streamed = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n0\r\n\r\n",
        events.len()
    );
    let body = "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":\
                {\"role\":\"assistant\",\"content\":\"word word word\"},\"finish_reason\":\"stop\"}],\
                \"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8}}";
    let whole =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    while let Some(request) = read_request(&mut stream).await {
        let text = String::from_utf8_lossy(&request);
        let streams = text.contains("\"stream\":true") || text.contains("\"stream\": true");
        let answer = if streams { &streamed } else { &whole };
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (length, _) = read_head(stream).await?;
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// The length of what follows, none if it is chunked, and the first line.
async fn read_head(stream: &mut BufReader<TcpStream>) -> Option<(Option<usize>, String)> {
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
struct Caller {
    stream: BufReader<TcpStream>,
    head: String,
}

/// To the first byte of the body, and to its end.
#[derive(Clone, Copy)]
struct Took {
    first: Duration,
    whole: Duration,
}

impl Caller {
    async fn connect(target: &Target) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nauthorization: Bearer sk-bench\r\n{}",
            target.path, target.headers
        );
        Self { stream: BufReader::new(stream), head }
    }

    async fn ask(&mut self, question: &str, streams: bool) -> Took {
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

async fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) {
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
struct Target {
    port: u16,
    path: &'static str,
    headers: String,
}

impl Target {
    fn at(port: u16) -> Self {
        Self { port, path: "/v1/chat/completions", headers: String::new() }
    }
}

/// A process under measurement.
struct Peer {
    name: &'static str,
    child: Child,
    target: Target,
    streams: bool,
}

impl Peer {
    async fn start(name: &'static str, target: Target, streams: bool, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut peer = Self { name, child: child.expect("it starts"), target, streams };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", peer.target.port)).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(90), "{name} does not listen");
            assert!(peer.child.try_wait().expect("a child").is_none(), "{name} has ended");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        peer
    }

    async fn sophie(name: &'static str, backend: u16, more: &[(&str, &str)]) -> Self {
        // Another build may not know what this one has to be told.
        let keys = [("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "60000000"), ("SOPHIE__LIMITS__KEY_BURST", "1000000")];
        Self::sophie_of(env!("CARGO_BIN_EXE_sophie"), name, backend, &[more, &keys].concat()).await
    }

    async fn sophie_of(program: &str, name: &'static str, backend: u16, more: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut command = pinned(program);
        command.current_dir(std::env::temp_dir()).envs([
            ("SOPHIE__SERVER__BIND", format!("127.0.0.1:{port}")),
            ("SOPHIE__SERVER__WORKERS", "1".to_owned()),
            ("SOPHIE__SERVER__DRAIN_SECONDS", "0".to_owned()),
            ("OPENAI_BASE_URL", format!("http://127.0.0.1:{backend}/v1")),
            ("OPENAI_API_KEY", "x".to_owned()),
            ("SOPHIE__AUTH__API_KEYS", "bench:sk-bench".to_owned()),
            // On, and out of the way.
            ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "60000000".to_owned()),
            ("SOPHIE__LIMITS__USER_BURST", "1000000".to_owned()),
            ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "60000000".to_owned()),
            ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "1000000000".to_owned()),
        ]);
        Self::start(name, Target::at(port), true, command.envs(more.iter().copied())).await
    }

    /// CPU seconds so far, of the process and its children.
    fn cpu(&self) -> f64 {
        let tree = std::process::Command::new("ps").args(["-eo", "pid,ppid"]).output().expect("ps");
        let rows: Vec<(u32, u32)> = String::from_utf8_lossy(&tree.stdout)
            .lines()
            .filter_map(|line| {
                let mut numbers = line.split_whitespace().map(str::parse);
                Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
            })
            .collect();
        let mut all = vec![self.child.id()];
        let mut at = 0;
        while at < all.len() {
            let parent = all[at];
            all.extend(rows.iter().filter(|row| row.1 == parent).map(|row| row.0));
            at += 1;
        }
        // A child may have ended.
        all.iter().filter_map(|pid| cpu_of(*pid)).sum()
    }

    fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("alive");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        kib.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") / 1024.0
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn cpu_of(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = after_name[11..13].iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    // USER_HZ is 100 on every Linux.
    Some(ticks / 100.0)
}

fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", THEIRS, program]);
    command
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port()
}

fn percentile(times: &mut [Duration], of: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * of).round() as usize;
    times[at].as_secs_f64() * 1e3
}

/// Asks `count` times over `callers` connections, each question another one; returns requests a second and what each took.
async fn load(target: &Target, callers: usize, count: usize, streams: bool) -> (f64, Vec<Took>) {
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
async fn added(target: &Target, direct: &Target, count: usize, streams: bool) -> (f64, f64) {
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

/// A bare GET's round trip to Redis in ms (p50), from this process.
async fn bare_get(redis: &TestServer, count: usize) -> f64 {
    let address = redis.url(0).replace("redis://", "").replace("/0", "");
    let stream = TcpStream::connect(address).await.expect("redis");
    stream.set_nodelay(true).expect("a socket");
    let mut stream = BufReader::new(stream);
    let value = "x".repeat(4_000);
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
    stream.get_mut().write_all(set.as_bytes()).await.expect("sent");
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("a reply");
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        stream.get_mut().write_all(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").await.expect("sent");
        stream.read_line(&mut line).await.expect("a length");
        let mut body = vec![0; value.len() + 2];
        stream.read_exact(&mut body).await.expect("a value");
        times.push(began.elapsed());
    }
    percentile(&mut times, 0.5)
}

async fn litellm(backend: u16) -> Option<Peer> {
    let program = format!("{HERE}/target/bench/venv/bin/litellm");
    if !Path::new(&program).exists() {
        return None;
    }
    let (port, config) = (free_port(), std::env::temp_dir().join(format!("litellm-{backend}.yaml")));
    let text = format!(
        "model_list:\n  - model_name: m\n    litellm_params:\n      model: openai/m\n      api_base: http://127.0.0.1:{backend}/v1\n      \
         api_key: x\nlitellm_settings:\n  telemetry: false\n"
    );
    std::fs::write(&config, text).expect("a file");
    let mut command = pinned(&program);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--num_workers", "1", "--config"]).arg(config);
    command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    Some(Peer::start("LiteLLM", Target::at(port), true, &mut command).await)
}

async fn portkey(backend: u16) -> Option<Peer> {
    let program = format!("{HERE}/target/bench/node_modules/@portkey-ai/gateway/build/start-server.js");
    if !Path::new(&program).exists() {
        return None;
    }
    let port = free_port();
    let headers = format!("x-portkey-provider: openai\r\nx-portkey-custom-host: http://127.0.0.1:{backend}/v1\r\n");
    let mut command = pinned("node");
    command.arg(program).arg(format!("--port={port}")).arg("--headless").env("TRUSTED_CUSTOM_HOSTS", "127.0.0.1");
    // Its streaming answers 500 as installed.
    Some(Peer::start("Portkey", Target { headers, ..Target::at(port) }, false, &mut command).await)
}

async fn measure(peer: &Peer, direct: &Target, count: usize) {
    load(&peer.target, 4, 200, peer.streams).await;
    let mut line = format!("{:<18}", peer.name);
    if peer.streams {
        let before = peer.cpu();
        let (rate, mut took) = load(&peer.target, 32, count, true).await.clone();
        let cpu = (peer.cpu() - before) / took.len() as f64 * 1e3;
        let mut first: Vec<_> = took.drain(..).map(|took| took.first).collect();
        line += &format!(" {rate:>9.0} {cpu:>14.3} {:>12.1}", percentile(&mut first, 0.5));
        let (p50, p99) = added(&peer.target, direct, count.min(2_000), true).await;
        line += &format!(" {p50:>11.3} {p99:>9.3}");
    } else {
        line += &format!(" {:>9} {:>14} {:>12} {:>11} {:>9}", "-", "-", "-", "-", "-");
    }
    let (p50, p99) = added(&peer.target, direct, count.min(2_000), false).await;
    println!("{line} {p50:>11.3} {p99:>9.3}");
}

/// The middle of what was measured.
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// What one turn of a comparison gives, in the order of [`FIGURES`].
async fn turn(peer: &Peer, direct: &Target, hits: &mut Caller) -> [f64; 5] {
    let before = peer.cpu();
    let (_, took) = load(&peer.target, 32, 4_000, true).await;
    let cpu = (peer.cpu() - before) / took.len() as f64 * 1e3;
    let mut first: Vec<_> = took.iter().map(|took| took.first).collect();
    let (streamed, _) = added(&peer.target, direct, 300, true).await;
    let (whole, _) = added(&peer.target, direct, 300, false).await;
    let mut times = Vec::new();
    for _ in 0..300 {
        times.push(hits.ask("the same", false).await.whole);
    }
    [cpu, percentile(&mut first, 0.5), streamed, whole, percentile(&mut times, 0.5)]
}

const FIGURES: [&str; 5] = [
    "CPU s per 1,000 streams, c=32",
    "first ms p50, c=32",
    "added to a stream, ms p50",
    "added to a whole answer, ms p50",
    "a hit, ms p50",
];

/// This program beside another one, in turns, so that what else the machine does meets both.
async fn compare(program: &str, backend: u16, direct: &Target, url: &str) {
    const TURNS: usize = 9;
    for (name, more) in [("memory", &[][..]), ("Redis", &[("USE_REDIS", "true"), ("REDIS_URL", url)][..])] {
        let peers = [Peer::sophie_of(program, "before", backend, more).await, Peer::sophie(name, backend, more).await];
        let mut hits = Vec::new();
        for peer in &peers {
            load(&peer.target, 4, 400, true).await;
            let mut caller = Caller::connect(&peer.target).await;
            caller.ask("the same", false).await;
            hits.push(caller);
        }
        let mut turns: [Vec<[f64; 5]>; 2] = Default::default();
        for _ in 0..TURNS {
            for ((peer, hits), turns) in peers.iter().zip(&mut hits).zip(&mut turns) {
                turns.push(turn(peer, direct, hits).await);
            }
        }
        println!("\n{name:<34} {:>9} {:>9} {:>7}", "before", "now", "ratio");
        for (at, figure) in FIGURES.iter().enumerate() {
            let [before, now] = [0, 1].map(|side| median(turns[side].iter().map(|turn| turn[at]).collect()));
            let ratios = turns[0].iter().zip(&turns[1]).map(|(before, now)| now[at] / before[at]).collect();
            println!("{figure:<34} {before:>9.3} {now:>9.3} {:>7.2}", median(ratios));
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-pc", OURS, &own]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "taskset, and two cores");
    let backend = backend().await;
    let direct = Target::at(backend);
    let redis = TestServer::start();
    let url = redis.url(0);
    if let Ok(program) = std::env::var("SOPHIE_BEFORE") {
        return compare(&program, backend, &direct, &url).await;
    }
    println!(
        "{:<18} {:>9} {:>14} {:>12} {:>11} {:>9} {:>11} {:>9}",
        "streaming, c=32:", "req/s", "CPU s/1000", "first ms p50", "c=1: +p50", "+p99", "whole: +p50", "+p99"
    );
    let (straight, mut took) = load(&direct, 32, 20_000, true).await;
    let mut first: Vec<_> = took.drain(..).map(|took| took.first).collect();
    println!("{:<18} {straight:>9.0} {:>14} {:>12.1}", "backend itself", "", percentile(&mut first, 0.5));
    let sophie = Peer::sophie("Sophie, memory", backend, &[]).await;
    measure(&sophie, &direct, 20_000).await;
    let with_redis = [("USE_REDIS", "true"), ("REDIS_URL", url.as_str())];
    let shared = Peer::sophie("Sophie, Redis", backend, &with_redis).await;
    measure(&shared, &direct, 10_000).await;
    if let Some(peer) = portkey(backend).await {
        measure(&peer, &direct, 2_000).await;
    }
    if let Some(peer) = litellm(backend).await {
        measure(&peer, &direct, 1_000).await;
    }

    println!("\na hit in the cache, whole, one at a time:");
    for peer in [&sophie, &shared] {
        let mut caller = Caller::connect(&peer.target).await;
        caller.ask("the same", false).await;
        let mut times = Vec::new();
        for _ in 0..3_000 {
            times.push(caller.ask("the same", false).await.whole);
        }
        println!(
            "{:<18} p50 {:.3} ms, p99 {:.3} ms",
            peer.name,
            percentile(&mut times, 0.5),
            percentile(&mut times, 0.99)
        );
    }
    println!("{:<18} p50 {:.3} ms", "bare Redis GET", bare_get(&redis, 3_000).await);

    let before = sophie.memory_mib();
    load(&sophie.target, 32, 50_000, true).await;
    let middle = sophie.memory_mib();
    load(&sophie.target, 32, 50_000, true).await;
    println!(
        "\nmemory (RSS) of {}: {before:.1} MiB before, {middle:.1} after 50,000 requests more, {:.1} after 100,000",
        sophie.name,
        sophie.memory_mib()
    );
}

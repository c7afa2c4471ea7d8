//! What the gateway adds to a request, beside LiteLLM and Portkey's gateway in one run: an AI backend that answers at once, with
//! 20 chunks, and each gateway on one core of its own; this process (load and backend) has the other.
//!
//! `make bench-gateway` installs the peers under `target/bench` and runs this; `cargo bench --bench gateway` runs it with those
//! that are there. Needs redis-server and taskset. Read the ratios and differences: machines differ, and they are noisy.
//!
//! `SOPHIE_BEFORE=/path/to/another/sophie cargo bench --bench gateway` measures that program instead of the peers, in turn with
//! this one, and prints this one's figures as multiples of that one's. `SOPHIE_RECORDING=1 cargo bench --bench gateway` measures
//! alone what it costs that answers can be read again.

mod backend;
mod compare;
mod load;
mod peer;
mod recording;

use std::process::{Command, Stdio};

use sophie_kit::TestServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::backend::backend;
use crate::compare::compare;
use crate::load::{Caller, Target, added, load, percentile};
use crate::peer::{Peer, litellm, portkey};
use crate::recording::recording;

/// The core of load and backend.
const OURS: &str = "1";

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
    if std::env::var_os("SOPHIE_RECORDING").is_some() {
        return recording(backend, &direct, &url).await;
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
    recording(backend, &direct, &url).await;
}

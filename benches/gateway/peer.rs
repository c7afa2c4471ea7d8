//! The gateways under measurement, each a process on a core of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::load::Target;

pub(crate) const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The core of the gateways.
pub(crate) const THEIRS: &str = "0";

/// A process under measurement.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) child: Child,
    pub(crate) target: Target,
    pub(crate) streams: bool,
}

impl Peer {
    pub(crate) async fn start(name: &'static str, target: Target, streams: bool, command: &mut Command) -> Self {
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

    pub(crate) async fn sophie(name: &'static str, backend: u16, more: &[(&str, &str)]) -> Self {
        // Another build may not know what this one has to be told.
        let keys = [("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "60000000"), ("SOPHIE__LIMITS__KEY_BURST", "1000000")];
        Self::sophie_of(env!("CARGO_BIN_EXE_sophie"), name, backend, &[more, &keys].concat()).await
    }

    pub(crate) async fn sophie_of(program: &str, name: &'static str, backend: u16, more: &[(&str, &str)]) -> Self {
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
    pub(crate) fn cpu(&self) -> f64 {
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

    pub(crate) fn memory_mib(&self) -> f64 {
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

pub(crate) fn cpu_of(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = after_name[11..13].iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    // USER_HZ is 100 on every Linux.
    Some(ticks / 100.0)
}

pub(crate) fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", THEIRS, program]);
    command
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port()
}

pub(crate) async fn litellm(backend: u16) -> Option<Peer> {
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

pub(crate) async fn portkey(backend: u16) -> Option<Peer> {
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

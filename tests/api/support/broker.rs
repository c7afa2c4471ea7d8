//! The program as a process of its own, for what only a process can suffer: signals.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use sophie_kit::HeldPort;
use sophie_kit::ai_server::AiServer;
use tempfile::NamedTempFile;
use tokio::time::Instant;

use super::Client;
use super::app::ADMIN_TOKEN;

/// The real binary. Killed when it is dropped.
pub struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    log: NamedTempFile,
    _port: Option<HeldPort>,
}

impl Broker {
    /// Starts the binary on `port` (one that is free if 0) and waits until it is live.
    pub async fn start(port: u16, environment: &[(&str, &str)]) -> Self {
        // A test run that was started by nohup ignores SIGHUP, and what it starts would too.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_sophie")]);
        Self::start_by(command, port, environment).await
    }

    /// The binary with the settings of a file, which may change while it runs; the environment says where it listens, and nothing else.
    pub async fn with_file(file: &Path) -> Self {
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_sophie"), "--settings"]).arg(file);
        Self::launch(command, 0).await
    }

    /// A node of this name that uses this Redis and this AI server.
    pub async fn node(url: &str, ai: &AiServer, name: &str, more: &[(&str, &str)]) -> Self {
        let own = [("USE_REDIS", "true"), ("REDIS_URL", url), ("SOPHIE__SERVER__NODE", name)];
        Self::start(0, &[&ai.environment()[..], &own, more].concat()).await
    }

    /// [`Self::start`], with no more than so many open files.
    pub async fn with_files(files: u32, environment: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        let limited = format!("ulimit -n {files} && exec env --default-signal=HUP \"$0\"");
        shell.args(["-c", &limited, env!("CARGO_BIN_EXE_sophie")]);
        Self::start_by(shell, 0, environment).await
    }

    async fn start_by(mut command: Command, port: u16, environment: &[(&str, &str)]) -> Self {
        command.env("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN).env("SOPHIE__LIMITS__ENABLED", "false");
        command.env("SOPHIE__AI__BACKEND", "demo").envs(environment.iter().copied());
        let broker = Self::launch(command, port).await;
        if environment.contains(&("USE_REDIS", "true")) {
            broker.try_ready().await;
        }
        broker
    }

    /// Waits until it is ready if its Redis is there: beside others that start, the first calls are answered too late now and
    /// then, and what is asked in the seconds after that is refused. One whose Redis is away is as ready as it will be.
    async fn try_ready(&self) {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            // Who cannot be asked speaks another protocol here.
            let Ok(response) = Client::new().get(format!("http://{}/health/ready", self.address)).send().await else {
                return;
            };
            let told: Value = response.json().await.unwrap_or_default();
            let main = &told["details"]["redis"]["main"];
            let is_late = main["reachable"] == true || main["reason"] == "no answer in time";
            if told["status"] == "ready" || !is_late {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn launch(mut command: Command, port: u16) -> Self {
        // Tests ask the process by HTTP, and reqwest wants to know by what it would encrypt.
        sophie::tls::install();
        let held = if port == 0 { Some(HeldPort::free()) } else { HeldPort::of(port) };
        let port = held.as_ref().map_or(port, HeldPort::number);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let dir = std::env::temp_dir();
        command.current_dir(dir);
        // A test may want it on every address.
        if !command.get_envs().any(|(name, _)| name == "SOPHIE__SERVER__BIND") {
            command.env("SOPHIE__SERVER__BIND", address.to_string());
        }
        let log = NamedTempFile::new().expect("a file");
        let stderr = log.reopen().expect("a second handle");
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().expect("the binary starts");
        let broker = Self { address, child, log, _port: held };
        let until = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(Instant::now() < until, "the program does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        broker
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A figure of its memory in bytes: `VmRSS`, `VmHWM`.
    #[cfg(target_os = "linux")]
    pub fn memory(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).expect("a figure");
        let kib: u64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1_024
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("text")
    }

    /// The reply to an operator's `GET`: status and text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path).await
    }

    /// The reply to an operator's request of another method: status and text.
    pub async fn send(&self, method: &str, path: &str) -> (u16, String) {
        let request = Client::new().request(method, format!("http://{}{path}", self.address));
        let response = request.bearer_auth(ADMIN_TOKEN).send().await.expect("a response");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    /// Readiness: status and body.
    pub async fn readiness(&self) -> (u16, Value) {
        let (status, body) = self.get("/health/ready").await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }

    /// The changes of a dependency that it has logged: `degraded`, `ok`.
    pub fn changes(&self, dependency: &str) -> Vec<String> {
        let before = format!("dependency={dependency} state=");
        let log = self.log();
        let states = log.lines().filter_map(|line| line.split_once(&before)?.1.split(' ').next());
        states.map(str::to_owned).collect()
    }

    /// Sends a signal: `-TERM`, `-KILL`, `-STOP`, `-CONT`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill is there");
        assert!(status.success());
    }

    /// Waits for the process to end and returns its exit code (`None` after a signal), with how long that took.
    pub fn wait(&mut self, within: Duration) -> (Option<i32>, Duration) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return (status.code(), since.elapsed());
            }
            assert!(since.elapsed() < within, "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        } else {
            assert!(!self.log().contains("panicked at"), "{}", self.log());
        }
    }
}

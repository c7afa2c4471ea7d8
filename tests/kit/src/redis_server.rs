//! A redis-server of the tests' own.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::HeldPort;

/// How often a server that was started is asked whether it answers, ten milliseconds apart: a busy machine starts many at a time.
const LOOKS: usize = 3_000;

/// One server on a free port of this machine, without persistence unless it is asked for. Ends when it is dropped.
pub struct TestServer {
    port: HeldPort,
    dir: TempDir,
    durable: bool,
    child: Option<Child>,
}

impl TestServer {
    /// A port on which nothing listens (yet).
    pub fn absent() -> Self {
        Self { port: HeldPort::free(), dir: TempDir::new().expect("a directory"), durable: false, child: None }
    }

    /// A server that answers.
    pub fn start() -> Self {
        let mut server = Self::absent();
        server.launch();
        server
    }

    /// A server that has written each change to its disk before it answers, and so still has it when it was killed.
    pub fn durable() -> Self {
        let mut server = Self::absent();
        server.durable = true;
        server.launch();
        server
    }

    /// A server that copies another one.
    pub fn replica_of(master: &Self) -> Self {
        let mut server = Self::absent();
        let port = master.port().to_string();
        server.launch_with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
        server
    }

    /// Writes what the server holds into the file from which [`Self::launch`] starts it again.
    pub fn save(&self) {
        redis::cmd("SAVE").query::<()>(&mut self.connection(0)).expect("saved");
    }

    /// Waits until a replica has all that this server has been told so far. `false`: none has it after a moment.
    pub fn is_copied(&self) -> bool {
        let connection = &mut self.connection(0);
        // WAIT waits for what its own connection has written, and for nothing on a new one: the order of all writes is one.
        redis::cmd("SET").arg("copied").arg(1).arg("EX").arg(60).query::<()>(connection).expect("written");
        redis::cmd("WAIT").arg(1).arg(100).query::<u64>(connection).expect("an answer") > 0
    }

    /// A Sentinel that alone decides when a master, `mine`, is dead: not while the machine pauses it for a moment.
    pub fn sentinel_of(master: &Self) -> Self {
        let mut server = Self::absent();
        let port = master.port();
        let told = format!(
            "sentinel monitor mine 127.0.0.1 {port} 1\nsentinel down-after-milliseconds mine 5000\n\
             sentinel failover-timeout mine 3000\n"
        );
        std::fs::write(server.dir.path().join("sentinel.conf"), told).expect("written");
        server.launch_with(&["--sentinel"]);
        server
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Starts what is absent: empty, or with what [`Self::save`] or one that is durable has written.
    pub fn launch(&mut self) {
        self.launch_with(&[]);
    }

    fn launch_with(&mut self, more: &[&str]) {
        let mut command = Command::new("redis-server");
        if more == ["--sentinel"] {
            // Its file is its memory, and comes first.
            command.arg(self.dir.path().join("sentinel.conf"));
            command.args(["--port", &self.port().to_string(), "--bind", "127.0.0.1"]);
        } else {
            command.args(["--port", &self.port().to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", if self.durable { "yes" } else { "no" }, "--appendfsync", "always"]);
        }
        let child = command.arg("--dir").arg(self.dir.path()).args(more).stdout(Stdio::null()).spawn().expect(
            "these tests need redis-server: install it with `apt-get install redis-server` or `brew install redis`",
        );
        self.child = Some(child);
        for _ in 0..LOOKS {
            let mut connection = redis::Client::open(self.url(0)).expect("a good URL").get_connection();
            if let Ok(connection) = &mut connection
                && redis::cmd("PING").query::<()>(connection).is_ok()
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer on port {}", self.port());
    }

    /// The URL of a database.
    pub fn url(&self, db: u8) -> String {
        format!("redis://127.0.0.1:{}/{db}", self.port())
    }

    /// A plain connection to a database, past everything under test.
    pub fn connection(&self, db: u8) -> redis::Connection {
        redis::Client::open(self.url(db)).expect("a good URL").get_connection().expect("the server is up")
    }

    /// What its access list has refused, as the commands, keys and channels that were asked for; but for what the library itself
    /// tries on newer servers.
    pub fn refused(&self) -> Vec<String> {
        let entries: redis::RedisResult<Vec<HashMap<String, String>>> =
            redis::cmd("ACL").arg("LOG").query(&mut self.connection(0));
        let objects = entries.expect("an answer").into_iter().map(|entry| entry["object"].clone());
        objects.filter(|object| !object.starts_with("client|")).collect()
    }

    /// Freezes the process, as a host that swaps or a network that drops would.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets the process go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Kills the process at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("running").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill is there").success());
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.kill();
    }
}

//! The programs under measurement, each a process on a core of its own.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::dialect::{Dialect, Plain, Sophie};
use crate::process::Usage;

/// The core of the programs.
const THEIRS: &str = "0";

/// How a program is started and spoken to.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) dialect: Box<dyn Dialect>,
    /// Whether it answers questions; else a client says the tokens.
    pub(crate) answers: bool,
    command: Box<dyn Fn(u16) -> Command>,
}

/// One that runs.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
}

impl Program {
    pub(crate) fn new(
        name: &'static str,
        dialect: impl Dialect + 'static,
        command: impl Fn(u16) -> Command + 'static,
    ) -> Self {
        Self { name, dialect: Box::new(dialect), answers: false, command: Box::new(command) }
    }

    /// The bare epoll program: this one, started again.
    pub(crate) fn epoll() -> Self {
        Self::new("epoll", Plain, |port| {
            let mut command = pinned(std::env::current_exe().expect("a path"));
            command.args(["epoll", &port.to_string()]);
            command
        })
    }

    /// Sophie as it comes, without limits and without Redis; `backend` answers its questions.
    pub(crate) fn sophie(name: &'static str, program: &str, backend: u16) -> Self {
        let program = program.to_owned();
        let command = move |port| {
            let mut command = pinned(&program);
            command.current_dir(std::env::temp_dir()).envs([
                ("SOPHIE__SERVER__BIND", format!("127.0.0.1:{port}")),
                ("SOPHIE__SERVER__DRAIN_SECONDS", "0".to_owned()),
                ("SOPHIE__LIMITS__ENABLED", "false".to_owned()),
                ("SOPHIE__CACHE__ENABLED", "false".to_owned()),
                ("OPENAI_BASE_URL", format!("http://127.0.0.1:{backend}/v1")),
                ("OPENAI_API_KEY", "x".to_owned()),
            ]);
            command
        };
        Self { answers: true, ..Self::new(name, Sophie, command) }
    }

    pub(crate) fn start(&self) -> Running {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let mut command = (self.command)(port);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it starts");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "{} does not listen", self.name);
            assert!(child.try_wait().expect("a child").is_none(), "{} has ended", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
        Running { child, port }
    }
}

impl Running {
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A program on the core of the programs.
pub(crate) fn pinned(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", THEIRS]).arg(program.as_ref());
    command
}

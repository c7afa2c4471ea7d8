//! A Redis that can be away in each way that there is.

use std::time::Duration;

use super::TestServer;
use super::proxy::{Passage, Proxy};

/// How it is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its process does not run (SIGSTOP): connections are taken, and nothing is answered.
    Frozen,
    /// Its port is closed.
    Refused,
    /// It answers, half a second late.
    Slow,
}

/// How late it answers when it is slow.
const LATE: Duration = Duration::from_millis(500);

/// A redis-server behind a proxy, so that it keeps what it has whatever it suffers.
pub struct FaultyRedis {
    /// The server itself, for looks past the proxy.
    pub server: TestServer,
    proxy: Proxy,
}

impl FaultyRedis {
    /// One that is well.
    pub fn start() -> Self {
        let server = TestServer::start();
        let proxy = Proxy::before(server.port());
        Self { server, proxy }
    }

    /// The URL of a database, through the proxy.
    pub fn url(&self, db: u8) -> String {
        format!("redis://127.0.0.1:{}/{db}", self.proxy.port)
    }

    /// Goes away.
    pub fn suffer(&self, fault: Fault) {
        match fault {
            Fault::Frozen => self.server.freeze(),
            Fault::Refused => self.proxy.set(Passage::Closed),
            Fault::Slow => self.proxy.set(Passage::Late(LATE)),
        }
    }

    /// Is well again.
    pub fn recover(&self, fault: Fault) {
        match fault {
            Fault::Frozen => self.server.thaw(),
            Fault::Refused | Fault::Slow => self.proxy.set(Passage::Late(Duration::ZERO)),
        }
    }
}

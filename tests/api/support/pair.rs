//! Two nodes on one Redis, in front of a scripted AI server.

use sophie_kit::ai_server::AiServer;

use super::{TestApp, TestServer};

/// The nodes, and what answers behind them.
pub struct Pair {
    pub redis: TestServer,
    pub ai: AiServer,
    pub nodes: [TestApp; 2],
}

impl Pair {
    /// Two nodes that ask the AI server once.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let (redis, ai) = (TestServer::start(), AiServer::start().await);
        let backend = [&ai.environment()[..], &[("SOPHIE__AI__RETRIES", "0")]].concat();
        let environment = [&backend[..], environment].concat();
        let nodes =
            [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
        Self { redis, ai, nodes }
    }
}

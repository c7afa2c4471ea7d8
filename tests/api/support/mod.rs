//! What the tests start and talk to: the real program, real sockets, a real Redis.

mod answer;
mod app;
mod backends;
mod broker;
mod faulty;
mod feeds;
mod handshake;
mod http;
mod proxy;
mod raw;
#[allow(dead_code, reason = "the stores' own tests use all of it")]
#[path = "../../../actors/src/redis/server.rs"]
mod redis_server;
mod reply;
mod socket;
mod token;

use std::time::Duration;

pub use answer::{Answer, start_with_ai};
pub use app::{ADMIN_TOKEN, Mode, TestApp};
pub use backends::{Backends, Told, member};
pub use broker::Broker;
pub use faulty::{Fault, FaultyRedis};
pub use feeds::{Feeds, Hearing};
pub use handshake::Handshake;
pub use http::{RawHttp, RawResponse};
pub use proxy::{Passage, Proxy};
pub use raw::{RawClient, RawFrame};
pub use redis_server::TestServer;
pub use reply::{Reply, of_chats, question, streamed};
pub use socket::TestSocket;
pub use token::{JWT, Token};

/// How long anything may take that should happen at once; generous, since it is only waited for when something is wrong.
pub const SOON: Duration = Duration::from_secs(10);

/// Waits until `holds` gives something, with a deadline.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, within: Duration, holds: impl Fn() -> F) -> T {
    let until = tokio::time::Instant::now() + within;
    loop {
        if let Some(found) = holds().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < until, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

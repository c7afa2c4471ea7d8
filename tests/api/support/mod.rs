//! What the tests start and talk to: the real program, real sockets, a real Redis.

pub mod agui;
mod answer;
mod app;
mod backends;
mod broker;
pub mod chat_socket;
mod checked;
mod crowd;
pub mod described;
mod faulty;
mod feeds;
mod fixed_server;
mod handshake;
mod http;
mod log;
#[cfg(target_os = "linux")]
mod network;
mod pair;
mod plan;
mod proxy;
mod raw;
mod reloadable;
mod reply;
mod request;
pub mod response_socket;
mod secure;
mod socket;
mod token;
mod told;
mod trace_receiver;

use std::time::Duration;

pub use answer::{Answer, start_with_ai};
pub use app::{ADMIN_TOKEN, Mode, TestApp};
pub use backends::{Backends, Told, hasty, member, once};
pub use broker::Broker;
pub use checked::{Checked, checked_text};
pub use crowd::Crowd;
pub use faulty::{Fault, FaultyRedis};
pub use feeds::{Feeds, Hearing};
pub use fixed_server::FixedServer;
pub use handshake::Handshake;
pub use http::{RawHttp, RawResponse};
pub use log::JSON_LOG;
#[cfg(target_os = "linux")]
pub use network::Network;
pub use pair::Pair;
pub use plan::{seconds, seed};
pub use proxy::{Passage, Proxy};
pub use raw::{RawClient, RawFrame};
pub use reloadable::Reloadable;
pub use reply::{Reply, of_chats, question, streamed};
pub use request::{Client, Request};
pub use secure::{Secure, Trusting};
pub use socket::TestSocket;
pub use sophie_kit::{TestServer, eventually, until};
pub use token::{JWT, Token};
pub use told::{Responses, events, respond_to, text_of, with};
pub use trace_receiver::{ReadSpan, TraceReceiver};

/// How long anything may take that should happen at once; generous, since it is only waited for when something is wrong.
pub const SOON: Duration = Duration::from_secs(10);

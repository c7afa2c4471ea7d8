//! The actors around real memory stores, a backend that the test plays, and sockets without a network.

mod ai;
mod client;
mod options;
mod world;

pub use self::ai::{Ai, Feed};
pub use self::client::{Client, Guest};
pub use self::options::{Options, registry_options};
pub use self::world::World;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix::prelude::*;
use sophie_actors::actor::ExitGuard;
use sophie_actors::ids::{GroupName, SessionId};

/// Virtual time: it passes at once when everybody waits.
pub const SOON: Duration = Duration::from_secs(300);

pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("a legal name")
}

pub fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a legal name")
}

/// A guard that tells nobody.
pub fn unwatched() -> ExitGuard {
    ExitGuard::new(|_| {})
}

/// Waits until something holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    sophie_kit::until(what, SOON, holds).await;
}

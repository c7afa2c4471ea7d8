//! Redis itself: one guarded connection to each database, who answers there, how it is doing, and what a script replied. What is
//! kept in it is the affair of the rooms above.

mod bound;
mod commands;
mod connection;
mod facts;
mod guard;
mod health;
mod inspection;
mod keeping;
mod latency;
mod refusal;
mod replicas;
mod reply;
mod rights;
mod sentinels;
mod server;
mod source;

pub use self::bound::{Bound, Bounds};
pub use self::connection::Budgets;
pub(crate) use self::connection::Database;
pub use self::facts::Facts;
pub(crate) use self::guard::Link;
pub use self::health::{DatabaseLook, RedisHealth};
pub(crate) use self::inspection::inspect_url;
pub use self::inspection::{Inspection, Looked, Unfit};
pub use self::latency::Quantiles;
pub(crate) use self::replicas::Replicas;
pub(crate) use self::reply::{ScriptReply, wrong};
pub(crate) use self::rights::Needs;
pub use self::server::ServerInfo;
pub use self::source::are_on_one_server;
pub(crate) use self::source::{Connected, Source, Subscriber};

//! One look at a database from outside, for whoever wants to know before a node serves whether it can: nothing is kept open, and
//! nothing is left behind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError};
use tokio::time::{Instant, timeout};

use super::guard::ping;
use super::rights::{Needs, missing_right, named_right};
use super::server::ServerInfo;
use super::source::Source;
use crate::dependencies::ServerRefusal;
use crate::failure::StoreResult;

/// What one call may take. Whoever needs longer is as good as silent.
const CALL: Duration = Duration::from_secs(1);

/// A database that answers.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// How long a ping took.
    pub ping: Duration,
    /// What its server says of itself; none if this user may not ask.
    pub server: Option<ServerInfo>,
    /// Whether it writes to its disk what it holds; none if this user may not ask.
    pub keeps: Option<bool>,
    /// By how many milliseconds its clock is ahead of this machine's, less than none if it is behind.
    pub clock_ahead_ms: Option<i64>,
    /// What it refuses though it answers.
    pub refusal: Option<ServerRefusal>,
}

/// Why a database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Nobody can be reached at its address; the reason.
    Away(String),
    /// Somebody listens at its address, and says nothing.
    Silent,
    /// It does not take this user and password; its words.
    Credentials(String),
    /// It has no database of this number; its words.
    Database(String),
    /// Its access list does not even let this user connect. All rules that are needed.
    Rights(Vec<String>),
    /// It says that it cannot serve now (it is loading its data); its words.
    Busy(String),
}

/// A database that was looked at: which one, as whom, and what came of it.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Which server and database, for people.
    pub address: String,
    /// The user of the access list.
    pub user: String,
    /// What it is like, or why it cannot be used.
    pub outcome: Result<Box<Inspection>, Unfit>,
}

/// Looks at the database of a source, which should give all that it `needs`.
pub(crate) async fn inspect(source: &Source, needs: &Needs) -> Looked {
    let (address, user) = (source.address().to_owned(), source.user().to_owned());
    let outcome = look(source, needs).await.map(Box::new);
    Looked { address, user, outcome }
}

async fn look(source: &Source, needs: &Needs) -> Result<Inspection, Unfit> {
    let connection = source.look().await.map_err(|reason| unmade(reason, needs))?;
    let began = Instant::now();
    match timeout(CALL, ping(connection.clone())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(unanswered(&error, needs)),
        Err(_) => return Err(Unfit::Silent),
    }
    let took = began.elapsed();
    let (server, keeps, clock_ahead_ms) = tokio::join!(info(&connection), keeps(&connection), clock(&connection));
    let is_replica = server.as_ref().is_some_and(|server| server.is_replica);
    // One that copies another takes no writes, whatever the rights are.
    let refusal = if is_replica { None } else { needs.try_all(&connection, source).await.map_err(Unfit::Busy)? };
    Ok(Inspection {
        ping: took,
        keeps: server.as_ref().is_some_and(|server| server.appends).then_some(true).or(keeps),
        server,
        clock_ahead_ms,
        refusal,
    })
}

/// What it means that no connection was made.
fn unmade(reason: String, needs: &Needs) -> Unfit {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if named_right(&reason).is_some() {
        Unfit::Rights(needs.rules())
    } else if says(&["AuthenticationFailed", "Authentication required", "NOAUTH", "WRONGPASS"]) {
        Unfit::Credentials(reason)
    } else if says(&["switch database"]) {
        Unfit::Database(reason)
    } else if says(&["in time"]) {
        Unfit::Silent
    } else if says(&["LOADING", "MASTERDOWN"]) {
        Unfit::Busy(reason)
    } else {
        Unfit::Away(reason)
    }
}

fn unanswered(error: &RedisError, needs: &Needs) -> Unfit {
    if missing_right(error, "", "").is_some() {
        return Unfit::Rights(needs.rules());
    }
    unmade(error.to_string(), needs)
}

/// What a call brought, if it was let through in time.
async fn ask<T: FromRedisValue>(connection: &MultiplexedConnection, command: &Cmd) -> Option<T> {
    let mut connection = connection.clone();
    timeout(CALL, command.query_async(&mut connection)).await.ok()?.ok()
}

async fn info(connection: &MultiplexedConnection) -> Option<ServerInfo> {
    ServerInfo::read(&ask::<String>(connection, &redis::cmd("INFO")).await?)
}

/// Whether it takes snapshots.
async fn keeps(connection: &MultiplexedConnection) -> Option<bool> {
    let mut command = redis::cmd("CONFIG");
    let (_, times): (String, String) = ask(connection, command.arg("GET").arg("save")).await?;
    Some(!times.trim().is_empty())
}

/// The server's clock beside this machine's in the middle of the call.
async fn clock(connection: &MultiplexedConnection) -> Option<i64> {
    let (began, before) = (Instant::now(), now_ms());
    let (seconds, micros): (i64, i64) = ask(connection, &redis::cmd("TIME")).await?;
    let middle = before + i64::try_from(began.elapsed().as_millis() / 2).ok()?;
    Some(seconds * 1_000 + micros / 1_000 - middle)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Looks at the database of a URL.
///
/// # Errors
/// The URL cannot be read.
pub(crate) async fn inspect_url(url: &str, needs: &Needs) -> StoreResult<Looked> {
    let source = Source::new(url, &super::Bound::none())?;
    Ok(inspect(&source, needs).await)
}

//! Making connections to whoever answers at an address now, and noticing when that is another server.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::bound::{Bound, ConnectionPermit};
use super::guard::ping;
use super::sentinels::{Council, SENTINEL, Sentinels, moved};
use crate::actor::OwnedTask;
use crate::failure::{StoreError, StoreResult};

/// How long a new connection may take to be made, with TLS and log-in.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);
/// Calls that wait to be written to one connection; more wait before it, within their budgets.
const QUEUE: usize = 512;
/// Between two looks at who answers at the address. With what a look takes, connections leave a server whose place another
/// has taken after about a second.
const LOOK: Duration = Duration::from_millis(500);

/// Where connections are made to: a database of a server. Clones share what they know of who answers there.
#[derive(Clone)]
pub(crate) struct Source {
    info: ConnectionInfo,
    /// For people: server and database, or the Sentinels' first and the master's name.
    shown: Arc<str>,
    bound: Bound,
    place: Arc<Place>,
}

/// The server of one or more sources.
struct Place {
    info: ConnectionInfo,
    /// What looks count to.
    bound: Bound,
    /// Who knows where the server is, if the URL does not say it.
    council: Option<Council>,
    /// The server that answers there, by its run id; empty while none is known.
    server: watch::Sender<Arc<str>>,
    /// Looks again and again, from the first connection on.
    lookout: OnceLock<OwnedTask>,
}

/// Who answers at a source's address, as somebody saw it who makes a connection there.
pub(crate) struct Seen {
    server: watch::Receiver<Arc<str>>,
    known: Arc<str>,
}

impl Seen {
    /// Waits until it is another server.
    pub(crate) async fn moved(&mut self) {
        loop {
            let now = self.server.borrow_and_update().clone();
            // Nobody at all is no reason to leave.
            if !now.is_empty() {
                if !self.known.is_empty() && now != self.known {
                    return;
                }
                self.known = now;
            }
            if self.server.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A new connection.
pub(crate) struct Connected {
    pub(crate) connection: MultiplexedConnection,
    /// The server's run id, new at each of its starts; empty if it does not let this user ask.
    pub(crate) run: Arc<str>,
    /// For whoever is to leave the server when another one takes its place.
    pub(crate) seen: Seen,
    /// To be kept as long as the connection.
    pub(crate) counted: ConnectionPermit,
}

/// A new connection that can subscribe.
pub(crate) struct Subscriber {
    pub(crate) pubsub: PubSub,
    /// As that of [`Connected`].
    pub(crate) seen: Seen,
    /// To be kept as long as the connection.
    pub(crate) counted: ConnectionPermit,
}

/// Whether two URLs lead to databases of one server, and so one look at who answers there serves both.
pub fn are_on_one_server(url: &str, other: &str) -> bool {
    let source = |url| Source::new(url, &Bound::none());
    matches!((source(url), source(other)), (Ok(one), Ok(other)) if one.place.is(&other.place))
}

impl Source {
    /// Where a URL leads. What is opened there counts to the `bound`.
    pub(crate) fn new(url: &str, bound: &Bound) -> StoreResult<Self> {
        // Not the error's own text: it may hold the URL, and that a password.
        let wrong = |_: RedisError| StoreError::Unavailable("the Redis URL cannot be read".into());
        let sentinels = match url.split_once("://").is_some_and(|(scheme, _)| scheme.ends_with(SENTINEL)) {
            true => {
                let form = "a URL of Sentinels is redis+sentinel://HOST:PORT/DB?master=NAME&sentinel=HOST:PORT";
                Some(Sentinels::read(url).ok_or_else(|| StoreError::Unavailable(form.into()))?)
            }
            false => None,
        };
        let shown = match &sentinels {
            Some(Sentinels { master, .. }) => format!("{} (master {master} of these Sentinels)", Self::shown(url)),
            None => Self::shown(url),
        };
        let url = sentinels.as_ref().map_or(url, |sentinels| &sentinels.master_url);
        let info = url.into_connection_info().map_err(wrong)?;
        // RESP2: pub/sub has connections of its own, and Redis 5 knows nothing else.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info = info.set_redis_settings(settings);
        Client::open(info.clone()).map_err(wrong)?;
        let council = sentinels.as_ref().map(Council::new).transpose().map_err(wrong)?;
        let (server, lookout) = (watch::Sender::new("".into()), OnceLock::new());
        let bound = bound.clone();
        let place = Arc::new(Place { info: info.clone(), bound: bound.clone(), council, server, lookout });
        Ok(Self { info, shown: shown.into(), bound, place })
    }

    /// As [`Self::new`]. If it is another database of this one's server, one look at who answers there serves both.
    pub(crate) fn beside(&self, url: &str, bound: &Bound) -> StoreResult<Self> {
        let other = Self::new(url, bound)?;
        let place = if self.place.is(&other.place) { self.place.clone() } else { other.place };
        Ok(Self { place, ..other })
    }

    /// Which server and database, for people.
    pub(crate) fn address(&self) -> &str {
        &self.shown
    }

    /// The user of the server's access list.
    pub(super) fn user(&self) -> &str {
        self.info.redis_settings().username().unwrap_or("default")
    }

    /// A connection for one look: nobody is told who answers there, and it counts for nothing.
    pub(crate) async fn look(&self) -> Result<MultiplexedConnection, String> {
        self.place.connection(&self.info).await
    }

    pub(crate) fn db(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// A URL for people: server and database alone.
    pub(crate) fn shown(url: &str) -> String {
        let url = Sentinels::read(url).map_or(url.to_owned(), |sentinels| sentinels.master_url);
        match url.into_connection_info() {
            Ok(info) => format!("{}/{}", info.addr(), info.redis_settings().db()),
            Err(_) => "unreadable".into(),
        }
    }

    /// A new connection that can subscribe.
    pub(crate) async fn pubsub(&self) -> Result<Subscriber, String> {
        // Before it is made: if the server changes meanwhile, the connection is made once more than needed.
        let seen = self.seen();
        let counted = self.bound.count_one()?;
        let made =
            async { self.place.client(&self.info).await?.get_async_pubsub().await.map_err(|error| error.to_string()) };
        let pubsub = timeout(CONNECT, made).await.map_err(|_| "no connection in time".to_owned())??;
        Ok(Subscriber { pubsub, seen, counted })
    }

    /// A new connection to a master that has answered a PING within that time.
    pub(crate) async fn connect(&self, within: Duration) -> Result<Connected, String> {
        let mut seen = self.seen();
        let counted = self.bound.count_one()?;
        let connection = self.place.connection(&self.info).await?;
        let both = async { tokio::join!(ping(connection.clone()), who(&connection)) };
        let run = match timeout(within, both).await {
            Ok((Ok(()), run)) => run?,
            Ok((Err(error), _)) => return Err(error.to_string()),
            Err(_) => return Err("no answer to a ping in time".to_owned()),
        };
        if !run.is_empty() {
            self.place.server.send_if_modified(|known| std::mem::replace(known, run.clone()) != run);
            seen.known = run.clone();
        }
        Ok(Connected { connection, run, seen, counted })
    }

    fn seen(&self) -> Seen {
        self.place.lookout.get_or_init(|| OwnedTask::spawn(look_out(Arc::downgrade(&self.place))));
        let server = self.place.server.subscribe();
        let known = server.borrow().clone();
        Seen { server, known }
    }
}

impl Place {
    fn is(&self, other: &Self) -> bool {
        let who = |place: &Self| {
            let settings = place.info.redis_settings();
            (settings.username().map(str::to_owned), settings.password().map(str::to_owned))
        };
        self.info.addr() == other.info.addr() && self.council == other.council && who(self) == who(other)
    }

    async fn client(&self, info: &ConnectionInfo) -> Result<Client, String> {
        let info = match &self.council {
            None => info.clone(),
            Some(council) => {
                let (host, port) = council.master().await?;
                info.clone().set_addr(moved(info.addr(), host, port))
            }
        };
        Client::open(info).map_err(|error| error.to_string())
    }

    async fn connection(&self, info: &ConnectionInfo) -> Result<MultiplexedConnection, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let made = async {
            let made = self.client(info).await?.get_multiplexed_async_connection_with_config(&config).await;
            made.map_err(|error| error.to_string())
        };
        timeout(CONNECT, made).await.map_err(|_| "no connection in time".to_owned())?
    }
}

/// The run id of a connection's server. An error if that copies another one: what is written there is refused, or lost.
async fn who(connection: &MultiplexedConnection) -> Result<Arc<str>, String> {
    let ask = async |section: &str| {
        let mut connection = connection.clone();
        redis::cmd("INFO").arg(section).query_async::<String>(&mut connection).await
    };
    // One at a time: older versions take no more.
    let info = match tokio::join!(ask("server"), ask("replication")) {
        (Ok(server), Ok(replication)) => server + &replication,
        (Err(error), _) | (_, Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
            return Err(error.to_string());
        }
        // This user may not ask.
        _ => return Ok("".into()),
    };
    let fact = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    match fact("role") {
        Some("slave") => Err("the server is a replica".to_owned()),
        _ => Ok(fact("run_id").unwrap_or_default().into()),
    }
}

/// Looks, with a new connection each time, who answers at the address: one that is open stays where it is when the address
/// moves. Ends with the last source.
async fn look_out(place: Weak<Place>) {
    let changed = Arc::new(Notify::new());
    let listening = async {
        // Kept by nothing but this task, so that the sources alone decide how long it lives.
        match place.upgrade().and_then(|place| place.council.clone()) {
            Some(council) => council.listen(&changed).await,
            None => std::future::pending().await,
        }
    };
    let looking = async {
        loop {
            _ = timeout(LOOK, changed.notified()).await;
            let Some(place) = place.upgrade() else { return };
            let Ok(_counted) = place.bound.count_one() else { continue };
            let Ok(connection) = place.connection(&place.info).await else { continue };
            if let Ok(Ok(run)) = timeout(CONNECT, who(&connection)).await
                && !run.is_empty()
            {
                place.server.send_if_modified(|known| std::mem::replace(known, run.clone()) != run);
            }
        }
    };
    tokio::select! {
        () = listening => {}
        () = looking => {}
    }
}

#[cfg(test)]
mod tests;

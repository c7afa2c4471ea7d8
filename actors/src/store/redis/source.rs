use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError,
    TlsMode,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::store::{StoreError, StoreResult};

/// What a URL's scheme ends with if it names Sentinels, who know which server is the master.
const SENTINEL: &str = "+sentinel";
/// Where Sentinels listen, unless told otherwise.
const SENTINEL_PORT: u16 = 26379;

/// How long a new connection may take to be made, with TLS and log-in.
const CONNECT: Duration = Duration::from_secs(1);
/// Calls that wait to be written to one connection; more wait before it, within their budgets.
const QUEUE: usize = 512;

/// Where connections are made to.
pub(crate) struct Source {
    info: ConnectionInfo,
    /// For people: server and database, or the Sentinels' first and the master's name.
    shown: String,
    kind: SourceKind,
}

enum SourceKind {
    Server(Box<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
}

/// A URL that names Sentinels: `redis+sentinel://user:password@HOST:PORT/DB?master=NAME`, with `&sentinel=HOST:PORT` for each
/// further one and `&sentinel_password=…` if they have one. User, password and database are the master's. `rediss+sentinel`:
/// all by TLS.
struct Sentinels {
    /// The master's URL, but for its address.
    master_url: String,
    master: String,
    urls: Vec<String>,
}

impl Sentinels {
    /// Reads a URL; `None` if it is not of this kind or cannot be read.
    fn read(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.strip_suffix(SENTINEL)?;
        let mut url = redis::parse_redis_url(&format!("{scheme}://{rest}"))?;
        let (mut master, mut password, mut hosts) = (None, None, Vec::new());
        hosts.push(format!("{}:{}", url.host_str()?, url.port().unwrap_or(SENTINEL_PORT)));
        for (name, value) in url.query_pairs() {
            match &*name {
                "master" => master = Some(value.into_owned()),
                "sentinel_password" => password = Some(value.into_owned()),
                "sentinel" if value.contains(':') => hosts.push(value.into_owned()),
                "sentinel" => hosts.push(format!("{value}:{SENTINEL_PORT}")),
                _ => return None,
            }
        }
        url.set_query(None);
        let sentinel = |host: &String| {
            let mut sentinel = redis::parse_redis_url(&format!("{scheme}://{host}"))?;
            sentinel.set_password(password.as_deref()).ok()?;
            Some(sentinel.to_string())
        };
        let urls = hosts.iter().map(sentinel).collect::<Option<_>>()?;
        Some(Self { master_url: url.to_string(), master: master.filter(|name| !name.is_empty())?, urls })
    }
}

impl Source {
    pub(crate) fn new(url: &str) -> StoreResult<Self> {
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
        let info = info.set_redis_settings(settings.clone());
        let kind = match sentinels {
            None => SourceKind::Server(Box::new(Client::open(info.clone()).map_err(wrong)?)),
            Some(Sentinels { master, urls, .. }) => {
                let mut node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
                if let ConnectionAddr::TcpTls { insecure, .. } = info.addr() {
                    node = node.set_tls_mode(if *insecure { TlsMode::Insecure } else { TlsMode::Secure });
                }
                let client =
                    SentinelClient::build(urls, master, Some(node), SentinelServerType::Master).map_err(wrong)?;
                SourceKind::Sentinel(Box::new(Mutex::new(client)))
            }
        };
        Ok(Self { info, shown, kind })
    }

    /// Which server and database, for people.
    pub(crate) fn address(&self) -> &str {
        &self.shown
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
    pub(crate) async fn pubsub(&self) -> Result<PubSub, String> {
        let made = async {
            match &self.kind {
                SourceKind::Server(client) => client.get_async_pubsub().await,
                SourceKind::Sentinel(client) => {
                    let master = client.lock().await.async_get_client().await?;
                    master.get_async_pubsub().await
                }
            }
        };
        let made = timeout(CONNECT, made).await.map_err(|_| "no connection in time".to_owned())?;
        made.map_err(|error| error.to_string())
    }

    /// A new connection that has answered a PING.
    pub(crate) async fn connect(&self, ping: Duration) -> Result<MultiplexedConnection, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let made = async {
            match &self.kind {
                SourceKind::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await,
                SourceKind::Sentinel(client) => {
                    let master = client.lock().await.async_get_client().await?;
                    master.get_multiplexed_async_connection_with_config(&config).await
                }
            }
        };
        let made = timeout(CONNECT, made).await.map_err(|_| "no connection in time".to_owned())?;
        let mut connection = made.map_err(|error| error.to_string())?;
        match timeout(ping, redis::cmd("PING").query_async::<()>(&mut connection)).await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer to a ping in time".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_sentinels() {
        let read = |url: &str| Sentinels::read(url).map(|it| (it.master_url, it.master, it.urls));
        let all = read(
            "redis+sentinel://app:pw@s1:7000/3?master=mine&sentinel=s2&sentinel=[::1]:7001&sentinel_password=x%26y",
        );
        let urls = ["redis://:x&y@s1:7000", "redis://:x&y@s2:26379", "redis://:x&y@[::1]:7001"].map(str::to_owned);
        assert_eq!(all, Some(("redis://app:pw@s1:7000/3".into(), "mine".into(), urls.to_vec())));
        let bare = read("rediss+sentinel://s1/0?master=mine");
        assert_eq!(bare, Some(("rediss://s1/0".into(), "mine".into(), vec!["rediss://s1:26379".into()])));
        for wrong in [
            "redis://s1/0?master=m",
            "redis+sentinel://s1/0",
            "redis+sentinel://s1/0?master=",
            "redis+sentinel://s1/0?master=m&x=y",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(Source::new("redis+sentinel://s1/0").is_err());
    }
}

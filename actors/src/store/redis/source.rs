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

/// Who knows which server is the master.
#[derive(Clone)]
pub struct SentinelOptions {
    /// `redis://` or `rediss://` URLs of the Sentinels, with their own password if they have one.
    pub urls: Vec<String>,
    /// What the Sentinels call the master.
    pub master: String,
}

/// How long a new connection may take to be made, with TLS and log-in.
const CONNECT: Duration = Duration::from_secs(1);
/// Calls that wait to be written to one connection; more wait before it, within their budgets.
const QUEUE: usize = 512;

/// Where connections are made to.
pub(crate) struct Source {
    info: ConnectionInfo,
    kind: SourceKind,
}

enum SourceKind {
    Server(Box<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
}

impl Source {
    pub(crate) fn new(url: &str, sentinel: Option<&SentinelOptions>) -> StoreResult<Self> {
        // Not the error's own text: it may hold the URL, and that a password.
        let wrong = |_: RedisError| StoreError::Unavailable("the Redis URL cannot be read".into());
        let info = url.into_connection_info().map_err(wrong)?;
        // RESP2: pub/sub has connections of its own, and Redis 5 knows nothing else.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info = info.set_redis_settings(settings.clone());
        let kind = match sentinel {
            None => SourceKind::Server(Box::new(Client::open(info.clone()).map_err(wrong)?)),
            Some(sentinel) => {
                let mut node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
                if let ConnectionAddr::TcpTls { insecure, .. } = info.addr() {
                    node = node.set_tls_mode(if *insecure { TlsMode::Insecure } else { TlsMode::Secure });
                }
                let urls = sentinel.urls.clone();
                let client =
                    SentinelClient::build(urls, sentinel.master.clone(), Some(node), SentinelServerType::Master)
                        .map_err(wrong)?;
                SourceKind::Sentinel(Box::new(Mutex::new(client)))
            }
        };
        Ok(Self { info, kind })
    }

    pub(crate) fn db(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// A URL for people: server and database alone.
    pub(crate) fn shown(url: &str) -> String {
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

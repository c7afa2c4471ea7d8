//! Asking Sentinels which server is the master, and hearing from them when that changes.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisError, RedisResult};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::source::CONNECT;

/// What a URL's scheme ends with if it names Sentinels, who know which server is the master.
pub(crate) const SENTINEL: &str = "+sentinel";
/// Where Sentinels listen, unless told otherwise.
const SENTINEL_PORT: u16 = 26379;
/// How long a Sentinel has for its answer: one that is away must not use up what a connection may take.
const ANSWER: Duration = Duration::from_millis(400);
/// Between two attempts to listen to a Sentinel.
const RETRY: Duration = Duration::from_secs(1);

/// A URL that names Sentinels: `redis+sentinel://user:password@HOST:PORT/DB?master=NAME`, with `&sentinel=HOST:PORT` for each
/// further one and `&sentinel_password=…` if they have one. User, password and database are the master's. `rediss+sentinel`:
/// all by TLS.
pub(crate) struct Sentinels {
    /// The master's URL, but for its address.
    pub(crate) master_url: String,
    pub(crate) master: String,
    urls: Vec<String>,
}

impl Sentinels {
    /// Reads a URL; `None` if it is not of this kind or cannot be read.
    pub(crate) fn read(url: &str) -> Option<Self> {
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

    /// Who can be asked.
    pub(crate) fn clients(&self) -> RedisResult<Vec<Client>> {
        self.urls.iter().map(|url| Client::open(url.as_str())).collect()
    }
}

/// The Sentinels of one master.
#[derive(Clone)]
pub(crate) struct Council {
    master: String,
    sentinels: Vec<Client>,
    urls: Vec<String>,
}

impl PartialEq for Council {
    fn eq(&self, other: &Self) -> bool {
        self.master == other.master && self.urls == other.urls
    }
}

impl Council {
    pub(crate) fn new(sentinels: &Sentinels) -> RedisResult<Self> {
        Ok(Self { master: sentinels.master.clone(), sentinels: sentinels.clients()?, urls: sentinels.urls.clone() })
    }

    /// Where the master is, as the Sentinel says whose knowledge is the newest. All are asked: after a failover some learn
    /// of it later than others.
    pub(crate) async fn master(&self) -> Result<(String, u16), String> {
        let answers = join_all(self.sentinels.iter().map(|sentinel| self.ask(sentinel))).await;
        let mut newest: Option<(u64, String, u16)> = None;
        let mut reason = "no Sentinel answers in time".to_owned();
        for answer in answers {
            match answer {
                Ok(answer) if newest.as_ref().is_none_or(|newest| newest.0 < answer.0) => newest = Some(answer),
                Ok(_) => {}
                Err(said) => reason = said,
            }
        }
        newest.map(|(_, host, port)| (host, port)).ok_or(reason)
    }

    /// What one of them says: the number of its knowledge, host and port.
    async fn ask(&self, sentinel: &Client) -> Result<(u64, String, u16), String> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let asked = async {
            let mut connection = sentinel.get_multiplexed_async_connection_with_config(&config).await?;
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("MASTER").arg(&self.master);
            ask.query_async::<HashMap<String, String>>(&mut connection).await
        };
        let facts = timeout(ANSWER, asked).await.map_err(|_| "no Sentinel answers in time".to_owned())?;
        let facts = facts.map_err(|error| error.to_string())?;
        let number = |name: &str| facts.get(name).and_then(|text| text.parse::<u64>().ok());
        let place = facts.get("ip").cloned().zip(number("port").and_then(|port| u16::try_from(port).ok()));
        let (host, port) = place.ok_or_else(|| "a Sentinel does not say where the master is".to_owned())?;
        Ok((number("config-epoch").unwrap_or(0), host, port))
    }

    /// Rings whenever a Sentinel tells of another master. Never ends.
    pub(crate) async fn listen(&self, changed: &Notify) {
        join_all(self.sentinels.iter().map(|sentinel| async move {
            loop {
                let subscribe = async {
                    let mut pubsub = sentinel.get_async_pubsub().await?;
                    pubsub.subscribe("+switch-master").await?;
                    Ok::<_, RedisError>(pubsub)
                };
                if let Ok(Ok(pubsub)) = timeout(CONNECT, subscribe).await {
                    let mut stream = pubsub.into_on_message();
                    while stream.next().await.is_some() {
                        changed.notify_one();
                    }
                }
                sleep(RETRY).await;
            }
        }))
        .await;
    }
}

/// The address of `before` with another host and port.
pub(crate) fn moved(before: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match before {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
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
    }
}

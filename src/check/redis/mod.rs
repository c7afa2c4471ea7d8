//! Each database of Redis: whether it can be used, as whom, and what its server may do to what lies there.

mod server;
mod unfit;

use std::fmt::Display;

use futures_util::future::join_all;
use sophie_actors::channel_layer::inspect_host;
use sophie_actors::dependencies::ServerRefusal;
use sophie_actors::redis::{Inspection, Looked, Unfit};
use sophie_actors::store::redis::{inspect_cache, inspect_general, inspect_main};
use tokio::time::timeout;

use super::finding::{Area, Finding};
use super::{PROBE, layer, names};
use crate::settings::{ChannelLayer, ServiceUrl, Settings};

/// What a database is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Sophie's own keys.
    Main,
    /// The answers.
    Cache,
    /// What applications keep of users.
    General,
    /// One of so many hosts of the channel layer.
    Host(usize, usize),
}

/// A database, and what came of looking at it.
pub(super) struct Database {
    of: Use,
    address: String,
    user: String,
    outcome: Result<Box<Inspection>, Unfit>,
}

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    if !settings.redis.enabled {
        return vec![Finding::ok("redis_off", Area::Redis, "all", "not used: everything is in memory, on one node")];
    }
    let databases = look(settings).await;
    let mut findings = unfit::findings(&databases);
    for database in &databases {
        if let Ok(inspection) = &database.outcome {
            findings.extend(of(database, inspection));
        }
    }
    findings.extend(server::findings(&databases, settings.redis.wait_replicas));
    let works = |wanted: fn(Use) -> bool| {
        let mut some = databases.iter().filter(|database| wanted(database.of));
        some.all(|database| database.outcome.as_ref().is_ok_and(|it| is_usable(it)))
    };
    let by_layer = async {
        // Why its hosts cannot be used is told already.
        if works(|of| matches!(of, Use::Host(..))) { layer::findings(settings).await } else { Vec::new() }
    };
    let by_names = async { if works(|of| of == Use::Main) { names::findings(settings).await } else { Vec::new() } };
    let (of_layer, of_names) = tokio::join!(by_layer, by_names);
    findings.extend(of_layer);
    findings.extend(of_names);
    findings
}

fn is_usable(inspection: &Inspection) -> bool {
    inspection.refusal.is_none() && !inspection.server.as_ref().is_some_and(|server| server.is_replica)
}

async fn look(settings: &Settings) -> Vec<Database> {
    let hosts = settings.layer_urls();
    let uses = [
        (Use::Main, settings.redis_url()),
        (Use::Cache, settings.cache_redis_url()),
        (Use::General, settings.general_cache_redis_url()),
    ];
    let count = hosts.len();
    let hosts = hosts.into_iter().enumerate().map(|(at, url)| (Use::Host(at, count), url));
    join_all(uses.into_iter().chain(hosts).map(|(of, url)| look_at(of, url, settings))).await
}

async fn look_at(of: Use, url: ServiceUrl, settings: &Settings) -> Database {
    let channel = &settings.channel;
    let looking = async {
        match of {
            Use::Main => inspect_main(url.as_str(), &settings.redis.prefix).await,
            Use::Cache => inspect_cache(url.as_str()).await,
            Use::General => inspect_general(url.as_str()).await,
            Use::Host(..) => inspect_host(url.as_str(), &channel.prefix, channel.layer == ChannelLayer::Pubsub).await,
        }
    };
    let nobody = |unfit| Looked { address: url.to_string(), user: "default".into(), outcome: Err(unfit) };
    let looked = match timeout(PROBE, looking).await {
        Ok(Ok(looked)) => looked,
        Ok(Err(error)) => nobody(Unfit::Away(error.to_string())),
        Err(_) => nobody(Unfit::Silent),
    };
    Database { of, address: looked.address, user: looked.user, outcome: looked.outcome }
}

/// What is to be said of a database that answers.
fn of(database: &Database, inspection: &Inspection) -> Vec<Finding> {
    let subject = database.of.to_string();
    let address = &database.address;
    if inspection.server.as_ref().is_some_and(|server| server.is_replica) {
        return vec![Finding::fault(
            "redis_replica",
            Area::Redis,
            subject,
            format!("{address} is a replica of another server"),
            "it takes no writes",
            "name its master, or use redis+sentinel:// so that the master is looked up",
        )];
    }
    let mut findings = Vec::new();
    match &inspection.refusal {
        Some(ServerRefusal::Rights(missing)) => findings.push(unfit::rights(database, missing)),
        Some(ServerRefusal::Writes(why)) => findings.push(Finding::fault(
            "redis_writes",
            Area::Redis,
            subject.clone(),
            format!("{address} takes no writes: {why}"),
            "nothing can be kept there",
            "give it memory (OOM), room on its disk (MISCONF) or its replicas (NOREPLICAS)",
        )),
        None => {}
    }
    let version = inspection.server.as_ref().map_or_else(String::new, |server| format!("Redis {}, ", server.version));
    let ping = inspection.ping.as_secs_f64() * 1_000.0;
    let memory = inspection
        .server
        .as_ref()
        .map_or_else(String::new, |server| format!(", {} MiB in use", server.facts.memory_bytes / (1 << 20)));
    let found = format!("{version}{address} as user {}, {ping:.1} ms{memory}", database.user);
    if findings.is_empty() {
        findings.push(Finding::ok("redis_ok", Area::Redis, subject, found));
    }
    findings
}

impl Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Main => f.write_str("main"),
            Self::Cache => f.write_str("cache"),
            Self::General => f.write_str("general cache"),
            Self::Host(_, 1) => f.write_str("layer"),
            Self::Host(at, _) => write!(f, "layer host {at}"),
        }
    }
}

/// The databases of several, for one line.
fn joined<'a>(databases: impl IntoIterator<Item = &'a Database>) -> String {
    databases.into_iter().map(|database| database.of.to_string()).collect::<Vec<_>>().join(", ")
}

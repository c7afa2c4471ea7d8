//! Whether the connections that are allowed are as many as this node needs.

use sophie_actors::channel_layer::connections_per_host;
use sophie_actors::store::redis::{cache_connections, main_connections};

use super::sections::{ChannelLayer, Settings};

/// The first of these settings that allows too few, and what is wrong with it.
pub(super) fn fault(settings: &Settings) -> Option<(&'static str, String)> {
    if !settings.redis.enabled {
        return None;
    }
    let main = settings.redis_url();
    let stores = main_connections(settings.redis.wait_replicas);
    let hosts = settings.layer_urls().len();
    let per_host = connections_per_host(settings.channel.layer == ChannelLayer::Pubsub);
    let of_layer = format!("{stores} for the stores, {per_host} for each host of the channel layer ({hosts})");
    let needs = |url: &str| {
        let needs = cache_connections(main.as_str(), url);
        let why = if needs > 1 { "one for calls, one to look who answers there" } else { "for calls" };
        (needs, why.to_owned())
    };
    let cache = needs(settings.cache_redis_url().as_str());
    let general = needs(settings.general_cache_redis_url().as_str());
    [
        ("channel.max_connections", settings.channel.max_connections, (stores + hosts * per_host, of_layer)),
        ("cache.max_connections", settings.cache.max_connections, cache),
        ("general_cache.max_connections", settings.general_cache.max_connections, general),
    ]
    .into_iter()
    .find(|(_, most, (needs, _))| most < needs)
    .map(|(key, most, (needs, why))| {
        (key, format!("is {most}, but this node needs at least {needs} connections: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::{load, refusal};

    const REDIS: (&str, &str) = ("USE_REDIS", "1");

    #[test]
    fn fewer_connections_than_are_needed_do_not_start() {
        let most = |most| ("SOPHIE__CHANNEL__MAX_CONNECTIONS", most);
        assert_eq!(
            refusal(&[REDIS, most("6")]),
            "environment variable SOPHIE__CHANNEL__MAX_CONNECTIONS: channel.max_connections is 6, but this node needs at \
             least 7 connections: 4 for the stores, 3 for each host of the channel layer (1)"
        );
        assert!(load(&[REDIS, most("7")]).is_ok());
        let replicas = ("SOPHIE__REDIS__WAIT_REPLICAS", "1");
        assert!(refusal(&[REDIS, replicas, most("7")]).contains("at least 8 connections: 5 for the stores"));
        let pubsub = ("SOPHIE__CHANNEL__LAYER", "pubsub");
        assert!(refusal(&[REDIS, pubsub, most("7")]).contains("4 for each host"));
        let hosts = ("SOPHIE__CHANNEL__HOSTS", "redis://a/0,redis://b/0");
        assert!(refusal(&[REDIS, hosts, most("9")]).contains("at least 10"));
        assert!(load(&[most("1")]).is_ok(), "without Redis none is needed");
    }

    #[test]
    fn a_cache_on_a_server_of_its_own_needs_one_more() {
        for (section, url) in [("CACHE", "cache.max_connections"), ("GENERAL_CACHE", "general_cache.max_connections")] {
            let (most, own) = (format!("SOPHIE__{section}__MAX_CONNECTIONS"), format!("SOPHIE__{section}__URL"));
            assert!(load(&[REDIS, (&most, "1")]).is_ok());
            let refused = refusal(&[REDIS, (&most, "1"), (&own, "redis://other/0")]);
            assert!(refused.contains(url) && refused.contains("at least 2 connections: one for calls"), "{refused}");
            assert!(load(&[REDIS, (&most, "2"), (&own, "redis://other/0")]).is_ok());
        }
    }
}

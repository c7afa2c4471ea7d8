//! What each setting may be: its type, its range, and whether it is to be masked. One row for each key of `settings.toml`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use config::{Value, ValueKind};
use ipnet::IpNet;
use sophie_actors::protocol::Kind;

use super::backends::BACKENDS;
use super::keys::KEYS;
use super::listed_key::ListedKey;
use super::origin::AllowedOrigin;
use super::secret::{MASK, mask_url};
use super::tables::Tables;

/// What a setting may be.
pub enum Rule {
    /// A whole number within these bounds, both included.
    Whole(i64, i64),
    /// `true` or `false`.
    Switch,
    /// A text: what is allowed, in words and as a check.
    Text(&'static str, fn(&str) -> bool),
    /// As `Text`, never shown.
    Secret(&'static str, fn(&str) -> bool),
    /// Empty, or a URL with one of these schemes; shown without its password.
    Url(&'static [&'static str]),
    /// A number within these bounds, with or without a fraction.
    Number(f64, f64),
    /// A list of texts.
    List(&'static Rule),
    /// A table of texts: what is allowed, in words, a check of its names, and the rule of its texts.
    Named(&'static str, fn(&str) -> bool, &'static Rule),
    /// A list of tables.
    Tables(&'static Tables),
}

const ADDRESS: Rule = Rule::Text("an address and port, such as 127.0.0.1:8080 or [::]:8080", |t| address(t).is_some());
pub(super) const HTTP: Rule = Rule::Url(&["http", "https"]);
const REDIS: Rule = Rule::Url(&["redis", "rediss", "unix", "redis+unix", "redis+sentinel", "rediss+sentinel"]);
const NAME: Rule = Rule::Text("1 to 64 of A-Z a-z 0-9 _ - . :", |t| is_name(t, "_-.:"));
pub(super) const TOKEN: Rule =
    Rule::Secret("empty, or visible ASCII characters without spaces", |t| t.bytes().all(|b| b.is_ascii_graphic()));
const ANY_SECRET: Rule = Rule::Secret("any text", |_| true);
pub(super) const SECONDS: Rule = Rule::Whole(1, 86_400);
pub(super) const RETRIES: Rule = Rule::Whole(0, 10);
/// A year: longer expiries are a slip of the unit.
const LONG_SECONDS: Rule = Rule::Whole(1, 31_536_000);
pub(super) const COUNT: Rule = Rule::Whole(1, 1_000_000_000);
const COUNT_OR_NONE: Rule = Rule::Whole(0, 1_000_000_000);
const BYTES: Rule = Rule::Whole(1, 1 << 40);
const CONNECTIONS: Rule = Rule::Whole(1, 10_000);

/// Each setting, by `section.key`, in the order of `settings.toml`.
pub const RULES: &[(&str, Rule)] = &[
    ("server.bind", ADDRESS),
    ("server.workers", Rule::Whole(0, 1024)),
    ("server.drain_seconds", Rule::Whole(0, 3600)),
    ("server.max_connections", Rule::Whole(0, 10_000_000)),
    // Each is held in memory while it is read: a gibibyte is beyond what any backend takes.
    ("server.max_body_bytes", Rule::Whole(1_024, 1 << 30)),
    ("server.body_seconds", Rule::Whole(1, 3600)),
    ("server.keep_alive_seconds", Rule::Whole(1, 3600)),
    ("server.address_connections", Rule::Whole(0, 10_000_000)),
    (
        "server.allowed_origins",
        Rule::List(&Rule::Text("*, scheme://host, scheme://host:port or scheme://*.domain, without a path", |t| {
            AllowedOrigin::parse(t).is_some()
        })),
    ),
    (
        "server.hosts",
        Rule::List(&Rule::Text("a host name without a port, such as chat.example.com", |t| {
            is_host(t) && !t.contains(['*', ':', '/', '@', '['])
        })),
    ),
    (
        "server.trusted_proxies",
        Rule::List(&Rule::Text("a network such as 10.0.0.0/8, or an address", |t| network(t).is_some())),
    ),
    ("server.node", Rule::Text("empty, or 1 to 64 of A-Z a-z 0-9 _ - .", |t| t.is_empty() || is_name(t, "_-."))),
    ("admin.token", TOKEN),
    (
        "admin.bind",
        Rule::Text("empty, or an address and port, such as 127.0.0.1:9090", |t| t.is_empty() || address(t).is_some()),
    ),
    ("auth.mode", Rule::Text("\"none\", \"jwt\" or \"hook\"", |t| matches!(t, "none" | "jwt" | "hook"))),
    ("auth.jwt_secret", ANY_SECRET),
    ("auth.jwks_url", HTTP),
    ("auth.audience", Rule::List(&Rule::Text("an audience (aud) of tokens", |t| !t.trim().is_empty()))),
    ("auth.issuer", Rule::Text("any text", |_| true)),
    ("auth.hook_url", HTTP),
    (
        "auth.hook_cookies",
        Rule::List(&Rule::Text("the name of a cookie", |t| {
            !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic() && !b"=;,\"".contains(&b))
        })),
    ),
    ("auth.open", Rule::Switch),
    (
        "auth.api_keys",
        Rule::List(&Rule::Secret("KEY or name:KEY, neither empty, of visible ASCII characters", |t| {
            ListedKey::parse(t).is_some()
        })),
    ),
    ("auth.key", Rule::Tables(&KEYS)),
    ("redis.enabled", Rule::Switch),
    ("redis.url", REDIS),
    ("redis.host", Rule::Text("a host name or address", is_host)),
    ("redis.port", Rule::Whole(1, 65_535)),
    ("redis.db", Rule::Whole(0, 1023)),
    ("redis.password", ANY_SECRET),
    ("redis.prefix", NAME),
    ("redis.wait_replicas", Rule::Whole(0, 100)),
    ("channel.layer", Rule::Text("\"core\" or \"pubsub\"", |t| matches!(t, "core" | "pubsub"))),
    ("channel.prefix", NAME),
    ("channel.capacity", COUNT),
    ("channel.expiry_seconds", SECONDS),
    ("channel.group_expiry_seconds", LONG_SECONDS),
    ("channel.encryption_keys", Rule::List(&Rule::Secret("keys that are not empty", |t| !t.is_empty()))),
    ("channel.encrypt_with_secret_key", Rule::Switch),
    ("channel.serializer", Rule::Text("\"msgpack\" or \"json\"", |t| matches!(t, "msgpack" | "json"))),
    ("channel.hosts", Rule::List(&REDIS)),
    ("channel.max_connections", CONNECTIONS),
    (
        "channel.notify_django",
        Rule::List(&Rule::Text(
            "chat.message, chat.answer.start, chat.answer.delta, chat.answer.end and chat.answer.error",
            |t| Kind::parse(t).is_some(),
        )),
    ),
    (
        "channel.notify_worker",
        Rule::Text("empty, or a channel name: fewer than 100 of A-Z a-z 0-9 _ - .", |t| {
            t.len() < 100 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        }),
    ),
    ("cache.enabled", Rule::Switch),
    ("cache.url", REDIS),
    ("cache.max_connections", CONNECTIONS),
    ("cache.ttl_seconds", LONG_SECONDS),
    (
        "cache.scope",
        Rule::Text("\"auto\", \"global\", \"group\" or \"user\"", |t| {
            matches!(t, "auto" | "global" | "group" | "user")
        }),
    ),
    (
        "cache.http",
        Rule::Text("\"deterministic\", \"always\" or \"never\"", |t| matches!(t, "deterministic" | "always" | "never")),
    ),
    ("cache.max_entry_bytes", BYTES),
    ("cache.memory_bytes", BYTES),
    ("general_cache.url", REDIS),
    ("general_cache.max_connections", CONNECTIONS),
    ("general_cache.ttl_seconds", LONG_SECONDS),
    ("limits.enabled", Rule::Switch),
    ("limits.user_messages_per_minute", COUNT),
    ("limits.user_burst", COUNT),
    ("limits.user_tokens_per_hour", COUNT),
    ("limits.address_messages_per_minute", COUNT),
    ("limits.address_tokens_per_hour", COUNT_OR_NONE),
    ("limits.group_messages_per_minute", COUNT_OR_NONE),
    ("limits.group_tokens_per_hour", COUNT_OR_NONE),
    ("limits.service_messages_per_minute", COUNT_OR_NONE),
    ("limits.service_tokens_per_hour", COUNT_OR_NONE),
    ("limits.answers_per_session", COUNT),
    ("limits.answers_at_once", COUNT_OR_NONE),
    ("limits.connects_per_minute", COUNT),
    ("limits.reads_per_minute", COUNT_OR_NONE),
    ("limits.joins_per_minute", COUNT_OR_NONE),
    ("limits.key_requests_per_minute", COUNT_OR_NONE),
    ("limits.key_burst", COUNT),
    ("session.max_text_chars", Rule::Whole(1, 16_777_216)),
    // A WebSocket frame is held in memory whole, for every connection at once.
    ("session.max_frame_bytes", Rule::Whole(0, 16_777_216)),
    ("session.max_groups", Rule::Whole(1, 10_000)),
    ("session.ping_seconds", Rule::Whole(1, 3600)),
    ("session.pong_seconds", Rule::Whole(1, 3600)),
    ("session.idle_seconds", Rule::Whole(0, 86_400)),
    ("session.log_events", Rule::Whole(1, 1_000_000)),
    ("session.log_seconds", LONG_SECONDS),
    ("session.outbox_bytes", BYTES),
    ("session.outbox_messages", COUNT),
    ("session.outbox_seconds", Rule::Whole(1, 3600)),
    ("session.commands_per_second", Rule::Whole(1, 1_000_000)),
    ("session.commands_burst", Rule::Whole(1, 1_000_000)),
    // More would be a frame too large for what it tells.
    ("session.presence_members", Rule::Whole(0, 100)),
    ("ai.backend", Rule::Text("\"auto\", \"openai\" or \"demo\"", |t| matches!(t, "auto" | "openai" | "demo"))),
    ("ai.base_url", HTTP),
    ("ai.api_key", TOKEN),
    ("ai.model", Rule::Text("the name of a model", |t| !t.trim().is_empty())),
    ("ai.system_prompt", Rule::Text("any text", |_| true)),
    ("ai.history_tokens", Rule::Whole(0, 10_000_000)),
    ("ai.max_answer_bytes", BYTES),
    ("ai.max_event_bytes", BYTES),
    ("ai.connect_seconds", SECONDS),
    ("ai.first_chunk_seconds", SECONDS),
    ("ai.headers_seconds", SECONDS),
    ("ai.idle_seconds", SECONDS),
    ("ai.total_seconds", SECONDS),
    ("ai.retries", RETRIES),
    ("ai.abandon_seconds", SECONDS),
    ("ai.backends", Rule::Tables(&BACKENDS)),
    (
        "ai.currency",
        Rule::Text("1 to 8 letters, such as USD", |t| {
            (1..=8).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphabetic())
        }),
    ),
    ("ai.prices", Rule::Tables(&PRICES)),
    (
        "log.level",
        Rule::Text("\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"", |t| {
            matches!(t, "off" | "error" | "warn" | "info" | "debug" | "trace")
        }),
    ),
    ("log.format", Rule::Text("\"text\" or \"json\"", |t| matches!(t, "text" | "json"))),
    ("log.content", Rule::Switch),
];

/// The rule of a setting, by `section.key`.
pub fn rule(key: &str) -> Option<&'static Rule> {
    RULES.iter().find(|(known, _)| *known == key).map(|(_, rule)| rule)
}

/// What a table of `[[ai.prices]]` may hold.
const PRICES: Tables = Tables {
    keys: &[
        (
            "name",
            Rule::Text("a model's name or a pattern, visible ASCII; * is any run of characters and ? any one", |t| {
                !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic())
            }),
        ),
        ("prompt_per_million", Rule::Number(0.0, 1e6)),
        ("completion_per_million", Rule::Number(0.0, 1e6)),
    ],
    needed: &["prompt_per_million", "completion_per_million"],
};

impl Rule {
    /// What is wrong with the value of a setting, if anything: the setting and what is allowed.
    pub fn fault(&self, setting: &str, value: &ValueKind) -> Option<String> {
        match (self, value) {
            (Rule::Tables(tables), ValueKind::Array(values)) => tables.fault(setting, values),
            _ => (!self.fits(value)).then(|| format!("{setting} must be {}", self.allowed())),
        }
    }

    /// Whether a value is allowed.
    fn fits(&self, value: &ValueKind) -> bool {
        match (self, value) {
            (Rule::Whole(low, high), ValueKind::I64(number)) => (low..=high).contains(&number),
            (Rule::Number(low, high), ValueKind::Float(number)) => (low..=high).contains(&number),
            (Rule::Number(low, high), ValueKind::I64(number)) => (*low..=*high).contains(&(*number as f64)),
            (Rule::Switch, ValueKind::Boolean(_)) => true,
            (Rule::Text(_, fits) | Rule::Secret(_, fits), ValueKind::String(text)) => fits(text),
            (Rule::Url(schemes), ValueKind::String(text)) => text.is_empty() || is_url(text, schemes),
            (Rule::List(item), ValueKind::Array(values)) => {
                values.iter().all(|value| item.fits(&value.kind) && value.kind != ValueKind::from(""))
            }
            (Rule::Named(_, named, item), ValueKind::Table(table)) => {
                table.iter().all(|(name, value)| named(name) && item.fits(&value.kind))
            }
            _ => false,
        }
    }

    /// The value that a text of the environment stands for, if it can be one.
    pub fn read(&self, text: &str) -> Option<ValueKind> {
        match self {
            // Not by `config`, which takes "on" for 1.
            Rule::Whole(..) => text.trim().parse().ok().map(ValueKind::I64),
            Rule::Number(..) => text.trim().parse().ok().map(ValueKind::Float),
            Rule::Switch => Value::from(text.trim()).into_bool().ok().map(ValueKind::Boolean),
            Rule::Text(..) | Rule::Secret(..) | Rule::Url(_) => Some(text.into()),
            Rule::List(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(ValueKind::from(items.collect::<Vec<_>>()))
            }
            Rule::Tables(_) => Tables::read(text),
            // Only within tables.
            Rule::Named(..) => None,
        }
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        match self {
            Rule::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Rule::Number(low, high) => format!("a number from {low} to {high}"),
            Rule::Switch => "true or false".to_owned(),
            Rule::Text(allowed, _) | Rule::Secret(allowed, _) => (*allowed).to_owned(),
            Rule::Url(schemes) => format!("empty, or a URL that begins with {}://", schemes.join(":// or ")),
            Rule::List(item) => format!("a list; each entry {}", item.allowed().trim_start_matches("empty, or ")),
            Rule::Named(allowed, ..) => format!("a table: {allowed}"),
            Rule::Tables(tables) => {
                let keys: Vec<&str> = tables.keys.iter().map(|(key, _)| *key).collect();
                format!("a list of tables (in the environment as JSON); the keys of each: {}", keys.join(", "))
            }
        }
    }

    /// The value as it may be shown to people.
    pub fn masked(&self, value: ValueKind) -> ValueKind {
        match (self, value) {
            (Rule::Secret(..), ValueKind::String(text)) if !text.is_empty() => MASK.into(),
            (Rule::Url(_), ValueKind::String(url)) => mask_url(&url).into(),
            (Rule::List(item), ValueKind::Array(values)) => {
                values.into_iter().map(|value| item.masked(value.kind)).collect::<Vec<_>>().into()
            }
            (Rule::Named(_, _, item), ValueKind::Table(table)) => {
                let masked = |(name, value): (String, Value)| (name, Value::from(item.masked(value.kind)));
                ValueKind::Table(table.into_iter().map(masked).collect())
            }
            (_, value) => value,
        }
    }
}

/// An address to listen on: `IP:port`, or `localhost:port` for the IPv4 loopback address.
pub fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        None => text.parse().ok(),
    }
}

/// A network in CIDR notation; an address alone is the network of this one.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) fn is_name(text: &str, marks: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || marks.as_bytes().contains(&b))
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:[]".contains(&b))
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let socket = url.scheme().ends_with("unix");
    schemes.contains(&url.scheme()) && (socket || url.host_str().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layers::{BUILT_IN, Layer};

    #[test]
    fn every_setting_has_one_rule_and_a_default_that_fits_it() {
        assert!(Layer::built_in().is_ok(), "each default has a rule and fits it");
        let built_in: toml::Table = BUILT_IN.parse().unwrap();
        let keys_of = |(section, table): (&String, &toml::Value)| {
            table.as_table().unwrap().keys().map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
        };
        let keys: Vec<_> = built_in.iter().flat_map(keys_of).collect();
        let ruled: Vec<_> = RULES.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(ruled, keys, "rules and settings.toml name the same keys in the same order");
    }

    #[test]
    fn switches_are_read_as_django_sites_write_them() {
        for text in ["True", "true", "TRUE", "1", "Yes", "on"] {
            assert_eq!(Rule::Switch.read(text), Some(ValueKind::Boolean(true)), "{text}");
        }
        for text in ["False", "0", "No", "OFF"] {
            assert_eq!(Rule::Switch.read(text), Some(ValueKind::Boolean(false)), "{text}");
        }
        assert_eq!(Rule::Switch.read("maybe"), None);
    }

    #[test]
    fn addresses_urls_and_networks_are_told_from_other_texts() {
        for good in ["0.0.0.0:80", "[::1]:8080", "localhost:0"] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in ["8080", "localhost", "example.com:80", "127.0.0.1:99999", ""] {
            assert!(address(bad).is_none(), "{bad}");
        }
        assert!(is_url("rediss://u:p@h:6380/1", &["redis", "rediss"]));
        assert!(is_url("unix:///run/redis.sock", &["unix"]));
        for bad in ["http://h", "redis://", "h:6379", "redis:///0"] {
            assert!(!is_url(bad, &["redis"]), "{bad}");
        }
        assert!(network("10.0.0.0/33").is_none());
        assert_eq!(network("::1").map(|net| net.prefix_len()), Some(128));
    }
}

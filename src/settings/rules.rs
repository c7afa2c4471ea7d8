//! The rule of each setting, one row for each key of `settings.toml`.

use sophie_actors::protocol::DjangoEvent;

use super::backends::BACKENDS;
use super::forms::{MODELS, address, is_color, is_host, is_line, is_model, is_name, is_own_path, network};
use super::frame_ancestor;
use super::keys::KEYS;
use super::listed_key::ListedKey;
use super::origin::AllowedOrigin;
use super::otel::OtelHeader;
use super::rule::Rule;
use super::tables::Tables;

const ADDRESS: Rule = Rule::Text("an address and port, such as 127.0.0.1:8080 or [::]:8080", |t| address(t).is_some());
pub(super) const HTTP: Rule = Rule::Url(&["http", "https"]);
pub(super) const API: Rule =
    Rule::Text("\"chat_completions\" or \"responses\"", |t| matches!(t, "chat_completions" | "responses"));
const REDIS: Rule = Rule::Url(&["redis", "rediss", "unix", "redis+unix", "redis+sentinel", "rediss+sentinel"]);
const FILE: Rule = Rule::Text("empty, or the path of a file", |t| !t.contains('\0'));
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
    ("server.frame_ancestors", Rule::List(&Rule::Text(frame_ancestor::ALLOWED, frame_ancestor::is_frame_ancestor))),
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
    ("server.tls_cert", FILE),
    ("server.tls_key", FILE),
    ("admin.token", TOKEN),
    ("admin.view_token", TOKEN),
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
            "chat.message, chat.answer.start, chat.answer.delta, chat.answer.end, chat.answer.error, chat.feedback and \
             chat.person",
            |t| DjangoEvent::parse(t).is_some(),
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
    ("session.compression", Rule::Switch),
    // What is written must be seen to be written.
    ("session.delta_window_ms", Rule::Whole(0, 1_000)),
    ("session.max_images", Rule::Whole(1, 16)),
    ("session.max_image_bytes", Rule::Whole(1_024, 8_388_608)),
    ("session.person", Rule::Switch),
    ("ai.backend", Rule::Text("\"auto\", \"openai\" or \"demo\"", |t| matches!(t, "auto" | "openai" | "demo"))),
    ("ai.base_url", HTTP),
    ("ai.api", API),
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
    ("ai.images", Rule::Switch),
    ("ai.show_reasoning", Rule::Switch),
    ("ai.backends", Rule::Tables(&BACKENDS)),
    (
        "ai.currency",
        Rule::Text("1 to 8 letters, such as USD", |t| {
            (1..=8).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphabetic())
        }),
    ),
    ("ai.prices", Rule::Tables(&PRICES)),
    ("answers.keep_seconds", Rule::Whole(60, 604_800)),
    // As long as OpenAI keeps them, at most.
    ("responses.keep_seconds", Rule::Whole(60, 2_592_000)),
    ("responses.websocket", Rule::Switch),
    ("chat.path", Rule::Text("a path of its own, such as /api/chat", is_own_path)),
    ("chat.replay_seconds", Rule::Whole(0, 3_600)),
    ("chat.trust_history", Rule::Switch),
    ("chat.anyone_may_stop", Rule::Switch),
    ("chat.max_frame_bytes", Rule::Whole(125, 16_777_216)),
    ("ds.poll_seconds", Rule::Whole(1, 300)),
    ("page.name", Rule::Text("1 to 40 characters", |t| is_line(t, 40) && !t.trim().is_empty())),
    ("page.color", Rule::Text("empty, or a colour as #2c5f54", |t| t.is_empty() || is_color(t))),
    ("page.greeting", Rule::Text("one line of at most 200 characters", |t| is_line(t, 200))),
    ("page.examples", Rule::List(&Rule::Text("a line of at most 200 characters", |t| is_line(t, 200)))),
    ("page.language", Rule::Text("\"auto\", \"en\" or \"pt\"", |t| matches!(t, "auto" | "en" | "pt"))),
    (
        "log.level",
        Rule::Text("\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"", |t| {
            matches!(t, "off" | "error" | "warn" | "info" | "debug" | "trace")
        }),
    ),
    ("log.format", Rule::Text("\"text\" or \"json\"", |t| matches!(t, "text" | "json"))),
    ("log.content", Rule::Switch),
    ("otel.endpoint", HTTP),
    (
        "otel.headers",
        Rule::List(&Rule::Secret("NAME=VALUE: a header that is not the request's own, and visible ASCII", |t| {
            OtelHeader::parse(t).is_some()
        })),
    ),
    ("otel.sample_ratio", Rule::Number(0.0, 1.0)),
    ("otel.content", Rule::Switch),
];

/// The rule of a setting, by `section.key`.
pub fn rule(key: &str) -> Option<&'static Rule> {
    RULES.iter().find(|(known, _)| *known == key).map(|(_, rule)| rule)
}

/// What a table of `[[ai.prices]]` may hold.
const PRICES: Tables = Tables {
    keys: &[
        ("name", Rule::Text(MODELS, is_model)),
        ("prompt_per_million", Rule::Number(0.0, 1e6)),
        ("completion_per_million", Rule::Number(0.0, 1e6)),
    ],
    needed: &["prompt_per_million", "completion_per_million"],
};

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
}

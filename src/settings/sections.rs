//! The settings as typed data, one struct a section. What each means, its unit and its default stand in `settings.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sophie_actors::options::{CacheOptions, LimitOptions, RecordingOptions, SessionOptions};
use sophie_actors::protocol::DjangoEvent;

use super::ai::AiSettings;
use super::forms;
use super::keys::KeySettings;
use super::otel::OtelSettings;
use super::page::PageSettings;
use super::secret::{Secret, ServiceUrl};

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct Settings {
    pub server: ServerSettings,
    pub admin: AdminSettings,
    pub auth: AuthSettings,
    pub redis: RedisSettings,
    pub channel: ChannelSettings,
    pub cache: CacheSettings,
    pub general_cache: GeneralCacheSettings,
    pub limits: LimitOptions,
    pub session: SessionOptions,
    pub ai: AiSettings,
    pub answers: RecordingOptions,
    pub responses: ResponsesSettings,
    pub chat: ChatSettings,
    pub ds: DurableSettings,
    pub page: PageSettings,
    pub log: LogSettings,
    pub otel: OtelSettings,
}

/// `[responses]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct ResponsesSettings {
    pub keep_seconds: u64,
    pub websocket: bool,
}

/// `[chat]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct ChatSettings {
    pub path: String,
    pub replay_seconds: u64,
    pub trust_history: bool,
    pub anyone_may_stop: bool,
    pub max_frame_bytes: usize,
}

/// `[ds]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct DurableSettings {
    pub poll_seconds: u64,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct ServerSettings {
    #[serde(deserialize_with = "address")]
    pub bind: SocketAddr,
    pub workers: usize,
    pub drain_seconds: u64,
    pub max_connections: usize,
    pub max_body_bytes: usize,
    pub body_seconds: u64,
    pub keep_alive_seconds: u64,
    pub address_connections: usize,
    pub allowed_origins: Vec<String>,
    pub frame_ancestors: Vec<String>,
    pub hosts: Vec<String>,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub node: String,
    pub tls_cert: PathBuf,
    pub tls_key: PathBuf,
}

impl ServerSettings {
    /// Whether `bind` speaks TLS. That certificate and key are named together was checked when they were loaded.
    pub fn has_tls(&self) -> bool {
        !self.tls_cert.as_os_str().is_empty()
    }
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct AdminSettings {
    pub token: Secret,
    pub view_token: Secret,
    #[serde(deserialize_with = "address_or_none")]
    pub bind: Option<SocketAddr>,
}

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct AuthSettings {
    pub mode: AuthMode,
    pub jwt_secret: Secret,
    pub jwks_url: ServiceUrl,
    /// Whom tokens must be meant for; empty: not asked.
    pub audience: Vec<String>,
    /// Who must have issued them; empty: not asked.
    pub issuer: String,
    pub hook_url: ServiceUrl,
    /// Names of the cookies that say who a caller is; empty: all of them.
    pub hook_cookies: Vec<String>,
    pub open: bool,
    pub api_keys: Vec<Secret>,
    pub key: Vec<KeySettings>,
}

/// Bytes of a secret of HS256 tokens, at least: those of the hash (RFC 7518, section 3.2).
pub const SECRET_BYTES: usize = 32;

impl AuthSettings {
    /// Whether tokens are signed with fewer bytes than make a secret that cannot be guessed from a token.
    pub fn has_short_secret(&self) -> bool {
        (1..SECRET_BYTES).contains(&self.jwt_secret.expose().len())
    }
}

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Not at all: everyone is a guest.
    None,
    /// By a signed token.
    Jwt,
    /// By asking the application.
    Hook,
}

/// `[redis]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct RedisSettings {
    pub enabled: bool,
    pub url: ServiceUrl,
    pub host: String,
    pub port: u16,
    pub db: u32,
    pub password: Secret,
    pub prefix: String,
    pub wait_replicas: u32,
}

/// `[channel]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct ChannelSettings {
    pub layer: ChannelLayer,
    pub prefix: String,
    pub capacity: u64,
    pub expiry_seconds: u64,
    pub group_expiry_seconds: u64,
    pub encryption_keys: Vec<Secret>,
    pub encrypt_with_secret_key: bool,
    pub serializer: Serializer,
    pub hosts: Vec<ServiceUrl>,
    pub max_connections: usize,
    pub notify_django: Vec<DjangoEvent>,
    pub notify_worker: String,
}

impl ChannelSettings {
    /// What the worker is told of; nothing without a worker.
    pub fn worker_kinds(&self) -> Vec<DjangoEvent> {
        if self.notify_worker.is_empty() { Vec::new() } else { self.notify_django.clone() }
    }
}

/// The two layers of channels_redis, which cannot talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelLayer {
    /// `RedisChannelLayer`: sorted sets.
    Core,
    /// `RedisPubSubChannelLayer`: PUBLISH.
    Pubsub,
}

/// How the site writes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serializer {
    /// The default of channels_redis.
    Msgpack,
    /// `serializer_format = "json"`.
    Json,
}

impl From<Serializer> for sophie_actors::channel_layer::Serializer {
    fn from(serializer: Serializer) -> Self {
        match serializer {
            Serializer::Msgpack => Self::Msgpack,
            Serializer::Json => Self::Json,
        }
    }
}

/// `[cache]`: where answers are kept, and the core's options.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct CacheSettings {
    pub url: ServiceUrl,
    pub max_connections: usize,
    pub http: HttpCache,
    #[serde(flatten)]
    pub options: CacheOptions,
}

/// Which answers to applications are kept and shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpCache {
    /// Those that the request fixes or asks to have kept.
    Deterministic,
    /// All.
    Always,
    /// None.
    Never,
}

/// `[general_cache]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct GeneralCacheSettings {
    pub url: ServiceUrl,
    pub max_connections: usize,
    pub ttl_seconds: u64,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct LogSettings {
    #[serde(deserialize_with = "level")]
    pub level: log::LevelFilter,
    pub format: LogFormat,
    pub content: bool,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    forms::address(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("not an address and port"))
}

fn address_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    forms::address(&text).map(Some).ok_or_else(|| D::Error::custom("not an address and port"))
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| forms::network(text).ok_or_else(|| D::Error::custom("not a network"))).collect()
}

fn level<'de, D: Deserializer<'de>>(from: D) -> Result<log::LevelFilter, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

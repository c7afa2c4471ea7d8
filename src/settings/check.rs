//! Combinations of settings that cannot be meant.

use std::net::SocketAddr;
use std::path::Path;

use sophie_actors::options::image_bytes;

use super::SettingsError;
use super::ai::{AiChoice, AiSettings};
use super::backends::BackendSettings;
use super::connections;
use super::databases::database;
use super::keys::KeySettings;
use super::layers::Layers;
use super::listed_key::ListedKey;
use super::sections::{AuthMode, AuthSettings, ChannelLayer, Settings};

/// Refuses what cannot be meant; the message names the settings and where the first of them came from.
pub fn check(settings: &Settings, layers: &Layers) -> Result<(), SettingsError> {
    for (key, fault) in faults(settings) {
        if let Some(problem) = fault {
            return Err(refused(layers, key, &problem));
        }
    }
    if let Some((key, problem)) = connections::fault(settings) {
        return Err(refused(layers, key, &problem));
    }
    redis_is_named_once(settings, layers)
}

fn faults(settings: &Settings) -> [(&'static str, Option<String>); 18] {
    let Settings { server, admin, auth, channel, cache, session, ai, redis, page, .. } = settings;
    let no_keys = auth.jwt_secret.is_empty() && auth.jwks_url.is_empty();
    let same_port = admin.bind.is_some_and(|bind| bind == server.bind && bind.port() != 0);
    let no_view = !admin.view_token.is_empty() && admin.view_token == admin.token;
    let no_key = ai.backend == AiChoice::Openai && !ai.names_a_backend();
    let worker = !channel.notify_worker.is_empty();
    let core_only = worker && channel.layer == ChannelLayer::Pubsub && redis.enabled;
    let when = |fault: bool, problem: &str| fault.then(|| problem.to_owned());
    [
        (
            "auth.mode",
            when(
                auth.mode == AuthMode::Hook && auth.hook_url.is_empty(),
                "= \"hook\" needs auth.hook_url, the address of the application that decides",
            ),
        ),
        ("auth.mode", when(auth.mode == AuthMode::Jwt && no_keys, "= \"jwt\" needs auth.jwt_secret or auth.jwks_url")),
        (
            "auth.hook_url",
            when(
                auth.mode == AuthMode::None && !auth.hook_url.is_empty(),
                "has no effect with auth.mode = \"none\": set \"hook\", or \"jwt\" to ask it for context alone",
            ),
        ),
        ("auth.key", key_fault(auth)),
        ("admin.view_token", when(no_view, "is the same as admin.token: who may only look needs another one")),
        ("admin.bind", when(same_port, "is the same as server.bind; leave it empty for one port")),
        (
            "server.tls_cert",
            when(one_alone(&server.tls_cert, &server.tls_key), "needs server.tls_key, the file of its private key"),
        ),
        (
            "server.tls_key",
            when(one_alone(&server.tls_key, &server.tls_cert), "needs server.tls_cert, the file of its certificate"),
        ),
        (
            "session.pong_seconds",
            when(session.pong_seconds > session.ping_seconds, "must not be longer than session.ping_seconds"),
        ),
        (
            "session.max_frame_bytes",
            when(
                (1..125).contains(&session.max_frame_bytes),
                "must be 0, or at least 125: control frames are as large",
            ),
        ),
        (
            "session.max_image_bytes",
            when(
                image_bytes(session.max_images, session.max_image_bytes) > session.frame_bytes(),
                "and session.max_images must leave such a message within session.max_frame_bytes",
            ),
        ),
        (
            "session.max_text_chars",
            when(
                session.max_text_chars > session.frame_bytes(),
                "must not be more than session.max_frame_bytes: such a message would never come through",
            ),
        ),
        (
            "cache.max_entry_bytes",
            when(
                cache.options.max_entry_bytes as u64 > cache.options.memory_bytes,
                "must not be more than cache.memory_bytes",
            ),
        ),
        (
            "ai.backend",
            when(no_key, "= \"openai\" needs ai.api_key (OPENAI_API_KEY), or ai.base_url for an API without keys"),
        ),
        ("page.examples", page.fault()),
        ("ai.backends", ai.backends.iter().find_map(|table| backend_fault(table, ai))),
        ("channel.notify_worker", when(core_only, "works with channel.layer = \"core\" only")),
        (
            "channel.notify_worker",
            when(
                worker && channel.notify_django.is_empty(),
                "needs channel.notify_django: without events nothing is sent to it",
            ),
        ),
    ]
}

/// Whether this file is named and the other one, without which it is of no use, is not.
fn one_alone(this: &Path, other: &Path) -> bool {
    !this.as_os_str().is_empty() && other.as_os_str().is_empty()
}

/// A table with which nothing could ever be asked.
fn backend_fault(table: &BackendSettings, ai: &AiSettings) -> Option<String> {
    let unreachable = table.is_that_of_ai() && ai.api_key.is_empty() && ai.base_url.is_empty();
    if unreachable {
        let name = &table.name;
        return Some(format!("\"{name}\" needs base_url, api_key or headers, or ai.base_url or ai.api_key to take"));
    }
    table.models.is_empty().then(|| format!("\"{}\" has no models; leave the key out for all of them", table.name))
}

/// A key that could let in two, or nobody.
fn key_fault(auth: &AuthSettings) -> Option<String> {
    let plain: Vec<ListedKey> = auth.api_keys.iter().filter_map(|text| ListedKey::parse(text.expose())).collect();
    auth.key.iter().enumerate().find_map(|(place, KeySettings { name, key, models, .. })| {
        let problem = if models.is_empty() {
            "has no models; leave them out for all of them"
        } else if plain.iter().any(|api| api.name == *name) {
            "has the name of one of auth.api_keys"
        } else if plain.iter().any(|api| api.is(key)) {
            "is a key of auth.api_keys, too"
        } else if auth.key[..place].iter().any(|before| before.key == *key) {
            "has the same key as one before it"
        } else {
            return None;
        };
        Some(format!("\"{name}\" {problem}"))
    })
}

/// A URL wins over host, port and password. Where those lie in a later layer, whoever set them expects them to count.
fn redis_is_named_once(settings: &Settings, layers: &Layers) -> Result<(), SettingsError> {
    let url = &settings.redis.url;
    if url.is_empty() {
        return Ok(());
    }
    for key in ["redis.host", "redis.port", "redis.password", "redis.db"] {
        let unused = key != "redis.db" || database(url.as_str()).is_some_and(|db| db != settings.redis.db);
        if unused && layers.is_over(key, "redis.url") {
            let url = layers.origin("redis.url");
            let problem = format!("has no effect beside redis.url ({url}): set one of the two");
            return Err(refused(layers, key, &problem));
        }
    }
    Ok(())
}

fn refused(layers: &Layers, key: &str, problem: &str) -> SettingsError {
    SettingsError::new(&layers.origin(key), format!("{key} {problem}"))
}

impl Settings {
    /// Refuses to listen where other machines can reach what is then open to all: admin without a token, chat without accounts.
    /// A listener of admin's own counts for admin.
    pub fn refuse_open_listening(&self) -> Result<(), SettingsError> {
        let reachable = |bind: &SocketAddr| !bind.ip().to_canonical().is_loopback();
        let chat = reachable(&self.server.bind);
        let admin = self.admin.bind.as_ref().filter(|bind| reachable(bind));
        let no_token = self.admin.token.is_empty() && (chat || admin.is_some());
        let no_accounts = self.auth.mode == AuthMode::None && !self.auth.open && chat;
        if !no_token && !no_accounts {
            return Ok(());
        }
        let (key, bind) = match admin {
            Some(bind) if !chat => ("admin.bind", bind),
            _ => ("server.bind", &self.server.bind),
        };
        let missing = match (no_token, no_accounts) {
            (true, true) => "both are missing",
            (true, false) => "admin.token is missing",
            _ => "auth.open is missing",
        };
        let problem = format!(
            "{bind} can be reached from other machines: set admin.token (SOPHIE__ADMIN__TOKEN), and auth.open = true \
             (SOPHIE__AUTH__OPEN) if everyone may chat or auth.mode = \"jwt\" or \"hook\" if not; {missing}"
        );
        Err(SettingsError::new(key, problem))
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::{load, refusal};

    #[test]
    fn what_contradicts_itself_does_not_start() {
        let jwt = ("SOPHIE__AUTH__MODE", "jwt");
        assert!(refusal(&[jwt]).contains("auth.mode = \"jwt\" needs auth.jwt_secret or auth.jwks_url"));
        let hook_url = ("SOPHIE__AUTH__HOOK_URL", "http://127.0.0.1:1/");
        assert!(refusal(&[("SOPHIE__AUTH__MODE", "hook")]).contains("auth.mode = \"hook\" needs auth.hook_url"));
        assert!(refusal(&[hook_url]).contains("auth.hook_url has no effect with auth.mode = \"none\""));
        assert!(load(&[("SOPHIE__AUTH__MODE", "hook"), hook_url]).is_ok());
        assert!(refusal(&[("SOPHIE__ADMIN__BIND", "127.0.0.1:8080")]).contains("the same as server.bind"));
        let tokens = [("SOPHIE__ADMIN__TOKEN", "hunter2"), ("SOPHIE__ADMIN__VIEW_TOKEN", "hunter2")];
        let same = refusal(&tokens);
        assert!(same.contains("admin.view_token is the same as admin.token") && !same.contains("hunter2"), "{same}");
        assert!(refusal(&[("SOPHIE__SESSION__PONG_SECONDS", "26")]).contains("session.ping_seconds"));
        assert!(refusal(&[("SOPHIE__SESSION__MAX_FRAME_BYTES", "1000")]).contains("session.max_frame_bytes"));
        assert!(refusal(&[("SOPHIE__AI__BACKEND", "openai")]).contains("OPENAI_API_KEY"));
        let backends = ("SOPHIE__AI__BACKENDS", r#"[{"name": "a"}]"#);
        assert!(refusal(&[backends]).contains("ai.backends \"a\" needs base_url, api_key or headers"));
        assert!(load(&[backends, ("OPENAI_API_KEY", "k"), ("SOPHIE__AI__BACKEND", "openai")]).is_ok());
        let none = ("SOPHIE__AI__BACKENDS", r#"[{"name": "a", "api_key": "k", "models": []}]"#);
        assert!(refusal(&[none]).contains("ai.backends \"a\" has no models"));
        assert!(refusal(&[("SOPHIE__CACHE__MEMORY_BYTES", "1")]).contains("cache.memory_bytes"));
        let (certificate, key) = (("SOPHIE__SERVER__TLS_CERT", "c.pem"), ("SOPHIE__SERVER__TLS_KEY", "k.pem"));
        assert!(refusal(&[certificate]).contains("TLS_CERT: server.tls_cert needs server.tls_key"));
        assert!(refusal(&[key]).contains("TLS_KEY: server.tls_key needs server.tls_cert"));
        assert!(load(&[certificate, key]).unwrap().settings.server.has_tls());
        let pubsub =
            [("SOPHIE__CHANNEL__LAYER", "pubsub"), ("SOPHIE__CHANNEL__NOTIFY_WORKER", "w"), ("USE_REDIS", "1")];
        assert!(refusal(&pubsub).contains("channel.notify_worker works with channel.layer = \"core\""));
        assert_eq!(
            refusal(&[("SOPHIE__CHANNEL__NOTIFY_WORKER", "w")]),
            "environment variable SOPHIE__CHANNEL__NOTIFY_WORKER: channel.notify_worker needs channel.notify_django: \
             without events nothing is sent to it"
        );
        let events = ("SOPHIE__CHANNEL__NOTIFY_DJANGO", "chat.message");
        assert!(load(&[("SOPHIE__CHANNEL__NOTIFY_WORKER", "w"), events]).is_ok());
    }

    #[test]
    fn an_open_address_needs_an_admin_token_and_a_word_on_accounts() {
        let refused = |environment: &[(&str, &str)]| {
            let mut all = vec![("SOPHIE__SERVER__BIND", "0.0.0.0:8080")];
            all.extend_from_slice(environment);
            load(&all).unwrap().settings.refuse_open_listening().err().map(|error| error.to_string())
        };
        let token = ("SOPHIE__ADMIN__TOKEN", "t0ken");
        let both = refused(&[]).unwrap();
        assert!(both.contains("admin.token") && both.contains("auth.open") && both.contains("both are missing"));
        assert!(refused(&[token]).unwrap().contains("auth.open is missing"));
        assert!(refused(&[("SOPHIE__AUTH__OPEN", "true")]).unwrap().contains("admin.token is missing"));
        assert_eq!(refused(&[token, ("SOPHIE__AUTH__OPEN", "true")]), None);
        assert_eq!(refused(&[token, ("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "s")]), None);
        assert_eq!(refused(&[("SOPHIE__SERVER__BIND", "[::1]:8080")]), None, "a loopback address is not open");
    }

    #[test]
    fn a_listener_of_admins_own_needs_a_token_too() {
        let open = ("SOPHIE__ADMIN__BIND", "0.0.0.0:9090");
        let message = load(&[open]).unwrap().settings.refuse_open_listening().unwrap_err().to_string();
        assert!(
            message.starts_with("admin.bind: 0.0.0.0:9090") && message.contains("SOPHIE__ADMIN__TOKEN"),
            "{message}"
        );
        let closed = load(&[open, ("SOPHIE__ADMIN__TOKEN", "t0ken")]).unwrap();
        assert!(closed.settings.refuse_open_listening().is_ok());
    }
}

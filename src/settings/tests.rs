//! Layers, names and defaults of settings, and what the tests of all of them load.

mod page;

use std::path::Path;

use sophie_actors::protocol::DjangoEvent;

use super::*;

fn pairs(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Settings from the environment alone.
pub fn load(environment: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    let dir = tempfile::tempdir().unwrap();
    load_in(dir.path(), environment)
}

/// Why settings from the environment alone are refused.
pub fn refusal(environment: &[(&str, &str)]) -> String {
    let message = load(environment).expect_err("must be refused").to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

/// Settings from the files of a directory and the environment.
pub fn load_in(dir: &Path, environment: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    Settings::load(&LoadFrom { dir: dir.to_owned(), file: None, environment: pairs(environment) })
}

fn origin(loaded: &Loaded, key: &str) -> String {
    loaded.origins.origin(key)
}

#[test]
fn the_defaults_are_those_of_the_protocol() {
    let settings = load(&[]).unwrap().settings;
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!((settings.channel.capacity, settings.channel.expiry_seconds), (1500, 10));
    assert_eq!((settings.cache.options.ttl_seconds, settings.general_cache.ttl_seconds), (3600, 300));
    assert_eq!((settings.session.frame_bytes(), settings.session.commands_burst), (208_384, 500));
    assert_eq!(settings.ai.answers.model, "gpt-4o-mini");
    assert!(!settings.redis.enabled);
    assert_eq!(settings.ai_backend(), AiBackend::Demo);
}

#[test]
fn later_layers_win_and_each_value_knows_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("settings.toml", "[server]\nworkers = 1\ndrain_seconds = 1\nnode = \"a\"\n[limits]\nuser_burst = 1\n");
    write("settings.staging.toml", "[server]\nworkers = 2\ndrain_seconds = 2\nnode = \"b\"\n");
    write(".env", "SOPHIE__SERVER__WORKERS=3\nSOPHIE__SERVER__DRAIN_SECONDS=3\nOTHER=x y z\n");
    let loaded = load_in(dir.path(), &[("SOPHIE_ENV", "staging"), ("SOPHIE__SERVER__WORKERS", "4")]).unwrap();
    let server = &loaded.settings.server;
    assert_eq!((server.workers, server.drain_seconds, server.node.as_str()), (4, 3, "b"));
    assert_eq!(loaded.settings.limits.user_burst, 1);
    assert_eq!(origin(&loaded, "server.workers"), "environment variable SOPHIE__SERVER__WORKERS");
    assert_eq!(origin(&loaded, "server.drain_seconds"), ".env SOPHIE__SERVER__DRAIN_SECONDS");
    assert_eq!(origin(&loaded, "server.node"), "settings.staging.toml");
    assert_eq!(origin(&loaded, "limits.user_burst"), "settings.toml");
    assert_eq!(origin(&loaded, "server.bind"), "built-in");
}

#[test]
fn a_named_file_must_exist_and_takes_the_place_of_settings_toml() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("settings.toml"), "[server]\nworkers = 1\n").unwrap();
    let file = dir.path().join("mine.toml");
    let from = LoadFrom { dir: dir.path().to_owned(), file: Some(file.clone()), environment: Vec::new() };
    let error = Settings::load(&from).unwrap_err().to_string();
    assert!(error.contains("mine.toml") && error.contains("cannot be read"), "{error}");
    std::fs::write(&file, "[server]\ndrain_seconds = 3\n").unwrap();
    let settings = Settings::load(&from).unwrap().settings;
    assert_eq!((settings.server.workers, settings.server.drain_seconds), (0, 3));
}

#[test]
fn the_names_of_the_django_service_work_unchanged() {
    let loaded = load(&[
        ("USE_REDIS", "True"),
        ("REDIS_HOST", "redis"),
        ("REDIS_PORT", "7000"),
        ("REDIS_DB", ""),
        ("CHANNEL_CAPACITY", "200"),
        ("CHANNEL_EXPIRY", "20"),
        ("CHANNEL_GROUP_EXPIRY", "300"),
        ("OPENAI_API_KEY", "sk-1"),
        ("OPENAI_BASE_URL", "http://llm:1234/v1"),
        ("SECRET_KEY", "django-insecure"),
    ])
    .unwrap();
    let settings = &loaded.settings;
    assert!(settings.redis.enabled);
    assert_eq!(settings.redis_url().as_str(), "redis://redis:7000/0");
    assert_eq!((settings.channel.capacity, settings.channel.group_expiry_seconds), (200, 300));
    assert_eq!(settings.channel.expiry_seconds, 20);
    assert_eq!((settings.ai.api_key.expose(), settings.ai.base_url.as_str()), ("sk-1", "http://llm:1234/v1"));
    assert_eq!(settings.ai_backend(), AiBackend::OpenAi);
    assert!(settings.channel.encryption_keys.is_empty(), "a secret key alone does not turn encryption on");
    assert_eq!(origin(&loaded, "redis.host"), "environment variable REDIS_HOST");
    assert_eq!(origin(&loaded, "redis.db"), "built-in", "an empty value counts as unset");
}

#[test]
fn djangos_secret_key_encrypts_where_that_is_asked_for() {
    let on = ("SOPHIE__CHANNEL__ENCRYPT_WITH_SECRET_KEY", "true");
    let loaded = load(&[on, ("SECRET_KEY", "a,b")]).unwrap();
    assert_eq!(loaded.settings.channel.encryption_keys, [Secret::from("a,b")]);
    assert_eq!(origin(&loaded, "channel.encryption_keys"), "environment variable SECRET_KEY");
    assert!(refusal(&[on]).contains("SECRET_KEY"));
    let keys = ("SOPHIE__CHANNEL__ENCRYPTION_KEYS", "k");
    assert!(refusal(&[on, keys, ("SECRET_KEY", "a")]).contains("contradicts"));
}

#[test]
fn sophies_own_name_wins_over_djangos() {
    let names = [("SOPHIE__REDIS__HOST", "ours"), ("REDIS_HOST", "theirs")];
    assert_eq!(load(&names).unwrap().settings.redis.host, "ours");
}

#[test]
fn what_kubernetes_injects_is_not_taken_for_a_setting() {
    let names =
        [("SOPHIE_PORT", "tcp://10.0.0.1:80"), ("SOPHIE_SERVICE_HOST", "x"), ("REDIS_PORT", "tcp://10.0.0.1:6379")];
    assert_eq!(load(&names).unwrap().settings.redis.port, 6379);
}

#[test]
fn lists_are_comma_separated_in_the_environment() {
    let settings = load(&[
        ("SOPHIE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("SOPHIE__CHANNEL__NOTIFY_DJANGO", "chat.message,chat.answer.end"),
        ("SOPHIE__SERVER__ALLOWED_ORIGINS", ""),
    ])
    .unwrap()
    .settings;
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert_eq!(settings.channel.notify_django, [DjangoEvent::Message, DjangoEvent::AnswerEnd]);
    assert!(settings.server.allowed_origins.is_empty());
}

#[test]
fn what_is_unknown_or_out_of_range_stops_the_start_with_one_line() {
    let message = refusal(&[("SOPHIE__SERVER__WORKERS", "many")]);
    assert_eq!(
        message,
        "environment variable SOPHIE__SERVER__WORKERS: server.workers must be a whole number from 0 to 1024"
    );
    assert!(refusal(&[("SOPHIE__SERVER__PORT", "1")]).contains("allowed in [server]: bind, workers"));
    assert!(refusal(&[("SOPHIE__SEVER__BIND", "x")]).contains("the sections are server, admin"));
    assert!(refusal(&[("SOPHIE__SESSION__PING_SECONDS", "0")]).contains("from 1 to 3600"));
    assert!(refusal(&[("SOPHIE__SERVER__BIND", "8080")]).contains("an address and port"));
    assert!(refusal(&[("SOPHIE__SERVER__TRUSTED_PROXIES", "10.0.0.0/33")]).contains("10.0.0.0/8"));
    assert!(refusal(&[("REDIS_URL", "http://:hunter2@h")]).contains("redis:// or rediss://"));
    assert!(!refusal(&[("REDIS_URL", "http://:hunter2@h")]).contains("hunter2"));
    assert!(refusal(&[("SOPHIE__AUTH__API_KEYS", "shop:")]).contains("KEY or name:KEY"));
    assert!(refusal(&[("USE_REDIS", "perhaps")]).contains("USE_REDIS: redis.enabled must be true or false"));
    assert!(refusal(&[("SOPHIE_ENV", "../x")]).contains("SOPHIE_ENV"));
}

#[test]
fn a_faulty_file_is_named_with_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |text: &str| {
        std::fs::write(dir.path().join("settings.toml"), text).unwrap();
        load_in(dir.path(), &[]).expect_err(text).to_string()
    };
    assert_eq!(
        refused("[server]\nworkers = \"4\"\n"),
        "settings.toml: server.workers must be a whole number from 0 to 1024"
    );
    assert!(refused("[server]\nport = 1\n").starts_with("settings.toml: server.port is not a setting"));
    assert!(
        refused("[[ai.backends]]\nunknown = \"x\"\n")
            .starts_with("settings.toml: ai.backends, table 1: unknown is not")
    );
    let two = refused("[server]\nworkers = -1\nbind = \"x\"\n[admin]\nbind = \"x\"\n");
    assert!(two.contains("server.workers"), "of several faults the first is told: {two}");
    assert!(refused("[server]\nnode = 1979-05-27\n").contains("server.node must be"), "a date is no text");
    assert!(refused("[nonsense]\n").starts_with("settings.toml: nonsense is not a setting"));
    assert!(refused("workers = 1\n").contains("workers is not a setting"));
    let broken = refused("[admin]\ntoken = \"hunter2\n");
    assert!(broken.contains("line 2") && !broken.contains("hunter2") && !broken.contains('\n'), "{broken}");
    assert!(refused("[server]\nallowed_origins = [\"\"]\n").contains("server.allowed_origins"));
}

#[test]
fn a_host_set_over_a_url_does_not_get_lost() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("settings.toml"), "[redis]\nurl = \"redis://a/0\"\n").unwrap();
    let message = load_in(dir.path(), &[("REDIS_HOST", "b")]).unwrap_err().to_string();
    assert!(message.contains("REDIS_HOST") && message.contains("redis.url (settings.toml)"), "{message}");
    assert!(load_in(dir.path(), &[("REDIS_URL", "redis://b/0"), ("REDIS_HOST", "b")]).is_ok());
}

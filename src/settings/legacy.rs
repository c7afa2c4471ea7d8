//! The environment variables of the Django service that Sophie takes the place of: they work unchanged.

/// The variable that holds Django's secret key. It is no setting of its own: `channel.encrypt_with_secret_key` decides whether it is used.
pub const SECRET_KEY: &str = "SECRET_KEY";

/// A name of the Django service and the setting that it stands for, as `section.key`.
const NAMES: &[(&str, &str)] = &[
    ("USE_REDIS", "redis.enabled"),
    ("REDIS_HOST", "redis.host"),
    ("REDIS_PORT", "redis.port"),
    ("REDIS_DB", "redis.db"),
    ("REDIS_PASSWORD", "redis.password"),
    ("REDIS_URL", "redis.url"),
    ("CHANNEL_CAPACITY", "channel.capacity"),
    ("CHANNEL_EXPIRY", "channel.expiry_seconds"),
    ("CHANNEL_GROUP_EXPIRY", "channel.group_expiry_seconds"),
    ("OPENAI_API_KEY", "ai.api_key"),
    ("OPENAI_BASE_URL", "ai.base_url"),
];

/// The setting that a variable of the Django service stands for. An empty value counts as unset, and so does what Kubernetes makes of
/// a service called `redis` (`REDIS_PORT=tcp://10.0.0.7:6379`), which no operator wrote.
pub fn setting(name: &str, value: &str) -> Option<&'static str> {
    let (_, key) = NAMES.iter().find(|(known, _)| *known == name)?;
    let injected = name == "REDIS_PORT" && value.starts_with("tcp://");
    (!value.trim().is_empty() && !injected).then_some(*key)
}

/// Whether a name is one of the Django service's.
pub fn is_known(name: &str) -> bool {
    name == SECRET_KEY || NAMES.iter().any(|(known, _)| *known == name)
}

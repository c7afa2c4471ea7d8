//! What is set and has no effect: a start that goes on all the same, and says so.

use super::SettingsError;
use super::layers::Layers;
use super::sections::{AuthMode, Settings};

/// What only counts with Redis.
const OF_REDIS: &[&str] =
    &["redis.url", "redis.host", "redis.password", "cache.url", "general_cache.url", "channel.hosts"];
/// What only counts with tokens.
const OF_TOKENS: &[&str] = &["auth.jwt_secret", "auth.jwks_url"];

/// A sentence for each setting that somebody has set for nothing.
pub(super) fn warnings(settings: &Settings, layers: &Layers) -> Vec<SettingsError> {
    let mut told = Vec::new();
    let mut without_effect = |keys: &[&str], but: &str| {
        for key in keys.iter().filter(|key| layers.is_set(key)) {
            told.push(SettingsError::new(&layers.origin(key), format!("{key} has no effect: {but}")));
        }
    };
    if !settings.redis.enabled {
        without_effect(
            OF_REDIS,
            "redis.enabled (USE_REDIS) is false, and everything is kept in memory; set USE_REDIS=true to use Redis",
        );
    }
    if settings.auth.mode == AuthMode::None {
        without_effect(
            OF_TOKENS,
            "auth.mode is \"none\", and everyone may connect; set auth.mode = \"jwt\" to ask for tokens",
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::{load, load_in};

    fn told(environment: &[(&str, &str)]) -> Vec<String> {
        load(environment).unwrap().warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_set_for_nothing_is_told_with_what_to_do() {
        assert_eq!(told(&[]), [] as [&str; 0]);
        let redis = told(&[("REDIS_URL", "redis://:hunter2@h/0")]);
        assert_eq!(redis.len(), 1);
        assert!(redis[0].starts_with("environment variable REDIS_URL: redis.url has no effect"), "{redis:?}");
        assert!(redis[0].contains("USE_REDIS=true") && !redis[0].contains("hunter2"), "{redis:?}");
        assert_eq!(told(&[("REDIS_HOST", "h"), ("REDIS_PASSWORD", "x")]).len(), 2);
        assert!(told(&[("REDIS_URL", "redis://h/0"), ("USE_REDIS", "true")]).is_empty());
        assert!(told(&[("SOPHIE__AUTH__JWT_SECRET", "s")])[0].contains("auth.mode = \"jwt\""));
        let jwt = [("SOPHIE__AUTH__JWT_SECRET", "s"), ("SOPHIE__AUTH__MODE", "jwt")];
        assert!(told(&jwt).is_empty());
    }

    #[test]
    fn an_environment_without_its_file_is_told() {
        let missing = told(&[("SOPHIE_ENV", "staging")]);
        assert!(missing[0].starts_with("SOPHIE_ENV: ") && missing[0].contains("settings.staging.toml"), "{missing:?}");
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("settings.staging.toml"), "").unwrap();
        assert!(load_in(dir.path(), &[("SOPHIE_ENV", "staging")]).unwrap().warnings.is_empty());
    }
}

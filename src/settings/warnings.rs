//! What is set and has no effect: a start that goes on all the same, and says so.

use super::SettingsError;
use super::layers::Layers;
use super::rules::RULES;
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
    let url = settings.redis.url.as_str();
    if settings.redis.enabled && !url.is_empty() && !["@", "pass="].iter().any(|word| url.contains(word)) {
        without_effect(
            &["redis.password"],
            "redis.url is set; write the password into it, as in redis://:PASSWORD@HOST",
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

/// A sentence for each variable that is a setting but for its underscores: `SOPHIE_AI_MODEL`. What Kubernetes makes of a service called
/// `sophie-redis` (`SOPHIE_REDIS_PORT=tcp://…`) is nobody's mistake.
pub(super) fn misspelt(place: &str, variables: &[(String, String)]) -> Vec<SettingsError> {
    let meant = |(name, value): &(String, String)| {
        let rest = name.strip_prefix("SOPHIE_").filter(|rest| !rest.starts_with('_'))?;
        let flat = rest.to_ascii_lowercase().replace("__", "_");
        let (key, _) = RULES.iter().find(|(key, _)| key.replace('.', "_") == flat)?;
        let right = key.to_ascii_uppercase().replace('.', "__");
        let problem = format!("has no effect: {key} is read from SOPHIE__{right}");
        (!value.starts_with("tcp://")).then(|| SettingsError::new(&format!("{place} {name}"), problem))
    };
    variables.iter().filter_map(meant).collect()
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
        let beside = told(&[("REDIS_URL", "redis://h/0"), ("REDIS_PASSWORD", "hunter2"), ("USE_REDIS", "true")]);
        assert!(
            beside[0].starts_with("environment variable REDIS_PASSWORD: redis.password has no effect"),
            "{beside:?}"
        );
        let within = [("REDIS_URL", "redis://:x@h/0"), ("REDIS_PASSWORD", "x"), ("USE_REDIS", "true")];
        assert!(told(&within).is_empty());
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

    #[test]
    fn a_variable_with_too_few_underscores_is_told_with_the_right_name() {
        for name in ["SOPHIE_AI_MODEL", "SOPHIE_AI__MODEL"] {
            let told = told(&[(name, "llama3.2")]);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with(&format!("environment variable {name}: has no effect")), "{told:?}");
            assert!(told[0].contains("SOPHIE__AI__MODEL") && !told[0].contains("llama"), "{told:?}");
        }
        let others =
            [("SOPHIE_REVISION", "1"), ("SOPHIE_REDIS_PORT", "tcp://10.0.0.7:6379"), ("SOPHIE__AI__MODEL", "m")];
        assert_eq!(told(&others), [] as [&str; 0]);
    }
}

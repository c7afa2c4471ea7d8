//! `[[auth.key]]`: API keys with limits and models of their own.

use serde::Deserialize;

use super::forms::{MODELS, every_model, is_model, is_name};
use super::listed_key::is_key;
use super::rule::Rule;
use super::rules::COUNT;
use super::secret::Secret;
use super::tables::Tables;

/// What a table may hold.
pub const KEYS: Tables = Tables {
    keys: &[
        ("name", Rule::Text("1 to 64 of A-Z a-z 0-9 _ - .", |t| is_name(t, "_-."))),
        ("key", Rule::Secret("visible ASCII characters without spaces, at least one", is_key)),
        ("models", Rule::List(&Rule::Text(MODELS, is_model))),
        ("requests_per_minute", COUNT),
        ("tokens_per_hour", COUNT),
    ],
    needed: &["key"],
};

/// One table. What each key means stands in `docs/settings.md`.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in docs/settings.md")]
pub struct KeySettings {
    pub name: String,
    pub key: Secret,
    #[serde(default = "every_model")]
    pub models: Vec<String>,
    pub requests_per_minute: Option<u64>,
    pub tokens_per_hour: Option<u64>,
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::{load, load_in, refusal};

    const VARIABLE: &str = "SOPHIE__AUTH__KEY";

    #[test]
    fn a_key_has_a_name_and_may_have_limits_and_models() {
        let dir = tempfile::tempdir().unwrap();
        let file = "[[auth.key]]\nname = \"shop\"\nkey = \"hunter2\"\nmodels = [\"gpt-*\"]\nrequests_per_minute = 7\n";
        std::fs::write(dir.path().join("settings.toml"), file).unwrap();
        let loaded = load_in(dir.path(), &[]).unwrap();
        let shop = &loaded.settings.auth.key[0];
        assert_eq!((shop.name.as_str(), shop.models.len(), shop.requests_per_minute), ("shop", 1, Some(7)));
        assert_eq!((shop.key.expose(), shop.tokens_per_hour), ("hunter2", None));
        let shown = loaded.origins.show();
        assert!(!shown.contains("hunter2") && shown.contains("requests_per_minute = 7"), "{shown}");
        let bare = load(&[(VARIABLE, r#"[{"name": "a", "key": "k"}]"#)]).unwrap().settings;
        assert_eq!(bare.auth.key[0].models, ["*"]);
    }

    #[test]
    fn what_is_wrong_in_a_key_is_told_without_it() {
        for (json, problem) in [
            (r#"[{"name": "a"}]"#, "key is missing"),
            (r#"[{"name": "a", "key": ""}]"#, "key must be visible ASCII"),
            (r#"[{"name": "a b", "key": "hunter2"}]"#, "name must be 1 to 64"),
            (r#"[{"name": "a", "key": "hunter2", "requests_per_minute": 0}]"#, "requests_per_minute must be"),
            (r#"[{"name": "a", "key": "hunter2", "models": []}]"#, "auth.key \"a\" has no models"),
        ] {
            let message = refusal(&[(VARIABLE, json)]);
            assert!(message.contains(problem) && !message.contains("hunter2"), "{message}");
        }
        let named_twice = [(VARIABLE, r#"[{"name": "a", "key": "hunter2"}]"#), ("SOPHIE__AUTH__API_KEYS", "a:other")];
        assert!(refusal(&named_twice).contains("auth.key \"a\" has the name of one of auth.api_keys"));
        let one_key = [(VARIABLE, r#"[{"name": "a", "key": "hunter2"}]"#), ("SOPHIE__AUTH__API_KEYS", "b:hunter2")];
        assert!(refusal(&one_key).contains("auth.key \"a\" is a key of auth.api_keys, too"));
    }
}

//! `sophie settings`: what is in force and where each value came from, as TOML that could be a settings file.

use config::{Value, ValueKind};

use super::layers::Layers;
use super::rule::Rule;
use super::rules::RULES;

impl Layers {
    /// The settings in force as TOML, each with a comment that names its origin; secrets are masked.
    pub fn show(&self) -> String {
        let mut text = String::new();
        let mut current = "";
        // Tables end their section, so they come last in it.
        let mut tables = String::new();
        for (name, rule) in RULES {
            let (Some((section, key)), Some(value)) = (name.split_once('.'), self.value(name)) else { continue };
            // A file may have any name; in a comment it must stay on its line.
            let origin = value.origin().unwrap_or_default().replace(|c: char| c.is_control(), " ");
            if section != current {
                text.push_str(&std::mem::take(&mut tables));
                let gap = if current.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}[{section}]\n"));
                current = section;
            }
            if let (Rule::Tables(rule), ValueKind::Array(values)) = (rule, &value.kind)
                && !values.is_empty()
            {
                tables.push_str(&rule.show(name, values, &origin));
                continue;
            }
            let Ok(value) = Value::from(rule.masked(value.kind)).try_deserialize::<toml::Value>() else { continue };
            text.push_str(&format!("{key} = {value} # from {origin}\n"));
        }
        text.push_str(&tables);
        text
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::load;

    #[test]
    fn each_value_is_shown_with_its_origin_and_no_secret() {
        let loaded = load(&[
            ("REDIS_URL", "redis://app:hunter2@r.example.com/0"),
            ("SOPHIE__ADMIN__TOKEN", "hunter2"),
            ("SOPHIE__AUTH__API_KEYS", "shop:hunter2,hunter2"),
            ("SOPHIE__AUTH__JWT_SECRET", "hunter2"),
            ("SOPHIE__CHANNEL__HOSTS", "redis://:hunter2@a/0,redis://b/0"),
            ("SOPHIE__CHANNEL__ENCRYPTION_KEYS", "hunter2"),
            ("OPENAI_API_KEY", "hunter2"),
            ("REDIS_PASSWORD", "hunter2"),
            ("SOPHIE__AI__SYSTEM_PROMPT", "one\n\"two\" # three"),
        ])
        .unwrap();
        let shown = loaded.origins.show();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
        assert!(shown.contains("url = \"redis://app:***@r.example.com/0\" # from environment variable REDIS_URL\n"));
        assert!(shown.contains("api_keys = [\"***\", \"***\"] # from environment variable SOPHIE__AUTH__API_KEYS\n"));
        assert!(shown.contains("hosts = [\"redis://:***@a/0\", \"redis://b/0\"]"));
        assert!(shown.contains("capacity = 1500 # from built-in\n"));
        let parsed: toml::Table = shown.parse().unwrap();
        assert_eq!(parsed["ai"]["system_prompt"].as_str(), Some("one\n\"two\" # three"));
        assert_eq!(parsed["server"]["bind"].as_str(), Some("127.0.0.1:8080"));
        assert!(shown.starts_with("[server]\nbind"), "as in the file");
    }
}

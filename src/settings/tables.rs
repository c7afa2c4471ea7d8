//! Settings that are a list of tables, such as `[[ai.backends]]`: what a table may hold, how a list is read, checked and shown.
//! A layer gives the whole list or none of it: of two lists the later one counts, and tables are never mixed.

use std::collections::BTreeSet;

use config::{Map, Value, ValueKind};

use super::rule::Rule;

/// What the tables of a list may hold.
pub struct Tables {
    /// Each key with its rule, in the order in which they are shown. One of them is `name`: every table has one of its own.
    pub keys: &'static [(&'static str, Rule)],
    /// The keys beside `name` that a table must have.
    pub needed: &'static [&'static str],
}

impl Tables {
    /// What is wrong with a list, if anything: it names the place, the key and what is allowed, and repeats no value.
    pub fn fault(&self, setting: &str, values: &[Value]) -> Option<String> {
        let mut names = BTreeSet::new();
        (1..).zip(values).find_map(|(place, value)| {
            let ValueKind::Table(table) = &value.kind else {
                return Some(format!("{setting}, entry {place}: must be a table"));
            };
            let taken = || (!names.insert(name_of(table))).then(|| "name must differ from those before it".to_owned());
            let problem = self.fault_of(table).or_else(taken)?;
            Some(format!("{setting}, table {place}: {problem}"))
        })
    }

    fn fault_of(&self, table: &Map<String, Value>) -> Option<String> {
        let known = |key: &str| self.keys.iter().any(|(known, _)| *known == key);
        // The map has no order; of several the first by name is told.
        if let Some(unknown) = table.keys().filter(|key| !known(key)).min() {
            let keys: Vec<&str> = self.keys.iter().map(|(key, _)| *key).collect();
            return Some(format!("{unknown} is not a setting; allowed: {}", keys.join(", ")));
        }
        let missing = ["name"].iter().chain(self.needed).find(|key| !table.contains_key(**key));
        if let Some(missing) = missing {
            return Some(format!("{missing} is missing"));
        }
        self.keys.iter().find_map(|(key, rule)| rule.fault(key, &table.get(*key)?.kind))
    }

    /// The list that a text of the environment stands for: JSON, as nothing shorter could hold it.
    pub fn read(text: &str) -> Option<ValueKind> {
        let list = serde_json::from_str(text.trim()).ok().filter(serde_json::Value::is_array)?;
        Some(value_of(list))
    }

    /// A list as TOML for people, secrets masked; `origin` stands beside each table.
    pub fn show(&self, setting: &str, values: &[Value], origin: &str) -> String {
        let mut text = String::new();
        for value in values {
            let ValueKind::Table(table) = &value.kind else { continue };
            text.push_str(&format!("\n[[{setting}]] # from {origin}\n"));
            for (key, rule) in self.keys {
                let Some(value) = table.get(*key) else { continue };
                let masked = Value::from(rule.masked(value.kind.clone()));
                let Ok(shown) = masked.try_deserialize::<toml::Value>() else { continue };
                text.push_str(&format!("{key} = {shown}\n"));
            }
        }
        text
    }
}

fn name_of(table: &Map<String, Value>) -> Option<String> {
    table.get("name").and_then(|name| name.clone().into_string().ok())
}

/// `config`'s kind of a JSON value. What no setting can be becomes nil.
fn value_of(json: serde_json::Value) -> ValueKind {
    match json {
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Bool(switch) => switch.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => ValueKind::I64(whole),
            None => number.as_f64().map_or(ValueKind::Nil, ValueKind::Float),
        },
        serde_json::Value::Array(values) => values.into_iter().map(value_of).collect::<Vec<_>>().into(),
        serde_json::Value::Object(fields) => {
            ValueKind::Table(fields.into_iter().map(|(key, value)| (key, Value::from(value_of(value)))).collect())
        }
        serde_json::Value::Null => ValueKind::Nil,
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::{load, load_in, refusal};

    const VARIABLE: &str = "SOPHIE__AI__BACKENDS";

    #[test]
    fn a_later_layer_replaces_the_whole_list() {
        let dir = tempfile::tempdir().unwrap();
        let file = "[[ai.backends]]\nname = \"a\"\napi_key = \"k\"\n[[ai.backends]]\nname = \"b\"\napi_key = \"k\"\n";
        std::fs::write(dir.path().join("settings.toml"), file).unwrap();
        let names = |environment: &[(&str, &str)]| {
            let loaded = load_in(dir.path(), environment).unwrap();
            let names = loaded.settings.ai.backends.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
            (names, loaded.origins.origin("ai.backends"))
        };
        assert_eq!(names(&[]), (vec!["a".into(), "b".into()], "settings.toml".into()));
        let json = r#"[{"name": "c", "base_url": "http://c/v1", "retries": 0, "headers": {"api-key": "k"}}]"#;
        let origin = format!("environment variable {VARIABLE}");
        assert_eq!(names(&[(VARIABLE, json)]), (vec!["c".into()], origin.clone()));
        assert_eq!(names(&[(VARIABLE, "[]")]), (vec![], origin), "a list can be taken away");
    }

    #[test]
    fn what_is_wrong_in_a_table_is_told_with_its_place_and_no_value() {
        let good = r#"{"name": "a", "api_key": "k"}"#;
        let table = |json: &str| refusal(&[(VARIABLE, &format!("[{good}, {json}]"))]);
        let place = format!("environment variable {VARIABLE}: ai.backends, table 2: ");
        for (json, problem) in [
            (r#"{"name": "b", "modles": []}"#, "modles is not a setting; allowed: name, models, "),
            (r#"{"api_key": "k"}"#, "name is missing"),
            (good, "name must differ from those before it"),
            (r#"{"name": "b", "retries": 11}"#, "retries must be a whole number from 0 to 10"),
            (r#"{"name": "b", "retries": 1.5}"#, "retries must be a whole number"),
            (r#"{"name": "b", "base_url": "ftp://u:hunter2@h"}"#, "base_url must be empty, or a URL"),
            (r#"{"name": "b", "models": "gpt"}"#, "models must be a list"),
            (r#"{"name": "b", "headers": {"a b": "hunter2"}}"#, "headers must be a table"),
            (r#"{"name": "b", "headers": {"x": "hunter2\n"}}"#, "headers must be a table"),
        ] {
            let message = table(json);
            assert!(message.starts_with(&(place.clone() + problem)), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert!(table("7").contains("ai.backends, entry 2: must be a table"));
        for text in ["a,b", "{}", "[", ""] {
            assert!(refusal(&[(VARIABLE, text)]).contains("ai.backends must be a list of tables"), "{text}");
        }
    }

    #[test]
    fn tables_are_shown_as_a_file_would_have_them_without_secrets() {
        let json = r#"[{"name": "azure", "headers": {"api-key": "hunter2"}, "base_url": "https://h/v1?api-version=1"},
                       {"name": "b", "models": ["gpt-*"], "api_key": "hunter2"}]"#;
        let loaded = load(&[(VARIABLE, json)]).unwrap();
        let shown = loaded.origins.show();
        assert!(!shown.contains("hunter2") && !format!("{:?}", loaded.settings).contains("hunter2"), "{shown}");
        let parsed: toml::Table = shown.parse().unwrap();
        let tables = parsed["ai"]["backends"].as_array().unwrap();
        assert_eq!(tables[0]["headers"]["api-key"].as_str(), Some("***"));
        assert_eq!(tables[1]["models"][0].as_str(), Some("gpt-*"));
        assert!(
            shown.contains(&format!("\n[[ai.backends]] # from environment variable {VARIABLE}\nname = \"azure\"\n"))
        );
        assert!(parsed["log"]["level"].is_str(), "what follows stays in its section");
        assert!(load(&[]).unwrap().origins.show().contains("backends = [] # from built-in\n"));
    }
}

//! The layers that settings come from, and where each value in force came from.

use std::fmt;
use std::path::Path;

use toml::{Table, Value};

use super::SettingsError;
use super::legacy;
use super::rules::{Rule, rule};

/// The defaults, as the project ships them.
pub const BUILT_IN: &str = include_str!("../../settings.toml");

/// What names of the environment begin with.
const PREFIX: &str = "SOPHIE__";

/// Where a value came from, in the order in which later wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The default.
    BuiltIn,
    /// A settings file: the how manieth read, and its name.
    File(u8, String),
    /// A variable of `.env`.
    DotEnv(String),
    /// A variable of the environment.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.write_str("built-in"),
            Origin::File(_, name) => f.write_str(name),
            Origin::DotEnv(name) => write!(f, ".env {name}"),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl Origin {
    /// Whether this layer lies over that one. Variables of one layer lie beside each other.
    pub fn is_over(&self, other: &Origin) -> bool {
        let layer = |origin: &Origin| match origin {
            Origin::BuiltIn => 0,
            Origin::File(number, _) => u16::from(*number) + 1,
            Origin::DotEnv(_) => 1000,
            Origin::Environment(_) => 1001,
        };
        layer(self) > layer(other)
    }
}

/// One setting in force.
#[derive(Clone)]
pub struct Row {
    /// `section.key`.
    pub key: String,
    /// Its value, not masked.
    pub value: Value,
    /// Where that came from.
    pub origin: Origin,
}

/// The settings in force, in the order of `settings.toml`, while layers are laid over each other.
#[derive(Clone)]
pub struct Layers {
    rows: Vec<Row>,
    secret_key: Option<(String, Origin)>,
    files: u8,
}

impl Layers {
    /// The defaults alone.
    pub fn built_in() -> Result<Self, SettingsError> {
        let mut layers = Self { rows: Vec::new(), secret_key: None, files: 0 };
        for (section, table) in parse("built-in settings", BUILT_IN)? {
            for (key, value) in table.as_table().into_iter().flatten() {
                let key = format!("{section}.{key}");
                layers.rows.push(Row { key, value: value.clone(), origin: Origin::BuiltIn });
            }
        }
        Ok(layers)
    }

    /// Lays a file over what is there. `shown` is how messages name it.
    pub fn add_file(&mut self, path: &Path, shown: &str) -> Result<(), SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingsError::new(shown, format!("cannot be read: {error}")))?;
        self.files += 1;
        let origin = Origin::File(self.files, shown.to_owned());
        for (section, content) in parse(shown, &text)? {
            let Value::Table(table) = content else {
                return Err(SettingsError::new(shown, self.unknown(&section)));
            };
            if !self.rows.iter().any(|row| row.key.split('.').next() == Some(section.as_str())) {
                return Err(SettingsError::new(shown, self.unknown(&section)));
            }
            for (key, value) in table {
                self.set(&format!("{section}.{key}"), value, &origin, shown)?;
            }
        }
        Ok(())
    }

    /// Lays the variables of one layer over what is there: first the Django service's names, then `SOPHIE__SECTION__KEY`, which wins.
    pub fn add_variables(
        &mut self,
        variables: &[(String, String)],
        origin: fn(String) -> Origin,
    ) -> Result<(), SettingsError> {
        for (name, value) in variables {
            if name == legacy::SECRET_KEY && !value.is_empty() {
                self.secret_key = Some((value.clone(), origin(name.clone())));
            }
            if let Some(key) = legacy::setting(name, value) {
                self.read(key, value, origin(name.clone()))?;
            }
        }
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            self.read(&rest.to_ascii_lowercase().replace("__", "."), value, origin(name.clone()))?;
        }
        Ok(())
    }

    /// Makes Django's secret key the channel layer's, where `channel.encrypt_with_secret_key` asks for it.
    pub fn use_secret_key(&mut self) -> Result<(), SettingsError> {
        let wanted = "channel.encrypt_with_secret_key";
        let Some(switch) = self.row(wanted).filter(|row| row.value.as_bool() == Some(true)) else { return Ok(()) };
        let place = switch.origin.to_string();
        let given = self.row("channel.encryption_keys").and_then(|row| row.value.as_array());
        if given.is_some_and(|keys| !keys.is_empty()) {
            let problem = format!("{wanted} contradicts channel.encryption_keys: set one of the two");
            return Err(SettingsError::new(&place, problem));
        }
        let Some((key, origin)) = self.secret_key.clone() else {
            return Err(SettingsError::new(&place, format!("{wanted} = true needs {} to be set", legacy::SECRET_KEY)));
        };
        self.set("channel.encryption_keys", Value::Array(vec![Value::String(key)]), &origin, &place)
    }

    /// The settings in force, in the order of `settings.toml`.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One setting, by `section.key`.
    pub fn row(&self, key: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.key == key)
    }

    /// All of it as one TOML table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        for row in &self.rows {
            let Some((section, key)) = row.key.split_once('.') else { continue };
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(key.to_owned(), row.value.clone());
            }
        }
        table
    }

    fn read(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), SettingsError> {
        let place = origin.to_string();
        let known = rule(key).ok_or_else(|| SettingsError::new(&place, self.unknown(key)))?;
        let value = known.read(text).ok_or_else(|| SettingsError::new(&place, refusal(key, known)))?;
        self.set(key, value, &origin, &place)
    }

    fn set(&mut self, key: &str, value: Value, origin: &Origin, place: &str) -> Result<(), SettingsError> {
        let unknown = self.unknown(key);
        let (Some(row), Some(known)) = (self.rows.iter_mut().find(|row| row.key == key), rule(key)) else {
            return Err(SettingsError::new(place, unknown));
        };
        if !known.fits(&value) {
            return Err(SettingsError::new(place, refusal(key, known)));
        }
        row.value = value;
        row.origin = origin.clone();
        Ok(())
    }

    /// Why a name is refused, with those that would be known in its place.
    fn unknown(&self, key: &str) -> String {
        let section = key.split('.').next().unwrap_or_default();
        let names = self.rows.iter().filter_map(|row| row.key.split_once('.'));
        let keys: Vec<&str> = names.filter(|(of, _)| *of == section).map(|(_, key)| key).collect();
        if !keys.is_empty() {
            return format!("{key} is not a setting; allowed in [{section}]: {}", keys.join(", "));
        }
        let mut sections: Vec<&str> = self.rows.iter().filter_map(|row| row.key.split('.').next()).collect();
        sections.dedup();
        format!("{key} is not a setting; the sections are {}", sections.join(", "))
    }
}

fn refusal(key: &str, rule: &Rule) -> String {
    format!("{key} must be {}", rule.allowed())
}

fn parse(shown: &str, text: &str) -> Result<Table, SettingsError> {
    // toml's own text quotes the line, which may hold a secret.
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        SettingsError::new(shown, format!("line {line} is not TOML: {}", error.message()))
    })
}

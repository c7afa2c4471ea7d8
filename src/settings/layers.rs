//! The layers that settings come from. `config` lays them over each other and remembers where each value in force came from.
//! What cannot be read becomes nil, which fits no rule.

use std::fmt;
use std::path::Path;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use super::legacy;
use super::rules::{RULES, rule};
use super::{Settings, SettingsError};

/// The defaults, as the project ships them.
pub const BUILT_IN: &str = include_str!("../../settings.toml");

/// What names of the environment begin with.
const PREFIX: &str = "SOPHIE__";

/// Where Django's secret key lies until it is known whether it is wanted. No rule has this name, so nothing else sets or shows it.
const SECRET_KEY: &str = "django.secret_key";

/// One layer: checked values by `section.key`, each with its origin in words.
#[derive(Clone)]
pub struct Layer(Map<String, Value>);

impl Layer {
    /// The defaults.
    pub fn built_in() -> Result<Self, SettingsError> {
        Self::toml("built-in", BUILT_IN)
    }

    /// A settings file. `shown` is how messages name it.
    pub fn file(path: &Path, shown: &str) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingsError::new(shown, format!("cannot be read: {error}")))?;
        Self::toml(shown, &text)
    }

    /// Variables: first the Django service's names, then `SOPHIE__SECTION__KEY`, which wins. `place` goes before a name in messages.
    pub fn variables(place: &str, variables: &[(String, String)]) -> Result<Self, SettingsError> {
        let mut layer = Self(Map::new());
        for (name, value) in variables {
            let origin = format!("{place} {name}");
            if name == legacy::SECRET_KEY && !value.is_empty() {
                layer.0.insert(SECRET_KEY.to_owned(), Value::new(Some(&origin), value.as_str()));
            }
            if let Some(key) = legacy::setting(name, value) {
                layer.read(key, value, &origin)?;
            }
        }
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            layer.read(&rest.to_ascii_lowercase().replace("__", "."), value, &format!("{place} {name}"))?;
        }
        Ok(layer)
    }

    /// The text of a settings file.
    pub(super) fn toml(shown: &str, text: &str) -> Result<Self, SettingsError> {
        // toml's own text quotes the line, which may hold a secret.
        let sections: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            SettingsError::new(shown, format!("line {line} is not TOML: {}", error.message()))
        })?;
        let mut layer = Self(Map::new());
        for (section, content) in sections {
            let known = RULES.iter().any(|(key, _)| key.split('.').next() == Some(section.as_str()));
            let table = match content {
                toml::Value::Table(table) if known => table,
                _ => return Err(unknown(&section, shown)),
            };
            for (key, value) in table {
                layer.set(&format!("{section}.{key}"), value_of(value), shown)?;
            }
        }
        Ok(layer)
    }

    fn read(&mut self, key: &str, text: &str, origin: &str) -> Result<(), SettingsError> {
        let known = rule(key).ok_or_else(|| unknown(key, origin))?;
        self.set(key, known.read(text).unwrap_or(ValueKind::Nil), origin)
    }

    fn set(&mut self, key: &str, value: ValueKind, origin: &str) -> Result<(), SettingsError> {
        let known = rule(key).ok_or_else(|| unknown(key, origin))?;
        if let Some(fault) = known.fault(key, &value) {
            return Err(SettingsError::new(origin, fault));
        }
        self.0.insert(key.to_owned(), Value::new(Some(&origin.to_owned()), value));
        Ok(())
    }
}

/// Names no value, since they hold secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layer").finish_non_exhaustive()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The settings in force. Not to be printed as they are: they hold secrets.
pub struct Layers {
    layers: Vec<Layer>,
    merged: Config,
}

impl Layers {
    /// Lays layers over each other; later ones win. Django's secret key becomes the channel layer's where
    /// `channel.encrypt_with_secret_key` asks for it.
    pub fn merge(layers: Vec<Layer>) -> Result<Self, SettingsError> {
        let mut all = Self { merged: build(&layers)?, layers };
        if let Some(layer) = all.secret_key()? {
            all.layers.push(layer);
            all.merged = build(&all.layers)?;
        }
        Ok(all)
    }

    /// The settings as typed data.
    pub fn typed(&self) -> Result<Settings, SettingsError> {
        let mut settings: Settings = self.merged.clone().try_deserialize()?;
        if !settings.ai.answers.images {
            // Then no message may have any, and no frame needs room for them.
            settings.session.max_images = 0;
        }
        Ok(settings)
    }

    /// One setting, by `section.key`, with its origin.
    pub fn value(&self, key: &str) -> Option<Value> {
        let (section, key) = key.split_once('.')?;
        self.merged.get_table(section).ok()?.get(key).cloned()
    }

    /// Where a setting came from, in words.
    pub fn origin(&self, key: &str) -> String {
        self.value(key).and_then(|value| value.origin().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether a setting has another value than the built-in one: a copy of the defaults sets nothing.
    pub fn is_set(&self, key: &str) -> bool {
        let built_in = self.layers.first().and_then(|layer| layer.0.get(key));
        self.value(key).map(|value| value.kind) != built_in.map(|value| value.kind.clone())
    }

    /// Whether one setting comes from a layer over that of another. Variables of one layer lie beside each other.
    pub fn is_over(&self, key: &str, other: &str) -> bool {
        let layer = |key: &str| self.layers.iter().rposition(|layer| layer.0.contains_key(key));
        layer(key) > layer(other)
    }

    /// These settings with the values of `newer` for those that `takes` names. All of them come from one layer then, with the origins that
    /// they had.
    pub fn taking(&self, newer: &Self, takes: impl Fn(&str) -> bool) -> Result<Self, SettingsError> {
        let of = |key: &str| if takes(key) { newer.value(key) } else { self.value(key) };
        let values = RULES.iter().filter_map(|(key, _)| Some(((*key).to_owned(), of(key)?)));
        let built_in = self.layers.first().cloned();
        let layers: Vec<Layer> = built_in.into_iter().chain([Layer(values.collect())]).collect();
        Ok(Self { merged: build(&layers)?, layers })
    }

    fn secret_key(&self) -> Result<Option<Layer>, SettingsError> {
        let (wanted, keys) = ("channel.encrypt_with_secret_key", "channel.encryption_keys");
        if !self.merged.get_bool(wanted)? {
            return Ok(None);
        }
        let refused = |problem: &str| SettingsError::new(&self.origin(wanted), format!("{wanted} {problem}"));
        if !self.merged.get_array(keys)?.is_empty() {
            return Err(refused("contradicts channel.encryption_keys: set one of the two"));
        }
        let Some(key) = self.value(SECRET_KEY) else {
            return Err(refused(&format!("= true needs {} to be set", legacy::SECRET_KEY)));
        };
        let origin = key.origin().map(str::to_owned);
        Ok(Some(Layer(Map::from([(keys.to_owned(), Value::new(origin.as_ref(), vec![key]))]))))
    }
}

/// `config`'s kind of a TOML value. Its own reading would take a date for a text.
fn value_of(toml: toml::Value) -> ValueKind {
    match toml {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(switch) => switch.into(),
        toml::Value::Array(values) => values.into_iter().map(value_of).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => {
            ValueKind::Table(table.into_iter().map(|(key, value)| (key, Value::from(value_of(value)))).collect())
        }
        _ => ValueKind::Nil,
    }
}

fn build(layers: &[Layer]) -> Result<Config, SettingsError> {
    Ok(layers.iter().cloned().fold(Config::builder(), |builder, layer| builder.add_source(layer)).build()?)
}

/// Why a name is refused, with those that would be known in its place.
fn unknown(key: &str, place: &str) -> SettingsError {
    let section = key.split('.').next().unwrap_or_default();
    let names = || RULES.iter().filter_map(|(known, _)| known.split_once('.'));
    let keys: Vec<&str> = names().filter(|(of, _)| *of == section).map(|(_, key)| key).collect();
    if !keys.is_empty() {
        return SettingsError::new(
            place,
            format!("{key} is not a setting; allowed in [{section}]: {}", keys.join(", ")),
        );
    }
    let mut sections: Vec<&str> = names().map(|(section, _)| section).collect();
    sections.dedup();
    SettingsError::new(place, format!("{key} is not a setting; the sections are {}", sections.join(", ")))
}

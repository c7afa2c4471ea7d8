//! What can be set: built-in defaults, files, `.env` and environment laid over each other, checked, and typed.

mod ai;
mod backends;
mod changes;
mod check;
mod connections;
mod databases;
mod dot_env;
mod files;
mod forms;
mod frame_ancestor;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod keys;
mod layers;
mod legacy;
pub(crate) mod listed_key;
pub(crate) mod origin;
pub(crate) mod otel;
mod own_address;
mod page;
mod rule;
mod rules;
mod secret;
mod sections;
mod show;
mod tables;
mod warnings;

use std::path::PathBuf;

pub use ai::*;
pub use backends::BackendSettings;
pub use changes::Changes;
pub use files::SettingsFile;
pub use keys::KeySettings;
use layers::Layer;
pub use layers::Layers;
pub use otel::{OtelHeader, OtelSettings};
pub use page::PageSettings;
pub(crate) use secret::MASK;
pub use secret::{Secret, ServiceUrl};
pub use sections::*;

/// Why settings are refused, or what of them has no effect: one line that names the place, the setting and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    pub(crate) fn new(place: &str, problem: impl AsRef<str>) -> Self {
        let line = format!("{place}: {}", problem.as_ref());
        Self(line.replace(|c: char| c.is_control(), " "))
    }
}

/// What `config` itself finds at fault. The rules have looked at every value before, so no secret can be in its words.
impl From<config::ConfigError> for SettingsError {
    fn from(error: config::ConfigError) -> Self {
        Self::new("settings", error.to_string())
    }
}

/// Where settings are looked for. Not to be printed: the environment holds secrets.
#[derive(Clone, Default)]
pub struct LoadFrom {
    /// The directory of `settings.toml`, `settings.{SOPHIE_ENV}.toml` and `.env`, of which each may be missing.
    pub dir: PathBuf,
    /// A file that takes the place of `settings.toml` and must exist; relative to `dir`.
    pub file: Option<PathBuf>,
    /// The environment's variables.
    pub environment: Vec<(String, String)>,
}

impl LoadFrom {
    /// `RUST_LOG`, which goes before the level of the settings.
    pub fn log_filters(&self) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == "RUST_LOG").map(|(_, value)| value.as_str())
    }
}

/// What was loaded.
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Each of them with where it came from; `show()` prints them masked.
    pub origins: Layers,
    /// What was set for nothing, to be told at the start.
    pub warnings: Vec<SettingsError>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Settings {
    /// Loads, checks and types the settings. Whether they may listen is asked separately: [`Settings::refuse_open_listening`].
    pub fn load(from: &LoadFrom) -> Result<Loaded, SettingsError> {
        let mut layers = vec![Layer::built_in()?];
        let mut warnings = Vec::new();
        let dot_env = dot_env::read(&from.dir.join(".env"))?;

        let main = from.dir.join("settings.toml");
        if let Some(file) = &from.file {
            layers.push(Layer::file(&from.dir.join(file), &file.display().to_string())?);
        } else if main.exists() {
            layers.push(Layer::file(&main, "settings.toml")?);
        }
        if let Some(name) = environment_name(&from.environment).or_else(|| environment_name(&dot_env)) {
            let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
            if !legal {
                return Err(SettingsError::new("SOPHIE_ENV", "must be the middle of a file name: A-Z a-z 0-9 _ - ."));
            }
            let file = format!("settings.{name}.toml");
            let path = from.dir.join(&file);
            if path.exists() {
                layers.push(Layer::file(&path, &file)?);
            } else {
                let problem = format!("{name} has no effect: there is no {}", path.display());
                warnings.push(SettingsError::new("SOPHIE_ENV", problem));
            }
        }
        layers.push(Layer::variables(".env", &dot_env)?);
        layers.push(Layer::variables("environment variable", &from.environment)?);

        let origins = Layers::merge(layers)?;
        let settings: Settings = origins.typed()?;
        check::check(&settings, &origins)?;
        warnings.extend(warnings::warnings(&settings, &origins));
        warnings.extend(warnings::misspelt(".env", &dot_env));
        warnings.extend(warnings::misspelt("environment variable", &from.environment));
        Ok(Loaded { settings, origins, warnings })
    }
}

fn environment_name(variables: &[(String, String)]) -> Option<&str> {
    variables.iter().find(|(name, value)| name == "SOPHIE_ENV" && !value.is_empty()).map(|(_, value)| value.as_str())
}

#[cfg(test)]
pub(crate) mod tests;

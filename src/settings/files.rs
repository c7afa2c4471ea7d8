//! Which files settings are looked for in, whether or not they can be read.

use super::{LoadFrom, dot_env, environment_name};

/// A place where settings are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    /// Its name, as messages have it.
    pub name: String,
    /// Whether there is such a file.
    pub is_there: bool,
}

impl LoadFrom {
    /// The files that are looked for, the later ones above the earlier.
    pub fn files(&self) -> Vec<SettingsFile> {
        let main = self.file.as_ref().map_or("settings.toml".to_owned(), |file| file.display().to_string());
        let dot_env = dot_env::read(&self.dir.join(".env")).unwrap_or_default();
        let name = environment_name(&self.environment).or_else(|| environment_name(&dot_env));
        let of_environment = name.map(|name| format!("settings.{name}.toml"));
        let names = [Some(main), of_environment, Some(".env".to_owned())].into_iter().flatten();
        names.map(|name| SettingsFile { is_there: self.dir.join(&name).is_file(), name }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_looked_for_is_named_and_said_to_be_there_or_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".env"), "SOPHIE_ENV=staging\n").unwrap();
        let told = |file: Option<&str>| {
            let from = LoadFrom { dir: dir.path().to_owned(), file: file.map(Into::into), environment: Vec::new() };
            from.files().into_iter().map(|file| (file.name, file.is_there)).collect::<Vec<_>>()
        };
        let named = |names: [(&str, bool); 3]| names.map(|(name, is_there)| (name.to_owned(), is_there)).to_vec();
        assert_eq!(told(None), named([("settings.toml", false), ("settings.staging.toml", false), (".env", true)]));
        std::fs::write(dir.path().join("settings.staging.toml"), "").unwrap();
        assert_eq!(
            told(Some("own.toml")),
            named([("own.toml", false), ("settings.staging.toml", true), (".env", true)])
        );
    }
}

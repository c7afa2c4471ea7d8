//! What must hold of any settings file, `.env` and environment.

use super::layers::{Layer, Layers};
use super::{Settings, SettingsError, check, dot_env, warnings};

/// What parts a settings file from `.env`.
const BETWEEN: &str = "\n---\n";

/// A refusal is one line that tells no secret, and what is shown of settings that are taken is TOML.
pub fn files(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (file, dot_env) = text.split_once(BETWEEN).unwrap_or((text, ""));
    match load(file, dot_env) {
        Ok(layers) => {
            let shown = layers.show();
            assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
        }
        Err(refused) => {
            let line = refused.to_string();
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
    literal(text);
}

fn load(file: &str, dot_env: &str) -> Result<Layers, SettingsError> {
    let variables = dot_env::parse(dot_env)?;
    let layers = vec![Layer::built_in()?, Layer::toml("settings.toml", file)?, Layer::variables(".env", &variables)?];
    let layers = Layers::merge(layers)?;
    let settings: Settings = layers.typed()?;
    check::check(&settings, &layers)?;
    assert!(warnings::warnings(&settings, &layers).iter().all(|it| !it.to_string().contains('\n')));
    Ok(layers)
}

/// What stands between single quotes means itself.
fn literal(text: &str) {
    let line = text.lines().next().unwrap_or_default();
    if !line.contains('\'') && !line.contains('\r') {
        let read = dot_env::parse(&format!("SECRET_KEY='{line}' # {line}")).expect("a literal");
        assert_eq!(read, [("SECRET_KEY".to_owned(), line.to_owned())]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_settings_hold() {
        sophie_kit::seeds::play("settings_files", super::files);
    }
}

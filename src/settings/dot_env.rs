//! Reads `.env` as Django sites write it. Nothing is substituted: a `$` or a backslash in a secret key is meant, and a key that reached
//! only one of the two sides unchanged would be worse than none.

use std::path::Path;

use super::{SettingsError, legacy};

/// The variables of a `.env` file; none if there is no such file. Lines that are not ours may be written as they like.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, SettingsError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(path).map_err(|error| SettingsError::new(".env", format!("cannot be read: {error}")))?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// The variables of such a text.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let mut variables = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, written)) = line.split_once('=') else { continue };
        let name = name.trim_end();
        let ours = name.starts_with("SOPHIE_") || legacy::is_known(name);
        match value(written.trim_start()) {
            _ if !ours => {}
            Some(value) => variables.push((name.to_owned(), value)),
            None => {
                let problem = format!("{name} must be NAME=value, NAME='value' or NAME=\"value\", on one line");
                return Err(SettingsError::new(".env", problem));
            }
        }
    }
    Ok(variables)
}

/// What a value means: literal between single quotes, with `\n`, `\t`, `\"` and `\\` between double ones, else up to a comment.
fn value(written: &str) -> Option<String> {
    if let Some(rest) = written.strip_prefix('\'') {
        let (value, after) = rest.split_once('\'')?;
        return is_comment(after).then(|| value.to_owned());
    }
    let Some(rest) = written.strip_prefix('"') else {
        let end = written.find(" #").or_else(|| written.find("\t#")).unwrap_or(written.len());
        let value = if written.starts_with('#') { "" } else { written[..end].trim_end() };
        return Some(value.to_owned());
    };
    let mut value = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return is_comment(letters.as_str()).then_some(value),
            '\\' => match letters.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                same @ ('"' | '\\') => value.push(same),
                other => value.extend(['\\', other]),
            },
            letter => value.push(letter),
        }
    }
}

fn is_comment(after: &str) -> bool {
    let after = after.trim_start();
    after.is_empty() || after.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret_key(written: &str) -> Result<String, SettingsError> {
        parse(&format!("# a comment\n\nSECRET_KEY={written}\r\n")).map(|mut all| all.remove(0).1)
    }

    #[test]
    fn values_mean_what_they_mean_to_django() {
        for (written, meant) in [
            ("abc", "abc"),
            ("django-insecure-$x#y\\z'k", "django-insecure-$x#y\\z'k"),
            (" abc  # comment", "abc"),
            ("two words", "two words"),
            ("'a \"b\" $c #d\\n'", "a \"b\" $c #d\\n"),
            ("\"a\\\"b\\n'c' $d\" # comment", "a\"b\n'c' $d"),
            ("", ""),
            ("# comment", ""),
        ] {
            assert_eq!(secret_key(written).as_deref(), Ok(meant), "{written}");
        }
        assert_eq!(parse("\u{feff}export REDIS_DB = 3").unwrap(), [("REDIS_DB".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn only_lines_of_ours_must_be_readable() {
        assert_eq!(parse("nonsense\nOTHER=\"-----BEGIN\nabc==\n-----END\"\n=x\n"), Ok(Vec::new()));
        for written in ["\"hunter2", "'hunter2", "'hunter2' more"] {
            let message = secret_key(written).unwrap_err().to_string();
            assert!(message.contains("SECRET_KEY") && !message.contains("hunter2"), "{message}");
        }
    }
}

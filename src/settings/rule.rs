//! What a setting may be: its type, its range, and whether it is to be masked.

use config::{Value, ValueKind};

use super::forms::is_url;
use super::secret::{MASK, mask_url};
use super::tables::Tables;

/// What a setting may be.
pub enum Rule {
    /// A whole number within these bounds, both included.
    Whole(i64, i64),
    /// `true` or `false`.
    Switch,
    /// A text: what is allowed, in words and as a check.
    Text(&'static str, fn(&str) -> bool),
    /// As `Text`, never shown.
    Secret(&'static str, fn(&str) -> bool),
    /// Empty, or a URL with one of these schemes; shown without its password.
    Url(&'static [&'static str]),
    /// A number within these bounds, with or without a fraction.
    Number(f64, f64),
    /// A list of texts.
    List(&'static Rule),
    /// A table of texts: what is allowed, in words, a check of its names, and the rule of its texts.
    Named(&'static str, fn(&str) -> bool, &'static Rule),
    /// A list of tables.
    Tables(&'static Tables),
}

impl Rule {
    /// What is wrong with the value of a setting, if anything: the setting and what is allowed.
    pub fn fault(&self, setting: &str, value: &ValueKind) -> Option<String> {
        match (self, value) {
            (Rule::Tables(tables), ValueKind::Array(values)) => tables.fault(setting, values),
            _ => (!self.fits(value)).then(|| format!("{setting} must be {}", self.allowed())),
        }
    }

    /// Whether a value is allowed.
    fn fits(&self, value: &ValueKind) -> bool {
        match (self, value) {
            (Rule::Whole(low, high), ValueKind::I64(number)) => (low..=high).contains(&number),
            (Rule::Number(low, high), ValueKind::Float(number)) => (low..=high).contains(&number),
            (Rule::Number(low, high), ValueKind::I64(number)) => (*low..=*high).contains(&(*number as f64)),
            (Rule::Switch, ValueKind::Boolean(_)) => true,
            (Rule::Text(_, fits) | Rule::Secret(_, fits), ValueKind::String(text)) => fits(text),
            (Rule::Url(schemes), ValueKind::String(text)) => text.is_empty() || is_url(text, schemes),
            (Rule::List(item), ValueKind::Array(values)) => {
                values.iter().all(|value| item.fits(&value.kind) && value.kind != ValueKind::from(""))
            }
            (Rule::Named(_, named, item), ValueKind::Table(table)) => {
                table.iter().all(|(name, value)| named(name) && item.fits(&value.kind))
            }
            _ => false,
        }
    }

    /// The value that a text of the environment stands for, if it can be one.
    pub fn read(&self, text: &str) -> Option<ValueKind> {
        match self {
            // Not by `config`, which takes "on" for 1.
            Rule::Whole(..) => text.trim().parse().ok().map(ValueKind::I64),
            Rule::Number(..) => text.trim().parse().ok().map(ValueKind::Float),
            Rule::Switch => Value::from(text.trim()).into_bool().ok().map(ValueKind::Boolean),
            Rule::Text(..) | Rule::Secret(..) | Rule::Url(_) => Some(text.into()),
            Rule::List(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(ValueKind::from(items.collect::<Vec<_>>()))
            }
            Rule::Tables(_) => Tables::read(text),
            // Only within tables.
            Rule::Named(..) => None,
        }
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        match self {
            Rule::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Rule::Number(low, high) => format!("a number from {low} to {high}"),
            Rule::Switch => "true or false".to_owned(),
            Rule::Text(allowed, _) | Rule::Secret(allowed, _) => (*allowed).to_owned(),
            Rule::Url(schemes) => format!("empty, or a URL that begins with {}://", schemes.join(":// or ")),
            Rule::List(item) => format!("a list; each entry {}", item.allowed().trim_start_matches("empty, or ")),
            Rule::Named(allowed, ..) => format!("a table: {allowed}"),
            Rule::Tables(tables) => {
                let keys: Vec<&str> = tables.keys.iter().map(|(key, _)| *key).collect();
                format!("a list of tables (in the environment as JSON); the keys of each: {}", keys.join(", "))
            }
        }
    }

    /// The value as it may be shown to people.
    pub fn masked(&self, value: ValueKind) -> ValueKind {
        match (self, value) {
            (Rule::Secret(..), ValueKind::String(text)) if !text.is_empty() => MASK.into(),
            (Rule::Url(_), ValueKind::String(url)) => mask_url(&url).into(),
            (Rule::List(item), ValueKind::Array(values)) => {
                values.into_iter().map(|value| item.masked(value.kind)).collect::<Vec<_>>().into()
            }
            (Rule::Named(_, _, item), ValueKind::Table(table)) => {
                let masked = |(name, value): (String, Value)| (name, Value::from(item.masked(value.kind)));
                ValueKind::Table(table.into_iter().map(masked).collect())
            }
            (_, value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_django_sites_write_them() {
        for text in ["True", "true", "TRUE", "1", "Yes", "on"] {
            assert_eq!(Rule::Switch.read(text), Some(ValueKind::Boolean(true)), "{text}");
        }
        for text in ["False", "0", "No", "OFF"] {
            assert_eq!(Rule::Switch.read(text), Some(ValueKind::Boolean(false)), "{text}");
        }
        assert_eq!(Rule::Switch.read("maybe"), None);
    }
}

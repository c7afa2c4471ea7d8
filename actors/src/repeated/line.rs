//! One line of the log that is made before it is said: a sentence, and its data beside it.

use std::fmt::Display;

use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, Record};

/// A line that waits to be said, or to be counted.
#[derive(Debug)]
pub struct Line {
    message: &'static str,
    fields: Vec<(&'static str, Field)>,
}

#[derive(Debug)]
enum Field {
    Text(String),
    Number(u64),
}

impl Line {
    /// A sentence, under the name that operators search for.
    pub fn of(event: &'static str, message: &'static str) -> Self {
        Self { message, fields: vec![("event", Field::Text(event.to_owned()))] }
    }

    /// With a value beside it.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Display) -> Self {
        self.fields.push((key, Field::Text(value.to_string())));
        self
    }

    /// With a value beside it, if there is one.
    #[must_use]
    pub fn with_some(self, key: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With a number beside it, which stays one.
    #[must_use]
    pub fn with_number(mut self, key: &'static str, value: u64) -> Self {
        self.fields.push((key, Field::Number(value)));
        self
    }

    /// Says it.
    pub fn log(&self, target: &str, level: Level) {
        if level > log::max_level() {
            return;
        }
        let mut record = Record::builder();
        record.level(level).target(target).key_values(self);
        log::logger().log(&record.args(format_args!("{}", self.message)).build());
    }
}

impl Source for Line {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.fields.iter().try_for_each(|(key, value)| {
            let value = match value {
                Field::Text(text) => Value::from(text.as_str()),
                Field::Number(number) => Value::from(*number),
            };
            visitor.visit_pair(Key::from_str(key), value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_bears_its_data_in_their_order_and_numbers_stay_numbers() {
        let line = Line::of("caller_refused", "somebody is not let in").with("reason", "it is over");
        let line = line.with_some("hook", None::<&str>).with_number("more", 3);
        let keys: Vec<&str> = line.fields.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["event", "reason", "more"]);
        assert_eq!(line.get(Key::from_str("more")).and_then(|value| value.to_u64()), Some(3));
        assert_eq!(line.get(Key::from_str("reason")).map(|value| value.to_string()).as_deref(), Some("it is over"));
    }
}

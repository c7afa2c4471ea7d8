//! A log line as one JSON object, whose data are fields of their own.

use log::Record;
use serde_json::{Map, Value};

use super::fields;

/// What each line has of its own.
const OWN: [&str; 4] = ["time", "level", "target", "message"];

pub(super) fn line(time: &str, record: &Record<'_>) -> Value {
    let mut line = Map::new();
    for (key, value) in fields::of(record) {
        // Data that bear a name of ours are kept apart from it.
        let key = if OWN.contains(&key.as_str()) { format!("field_{key}") } else { key };
        line.insert(key, value);
    }
    line.insert("time".into(), time.into());
    line.insert("level".into(), record.level().as_str().to_ascii_lowercase().into());
    line.insert("target".into(), record.target().into());
    line.insert("message".into(), record.args().to_string().into());
    line.into()
}

#[cfg(test)]
mod tests {
    use log::kv::{Key, ToValue, Value};

    use super::*;

    fn json(message: &str, data: &[(&str, Value)]) -> serde_json::Value {
        let data: Vec<(Key, Value)> = data.iter().map(|(key, value)| (Key::from_str(key), value.clone())).collect();
        let mut record = Record::builder();
        record.level(log::Level::Warn).target("sophie::test").key_values(&data);
        line("2026-01-01T00:00:00.000Z", &record.args(format_args!("{message}")).build())
    }

    #[test]
    fn a_line_is_one_object_whatever_the_message_and_its_data_hold() {
        let line = json("two\nlines", &[("text", "a\n\"b\"".to_value()), ("node", "n1".to_value())]);
        assert!(!line.to_string().contains('\n'));
        assert_eq!((line["time"].as_str(), line["level"].as_str()), (Some("2026-01-01T00:00:00.000Z"), Some("warn")));
        assert_eq!((line["target"].as_str(), line["message"].as_str()), (Some("sophie::test"), Some("two\nlines")));
        assert_eq!((line["text"].as_str(), line["node"].as_str()), (Some("a\n\"b\""), Some("n1")));
    }

    #[test]
    fn numbers_and_booleans_stay_what_they_are_and_what_is_not_there_is_left_out() {
        let none: Option<u64> = None;
        let data = [
            ("seconds", 7u64.to_value()),
            ("share", 0.5f64.to_value()),
            ("less", (-1i64).to_value()),
            ("ms", 9u128.to_value()),
        ];
        let line = json("m", &[&data[..], &[("on", true.to_value()), ("none", none.to_value())]].concat());
        assert_eq!((line["seconds"].as_u64(), line["ms"].as_u64()), (Some(7), Some(9)));
        assert_eq!((line["share"].as_f64(), line["less"].as_i64()), (Some(0.5), Some(-1)));
        assert_eq!((line["on"].as_bool(), line.get("none")), (Some(true), None));
    }

    #[test]
    fn data_that_bear_a_name_of_a_line_do_not_stand_in_its_place() {
        let forged = "forged".to_value();
        let line = json("m", &["time", "level", "target", "message"].map(|name| (name, forged.clone())));
        assert_eq!((line["level"].as_str(), line["field_level"].as_str()), (Some("warn"), Some("forged")));
        assert_eq!((line["message"].as_str(), line["field_message"].as_str()), (Some("m"), Some("forged")));
    }
}

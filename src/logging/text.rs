//! A log line for people: the sentence, and behind it its data as `key=value`.

use std::fmt::Write;

use log::Record;
use serde_json::Value;

use super::fields;

/// One line, whatever the message and its data hold.
pub(super) fn line(record: &Record<'_>) -> String {
    let mut line = String::new();
    record.args().to_string().chars().for_each(|it| put(&mut line, it));
    for (key, value) in fields::of(record) {
        // Writing to a text cannot fail.
        _ = write!(line, " {key}=");
        match value {
            Value::String(text) => put_text(&mut line, &text),
            value => _ = write!(line, "{value}"),
        }
    }
    line
}

/// Quoted, unless it is one word that cannot be taken for anything else.
fn put_text(line: &mut String, text: &str) {
    let is_plain = |it: char| it.is_alphanumeric() || (it.is_ascii_graphic() && !matches!(it, '"' | '\\' | '='));
    if !text.is_empty() && text.chars().all(is_plain) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for it in text.chars() {
        if matches!(it, '"' | '\\') {
            line.push('\\');
        }
        put(line, it);
    }
    line.push('"');
}

/// As it is, unless it would end the line, move the cursor or turn the writing.
fn put(line: &mut String, it: char) {
    match it {
        '\'' | '"' | '\\' => line.push(it),
        it => line.extend(it.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use log::kv::{Key, ToValue, Value};

    use super::*;

    fn text(message: &str, data: &[(&str, Value)]) -> String {
        let data: Vec<(Key, Value)> = data.iter().map(|(key, value)| (Key::from_str(key), value.clone())).collect();
        line(&Record::builder().key_values(&data).args(format_args!("{message}")).build())
    }

    #[test]
    fn data_stand_behind_the_sentence_and_are_quoted_where_they_must() {
        let data =
            [("event", "start".to_value()), ("url", "redis://h:6379/0".to_value()), ("seconds", 7u64.to_value())];
        assert_eq!(text("it's here", &data), "it's here event=start url=redis://h:6379/0 seconds=7");
        let data = [("a", "two words".to_value()), ("b", "x=\"y\"".to_value()), ("c", "".to_value())];
        assert_eq!(text("m", &data), r#"m a="two words" b="x=\"y\"" c="""#);
    }

    #[test]
    fn no_text_makes_a_second_line_or_writes_over_one() {
        let line = text("one\ntwo", &[("name", "a\r\n[ERROR] forged \u{1b}[2J\u{202e}".to_value())]);
        assert_eq!(line, r#"one\ntwo name="a\r\n[ERROR] forged \u{1b}[2J\u{202e}""#);
    }
}

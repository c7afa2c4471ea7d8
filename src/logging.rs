//! Log lines on standard error, for people or as JSON.

use std::io::Write;

use env_logger::fmt::Formatter;
use log::Record;
use log::kv::{Key, Value, VisitSource};
use serde_json::Map;

use crate::settings::{LogFormat, LogSettings};

/// Crates that tell of each connection at `info` or below; their warnings are enough.
const NOISY: &[&str] = &[
    "actix",
    "actix_http",
    "actix_server",
    "actix_web",
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "reqwest",
    "rustls",
    "tracing",
];

/// Starts logging as `[log]` says. `filters` are those of `RUST_LOG`, which go before the level of the settings. Does nothing if the
/// process logs already.
pub fn start(settings: &LogSettings, filters: Option<&str>) {
    let mut builder = env_logger::Builder::new();
    match filters.filter(|filters| !filters.trim().is_empty()) {
        Some(filters) => {
            builder.parse_filters(filters);
        }
        None => {
            builder.filter_level(settings.level);
            for name in NOISY {
                builder.filter_module(name, settings.level.min(log::LevelFilter::Warn));
            }
        }
    }
    match settings.format {
        LogFormat::Json => builder.format(|out, record| {
            let time = out.timestamp_millis().to_string();
            json_line(out, &time, record)
        }),
        LogFormat::Text => builder.format_timestamp_millis(),
    };
    // A logger that is there already belongs to whoever runs this in their own process.
    let _already_logging = builder.try_init();
}

fn json_line(out: &mut Formatter, time: &str, record: &Record<'_>) -> std::io::Result<()> {
    writeln!(out, "{}", json(time, record))
}

fn json(time: &str, record: &Record<'_>) -> serde_json::Value {
    let mut line = Map::new();
    let mut pairs = Pairs(&mut line);
    // Collecting into a map cannot fail.
    let _visited = record.key_values().visit(&mut pairs);
    line.insert("time".into(), time.into());
    line.insert("level".into(), record.level().as_str().to_ascii_lowercase().into());
    line.insert("target".into(), record.target().into());
    line.insert("message".into(), record.args().to_string().into());
    line.into()
}

struct Pairs<'a>(&'a mut Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0.insert(key.as_str().to_owned(), value.to_string().into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_is_one_object_whatever_the_message_holds() {
        let record = Record::builder()
            .level(log::Level::Warn)
            .target("sophie::test")
            .args(format_args!("event=x text=\"two\nlines\""))
            .key_values(&[("node", "n1"), ("level", "forged")])
            .build();
        let line = json("2026-01-01T00:00:00.000Z", &record);
        assert!(!line.to_string().contains('\n'));
        assert_eq!(line["time"], "2026-01-01T00:00:00.000Z");
        assert_eq!(line["level"], "warn");
        assert_eq!(line["target"], "sophie::test");
        assert_eq!(line["message"], "event=x text=\"two\nlines\"");
        assert_eq!(line["node"], "n1");
    }
}

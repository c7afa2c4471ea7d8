//! Log lines on standard error, for people or as JSON: a sentence, and its data beside it.

mod current;
mod fields;
mod json;
mod text;

use std::io::Write;

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
    current::begin(logger(settings, filters));
}

/// Goes on as `[log]` says now, if [`start`] began it.
pub fn change(settings: &LogSettings, filters: Option<&str>) {
    current::replace(logger(settings, filters));
}

fn logger(settings: &LogSettings, filters: Option<&str>) -> env_logger::Logger {
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
            writeln!(out, "{}", json::line(&time, record))
        }),
        LogFormat::Text => builder.format(|out, record| {
            let (time, style) = (out.timestamp_millis(), out.default_level_style(record.level()));
            let level = record.level();
            writeln!(out, "[{time} {style}{level:<5}{style:#} {}] {}", record.target(), text::line(record))
        }),
    };
    builder.build()
}

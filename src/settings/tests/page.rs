//! `docs/settings.md` beside `settings.toml`: each key with its default and its unit, none too many and none too few.

use std::collections::BTreeMap;

use crate::settings::backends::BACKENDS;
use crate::settings::keys::KEYS;
use crate::settings::layers::BUILT_IN;

const PAGE: &str = include_str!("../../../docs/settings.md");

/// What a key counts, by its end, and the word that says so.
const UNITS: [(&str, &str); 8] = [
    ("_seconds", "econds"),
    ("_window_ms", "milliseconds"),
    ("_bytes", "ytes"),
    ("_chars", "characters"),
    ("_per_minute", " a minute"),
    ("_per_hour", " an hour"),
    ("_per_second", " a second"),
    ("_tokens", "okens"),
];

/// The defaults, each as it is written, and what stands beside it.
fn defaults() -> BTreeMap<String, (String, String)> {
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in BUILT_IN.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, rest)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) {
            let (value, comment) = rest.split_once(" # ").expect("each key says what it is");
            found.insert(format!("{section}.{key}"), (value.trim().to_owned(), comment.to_owned()));
        }
    }
    found
}

/// The texts in backticks of a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The rows of the first table below a heading: keys, defaults, meaning.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<(Vec<&'a str>, &'a str, &'a str)> {
    let (_, below) = page.split_once(heading).unwrap_or_else(|| panic!("no heading {heading}"));
    let table = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let row = |line: &'a str| {
        let mut cells = line.trim_matches('|').splitn(3, '|').map(str::trim);
        let mut next = || cells.next().expect("three cells");
        (quoted(next()), next(), next())
    };
    table.skip(2).map(row).collect()
}

/// What a page says otherwise than `settings.toml` does.
fn wrong(page: &str) -> Vec<String> {
    let mut left = defaults();
    let mut wrong = Vec::new();
    let sections: Vec<String> = BUILT_IN.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect();
    for section in sections {
        for (keys, default, meaning) in rows(page, &format!("\n### `{section}`")) {
            let values = quoted(default);
            for (at, key) in keys.iter().enumerate() {
                let name = format!("{}.{key}", section.trim_matches(['[', ']']));
                let Some((value, comment)) = left.remove(&name) else {
                    wrong.push(format!("{name} is no setting, or stands there twice"));
                    continue;
                };
                // One is too long for a table.
                if values.get(at) != Some(&value.as_str()) && default != "see `settings.toml`" {
                    wrong.push(format!("{name} is {value} by default, not {default}"));
                }
                if let Some((_, unit)) = UNITS.iter().find(|(end, _)| key.ends_with(end)) {
                    let texts = [("docs/settings.md", meaning), ("settings.toml", comment.as_str())];
                    let silent = texts.iter().filter(|(_, text)| !text.contains(unit));
                    wrong.extend(silent.map(|(file, _)| format!("{name}: {file} does not say {unit:?}")));
                }
            }
        }
    }
    wrong.extend(left.keys().map(|name| format!("{name} is missing")));
    wrong
}

#[test]
fn the_page_has_each_setting_with_the_default_and_the_unit_that_it_has() {
    assert_eq!(wrong(PAGE), Vec::<String>::new());
}

#[test]
fn a_key_a_default_or_a_unit_that_differs_is_found() {
    for (from, to, found) in [
        ("| `drain_seconds` | `10` |", "| `drain_seconds` | `12` |", "server.drain_seconds is 10"),
        ("| `drain_seconds` | `10` |", "| `drain_minutes` | `10` |", "server.drain_seconds is missing"),
        ("| `wait_replicas` | `0` |", "| `prefix` | `0` |", "redis.prefix is no setting, or stands there twice"),
        ("`\"localhost\"`, `6379`", "`\"localhost\"`, `6380`", "redis.port is 6379"),
        ("Seconds that a message to Django", "Minutes that a message to Django", "channel.expiry_seconds: docs"),
        ("see `settings.toml`", "`\"You are\"`", "ai.system_prompt is"),
    ] {
        assert!(PAGE.contains(from), "{from}");
        let told = wrong(&PAGE.replacen(from, to, 1));
        assert!(told.iter().any(|told| told.starts_with(found)), "{to}: {told:?}");
    }
}

#[test]
fn the_tables_of_lists_have_the_keys_that_may_stand_in_one() {
    for (heading, tables) in [("\n#### `[[auth.key]]`", KEYS), ("\n#### Several backends", BACKENDS)] {
        let mut told: Vec<&str> = rows(PAGE, heading).into_iter().flat_map(|(keys, ..)| keys).collect();
        let mut known: Vec<&str> = tables.keys.iter().map(|(key, _)| *key).collect();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known, "{heading}");
    }
}

//! What is taken over, what is not, and that the documents say the same.

use std::collections::BTreeSet;

use super::*;
use crate::settings::tests::load;

fn changes(before: &[(&str, &str)], after: &[(&str, &str)]) -> Result<Changes, SettingsError> {
    Changes::between(&load(before)?.origins, &load(after)?)
}

#[test]
fn what_can_be_taken_is_and_the_rest_stays_as_it_was_until_a_restart() {
    let after = [
        ("SOPHIE__AUTH__API_KEYS", "shop:k2"),
        ("SOPHIE__LOG__LEVEL", "warn"),
        ("SOPHIE__SERVER__WORKERS", "7"),
        ("SOPHIE__SESSION__MAX_GROUPS", "9"),
    ];
    let changes = changes(&[("SOPHIE__AUTH__API_KEYS", "shop:k1")], &after).unwrap();
    assert_eq!(changes.taken, ["auth.api_keys", "log.level"]);
    assert_eq!(changes.needs_restart, ["server.workers", "session.max_groups"]);
    let settings = &changes.settings;
    assert_eq!((settings.auth.api_keys[0].expose(), settings.server.workers), ("shop:k2", 0));
    assert_eq!(settings.log.level, log::LevelFilter::Warn);
    assert!(changes.takes_any(&["log.format", "log.level"]) && !changes.takes_any(&["server.workers"]));
    assert_eq!(changes.origins.origin("log.level"), "environment variable SOPHIE__LOG__LEVEL");
}

#[test]
fn settings_that_say_the_same_change_nothing_wherever_they_say_it() {
    let keys = ("SOPHIE__CHANNEL__ENCRYPT_WITH_SECRET_KEY", "true");
    let same = [keys, ("SECRET_KEY", "s"), ("SOPHIE__LOG__LEVEL", "info")];
    let changes = changes(&[keys, ("SECRET_KEY", "s")], &same).unwrap();
    assert!(changes.taken.is_empty() && changes.needs_restart.is_empty());
    // What was taken over is compared with the next time.
    let again = Changes::between(&changes.origins, &load(&[keys, ("SECRET_KEY", "t")]).unwrap()).unwrap();
    assert_eq!(again.needs_restart, ["channel.encryption_keys"]);
}

#[test]
fn what_could_not_be_started_with_or_meant_beside_the_rest_is_refused() {
    let open = ("SOPHIE__SERVER__BIND", "0.0.0.0:8080");
    let error = changes(&[], &[open]).err().unwrap().to_string();
    assert!(error.contains("admin.token"), "a restart would fail: {error}");
    let (jwt, secret) = (("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "s"));
    let error = changes(&[jwt, secret], &[]).err().unwrap().to_string();
    assert!(error.contains("auth.mode = \"jwt\" needs auth.jwt_secret"), "the mode would stay: {error}");
}

/// The keys that stand in backticks in a cell, with their section before them.
fn keys(section: &str, cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(|key| format!("{section}.{key}")).collect()
}

#[test]
fn the_documents_say_of_every_setting_whether_it_is_taken_over() {
    let every: BTreeSet<&str> = RULES.iter().map(|(key, _)| *key).collect();
    let unknown: Vec<_> = TAKEN.iter().filter(|key| !every.contains(*key)).collect();
    assert!(unknown.is_empty(), "no settings: {unknown:?}");
    let page = include_str!("../../../docs/settings.md");
    let (_, table) = page.split_once("| section | taken over | needs a restart |\n").expect("the table");
    let (mut taken, mut rest) = (Vec::new(), Vec::new());
    for line in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').collect();
        let section = cells[1].trim().trim_matches(['`', '[', ']']);
        taken.extend(keys(section, cells[2]));
        rest.extend(keys(section, cells[3]));
    }
    let of = |takes: bool| RULES.iter().map(|(key, _)| *key).filter(|key| is_taken(key) == takes).collect::<Vec<_>>();
    assert_eq!(taken, of(true), "docs/settings.md, what is taken over");
    assert_eq!(rest, of(false), "docs/settings.md, what needs a restart");
}

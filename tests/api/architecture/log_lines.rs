//! One grammar for the log: a plain sentence, its data beside it as key-values, and from `info` on the name of what happened.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::sources;

/// What stands between the parentheses of each call of a macro of `log`, with its level.
fn calls(code: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some((_, behind)) = rest.split_once("log::") {
        rest = behind;
        let Some((level, arguments)) = behind.split_once("!(") else { break };
        if level.chars().all(|it| it.is_ascii_lowercase()) {
            found.push((level, &arguments[..end_of(arguments)]));
        }
    }
    found
}

/// Where the parenthesis closes that was opened before.
fn end_of(text: &str) -> usize {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    for (at, it) in text.char_indices() {
        match it {
            _ if escaped => escaped = false,
            '\\' => escaped = in_text,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// What is wrong with a call.
fn fault(level: &str, arguments: &str) -> Option<&'static str> {
    let (data, sentence) = arguments.rsplit_once(';').unwrap_or(("", arguments));
    let sentence = sentence.trim().trim_end_matches(',');
    let sentence = sentence.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match sentence {
        None => Some("its message is no text alone"),
        Some(text) if text.contains(['{', '=', '"', '\\']) => Some("its message has data in it"),
        _ if !matches!(level, "debug" | "trace") && !data.contains("event = \"") => Some("it names no event"),
        _ => None,
    }
}

#[test]
fn a_log_line_is_a_sentence_with_its_data_beside_it_and_the_name_of_an_event() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for source in sources() {
        let code = source.code.join("\n");
        for (level, arguments) in calls(&code) {
            seen += 1;
            if let Some(fault) = fault(level, arguments) {
                wrong.push(format!("{}: {fault}: log::{level}!({arguments})", source.path));
            }
        }
    }
    assert!(seen > 100, "the lines are found: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn other_grammars_are_found() {
    let of = |code: &str| calls(code).first().and_then(|(level, arguments)| fault(level, arguments));
    assert_eq!(of("log::warn!(event = \"gone\", node:%; \"a node (of two) is gone\")"), None);
    assert_eq!(of("log::debug!(\"a node is gone\")"), None);
    assert!(of("log::info!(\"a node is gone\")").is_some(), "no event");
    for code in ["\"event=gone node={node}\"", "node:%; \"gone: {node}\"", "node:%; \"gone {}\", node", "\"{error}\""] {
        assert!(of(&format!("log::debug!({code})")).is_some(), "{code}");
    }
}

/// The events that the code names.
fn named() -> BTreeSet<String> {
    let mut events = BTreeSet::new();
    for source in sources() {
        let code = source.code.join("\n");
        for before in ["event = ", "Line::of("] {
            let behind = code.split(before).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            events.extend(behind.filter_map(|rest| rest.split_once('"')).map(|(event, _)| event.to_owned()));
        }
    }
    events
}

/// The events that operators read of.
fn documented() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(page).expect("a page");
    let (_, list) = text.split_once("### Events\n").expect("a list of events");
    let rows = list.lines().take_while(|line| !line.starts_with('#')).filter_map(|line| line.splitn(3, '|').nth(2));
    let words = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    words.filter(|word| !matches!(*word, "info" | "warn" | "error")).map(str::to_owned).collect()
}

#[test]
fn each_event_of_the_log_is_listed_for_operators_and_no_other() {
    let (named, documented) = (named(), documented());
    assert!(named.len() > 60, "the events are found: {named:?}");
    let (missing, made_up): (Vec<_>, Vec<_>) =
        (named.difference(&documented).collect(), documented.difference(&named).collect());
    assert!(missing.is_empty() && made_up.is_empty(), "not listed: {missing:?}, not in the code: {made_up:?}");
}

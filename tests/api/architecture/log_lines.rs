//! One grammar for the log: a plain sentence, its data beside it as key-values, and from `info` on the name of what happened.

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

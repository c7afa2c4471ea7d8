//! What must not be: each rule of the house that a compiler does not see.

mod actors;
mod lengths;
mod log_lines;

use std::fs;
use std::path::{Path, PathBuf};

/// A source file, its path from the project's root, its code without tests and comments.
struct Source {
    path: String,
    code: Vec<String>,
}

/// Whether a file is nothing but tests, or what they stand on. Its parent declares it so.
fn is_test(path: &str) -> bool {
    let below = ["tests/", "benches/"].iter().any(|it| path.starts_with(it));
    let among = ["/tests/", "/contract/", "/registry/model/"].iter().any(|it| path.contains(it));
    below
        || among
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
        || path.ends_with("/vectors.rs")
        || path.ends_with("/fuzzing.rs")
        || path.ends_with("/properties.rs")
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "actors/src"] {
        collect(&root.join(folder), &mut found);
    }
    let mut sources: Vec<Source> = found.iter().map(|path| read(root, path)).collect();
    sources.retain(|source| !is_test(&source.path));
    assert!(sources.len() > 50, "the sources are found");
    sources
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a text");
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let declared = lines.clone().find(|next| !next.starts_with("#["));
        if line == "#[cfg(test)]" && declared.is_some_and(|it| it.contains("mod ") && it.ends_with('{')) {
            break;
        }
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with("//") {
            code.push(line.to_owned());
        }
    }
    let path = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
    Source { path, code }
}

/// The places where `forbidden` stands in a file that `applies`.
fn places(forbidden: &str, applies: impl Fn(&str) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources().iter().filter(|source| applies(&source.path)) {
        places.extend(source.code.iter().filter(|line| line.contains(forbidden)).map(|_| source.path.clone()));
    }
    places
}

fn nowhere(forbidden: &str, applies: impl Fn(&str) -> bool) {
    let places = places(forbidden, applies);
    assert!(places.is_empty(), "{forbidden} is not allowed in {places:?}");
}

fn in_the_core(path: &str) -> bool {
    path.starts_with("actors/")
}

#[test]
fn the_core_knows_nothing_of_http_files_environment_and_log_set_up() {
    for forbidden in ["actix_web", "reqwest", "std::env", "std::fs", "env_logger", "config::", "clap"] {
        nowhere(forbidden, in_the_core);
    }
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/Cargo.toml")).expect("a text");
    for forbidden in ["actix-web", "reqwest", "env_logger", "config", "clap"] {
        let depends = manifest.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(forbidden));
        assert!(!depends, "the core depends on {forbidden}");
    }
}

/// A room, and those that it may import: all of them stand before it, so there is no circle.
type Floors = [(&'static str, &'static [&'static str])];

/// The core, from the ground up.
const CORE: &Floors = &[
    ("spans", &[]),
    ("ids", &["spans"]),
    ("options", &[]),
    ("in_force", &[]),
    ("actor", &[]),
    ("failure", &[]),
    ("patterns", &[]),
    ("backoff", &[]),
    ("repeated", &[]),
    ("aside", &["failure"]),
    ("small_map", &[]),
    ("rights", &["ids", "patterns"]),
    ("protocol", &["ids"]),
    ("dependencies", &["protocol"]),
    ("metrics", &["dependencies", "protocol"]),
    ("openai", &["ids", "protocol", "spans"]),
    ("backend", &["openai", "protocol"]),
    ("dialects", &["ids", "openai", "protocol"]),
    ("socket", &["actor", "ids", "metrics", "protocol", "rights"]),
    ("redis", &["actor", "backoff", "dependencies", "failure", "repeated"]),
    ("store", &["actor", "dependencies", "failure", "ids", "protocol", "redis", "rights"]),
    ("tails", &["ids", "store"]),
    ("admission", &["actor", "dependencies", "ids", "in_force", "metrics", "options", "protocol", "repeated", "store"]),
    ("ledger", &["ids", "metrics", "protocol", "store"]),
    ("channel_layer", &["actor", "aside", "backoff", "dependencies", "ids", "metrics", "redis", "repeated", "store"]),
    ("registry", &["actor", "ids", "metrics", "protocol", "repeated", "small_map", "socket", "store"]),
    ("notifier", &["channel_layer", "ids", "metrics", "protocol", "repeated", "store"]),
    ("delivery", &["ids", "metrics", "notifier", "registry", "store", "tails"]),
    (
        "answers",
        &[
            "actor",
            "admission",
            "aside",
            "backend",
            "backoff",
            "delivery",
            "dialects",
            "ids",
            "in_force",
            "ledger",
            "metrics",
            "openai",
            "options",
            "protocol",
            "registry",
            "repeated",
            "spans",
            "store",
        ],
    ),
    (
        "node",
        &[
            "admission",
            "answers",
            "channel_layer",
            "delivery",
            "ledger",
            "metrics",
            "options",
            "registry",
            "spans",
            "store",
        ],
    ),
    ("say", &["admission", "answers", "ids", "node", "openai", "protocol", "registry", "spans", "store"]),
    (
        "django",
        &["aside", "channel_layer", "ids", "node", "notifier", "protocol", "registry", "repeated", "say", "store"],
    ),
    (
        "cluster",
        &[
            "actor",
            "answers",
            "aside",
            "backoff",
            "channel_layer",
            "django",
            "ids",
            "metrics",
            "node",
            "notifier",
            "protocol",
            "registry",
            "rights",
            "store",
        ],
    ),
    (
        "session",
        &[
            "actor",
            "admission",
            "answers",
            "aside",
            "cluster",
            "ids",
            "node",
            "protocol",
            "registry",
            "repeated",
            "say",
            "small_map",
            "socket",
            "store",
        ],
    ),
];

/// The edge, from the ground up.
const EDGE: &Floors = &[
    ("settings", &[]),
    ("tls", &[]),
    ("line", &[]),
    ("ui", &[]),
    ("describe", &[]),
    ("logging", &["settings"]),
    ("trace_context", &[]),
    ("auth", &["settings", "trace_context"]),
    ("upstream", &["auth", "trace_context"]),
    ("telemetry", &["settings", "upstream"]),
    ("http", &["auth", "describe", "line", "settings", "trace_context", "ui", "upstream"]),
    ("websocket", &["line"]),
    ("ws", &["auth", "http", "line", "websocket"]),
    (
        "app",
        &["auth", "describe", "http", "line", "logging", "settings", "telemetry", "tls", "upstream", "websocket", "ws"],
    ),
    ("check", &["app", "auth", "line", "settings", "tls", "upstream"]),
    ("top", &["settings"]),
    ("cli", &["auth", "check", "logging", "settings", "tls", "top"]),
];

/// The rooms that a line of code names.
fn named(line: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let before = line[..at].chars().next_back();
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            _ if before.is_some_and(|c| c.is_alphanumeric() || c == '_') => {}
            Some(list) => rooms.extend(list.split([',', '}']).map(|name| word(name.trim()))),
            None => rooms.push(word(rest)),
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

/// What is wrong with the arrows of the code below `root`.
fn wrong_arrows(root: &str, floors: &Floors) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, (room, below)) in floors.iter().enumerate() {
        let unknown = |name: &&&str| !floors[..at].iter().any(|(earlier, _)| *earlier == **name);
        wrong.extend(below.iter().filter(unknown).map(|name| format!("{room} stands before {name}, which it imports")));
    }
    for source in sources() {
        let Some(path) = source.path.strip_prefix(root) else { continue };
        let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let Some((_, below)) = floors.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{room} stands on no floor"));
            continue;
        };
        for name in source.code.iter().flat_map(|line| named(line)) {
            if name != room && !below.contains(&name.as_str()) {
                wrong.push(format!("{} imports {name}", source.path));
            }
        }
    }
    wrong
}

#[test]
fn a_room_imports_only_rooms_below_it() {
    for (root, floors) in [("actors/src/", CORE), ("src/", EDGE)] {
        let wrong = wrong_arrows(root, floors);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn an_arrow_that_runs_up_is_found() {
    let turned: &Floors = &[("protocol", &["ids"]), ("ids", &[])];
    let wrong = wrong_arrows("actors/src/", turned);
    assert!(wrong.contains(&"protocol stands before ids, which it imports".to_owned()));
    assert!(wrong.iter().any(|it| it == "store stands on no floor"));
    let bare: Vec<_> = CORE.iter().map(|(room, _)| (*room, &[][..])).collect();
    assert!(wrong_arrows("actors/src/", &bare).contains(&"actors/src/protocol/event.rs imports ids".to_owned()));
    assert_eq!(named("use crate::{store, ids::Epoch}; // and crate::registry"), ["store", "ids", "registry"]);
}

#[test]
fn the_map_shows_the_floors() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).expect("a text");
    for (root, floors) in [("actors/src/", CORE), ("src/", EDGE)] {
        let places: Vec<_> = floors.iter().map(|(room, _)| (room, map.find(&format!("\n{root}{room}")))).collect();
        let missing: Vec<_> = places.iter().filter(|(_, place)| place.is_none()).collect();
        assert!(missing.is_empty(), "not in ARCHITECTURE.md: {missing:?}");
        assert!(places.is_sorted_by_key(|(_, place)| *place), "ARCHITECTURE.md has another order: {places:?}");
    }
}

#[test]
fn a_file_says_first_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "actors/src"] {
        collect(&root.join(folder), &mut files);
    }
    files.retain(|file| !fs::read_to_string(file).expect("a text").starts_with("//! "));
    assert!(files.is_empty(), "begin with `//!` and what it is: {files:#?}");
}

#[test]
fn one_file_names_the_deprecated_crate() {
    let mut places = places("actix_web_actors", |_| true);
    places.dedup();
    assert_eq!(places, ["src/websocket/handshake.rs"]);
}

#[test]
fn openais_words_stand_in_one_room() {
    let elsewhere = |path: &str| !path.starts_with("actors/src/openai/");
    for field in ["choices", "delta", "finish_reason", "tool_calls", "logprobs", "stream_options", "owned_by", "param"]
    {
        nowhere(&format!("\"{field}\""), elsewhere);
    }
    for word in ["\"chat.completion", "\"[DONE]\"", "invalid_request_error"] {
        nowhere(word, elsewhere);
    }
}

#[test]
fn nobody_but_the_answers_calls_the_backend() {
    let mut callers = places("backend.stream(", |_| true);
    callers.dedup();
    assert_eq!(callers, ["actors/src/answers/generate.rs"]);
    nowhere("Arc<dyn Backend>", |path| {
        !["actors/src/answers/", "actors/src/backend/", "src/upstream/", "src/app/"]
            .iter()
            .any(|it| path.starts_with(it))
    });
}

#[test]
fn nothing_panics_lightly_and_time_can_be_paused() {
    for forbidden in [".unwrap()", "std::time::Instant", "unsafe ", "todo!(", "unimplemented!(", "dbg!(", "println!("] {
        nowhere(forbidden, |_| true);
    }
}

#[test]
fn a_panic_always_unwinds() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("a text");
    assert!(!manifest.lines().any(|line| line.trim_start().starts_with("panic") && line.contains("abort")));
}

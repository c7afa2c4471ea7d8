//! The order within Redis scripts. A script is not undone when it is stopped in its middle: so what it reads and decides comes
//! before what it writes, and what it publishes comes last.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Commands that only read. They fail on a key of another type, so they belong before the first write.
const READS: [&str; 25] = [
    "GET",
    "TTL",
    "MGET",
    "EXISTS",
    "STRLEN",
    "GETRANGE",
    "PTTL",
    "HGET",
    "HMGET",
    "HGETALL",
    "HKEYS",
    "HEXISTS",
    "LLEN",
    "LRANGE",
    "SRANDMEMBER",
    "SMEMBERS",
    "XRANGE",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZREVRANGE",
    "ZSCORE",
];
/// Commands that cannot fail.
const ASKS_NOTHING: [&str; 1] = ["TIME"];

/// Where another order is right, and why.
const RIGHT_ALL_THE_SAME: [(&str, &str); 22] = [
    ("flight_board.lua", "the write and what follows it are different branches"),
    ("log.lua:trim", "what is too old is dropped page by page; dropping it again changes nothing"),
    ("present.lua:present", "it says how a row is, not how it changes: the mirror writes it anew until that works"),
    ("forget.lua", "as present.lua: what is left is removed by the next run"),
    ("heartbeat.lua", "a lease is written anew each second; whoever is dead is dead a second later"),
    ("resign.lua", "what is given up stays so, and expires by itself otherwise"),
    ("usage_add.lua", "what is over the bound is dropped with the next sums"),
    ("members.lua", "what is purged is too old for every reader"),
    ("tell.lua", "each queue is a decision of its own, and what is purged is too old for every reader"),
    ("session_grant.lua", "what is granted is granted again alike, and read back"),
    ("number.lua", "which number is the first is written once, and each number counts by its own name"),
    ("join.lua", "each group is a decision of its own, and what failed is told of it alone"),
    ("leave.lua", "as join.lua"),
    ("cleared.lua", "what a node is no longer in is crossed out again alike, each group by itself"),
    ("admit.lua", "the write of who is refused and that of who is admitted are different branches"),
    ("page.lua:page", "a log that was taken over into another life is found so by the next run"),
    ("log.lua:known_group", "as page.lua"),
    ("desk.lua:attendance", "as page.lua"),
    ("log.lua:keep", "lives are renewed again alike"),
    ("slots_renew.lua", "each lease is renewed by itself, and what failed is told"),
    ("life.lua", "a life that has begun is found by the next run"),
    ("log.lua:adopt", "a log that was taken over is found so by the next run"),
];

/// A script's own code, or a function's.
struct Chunk {
    name: String,
    lines: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Write,
    Publish,
    /// A read, a decision to end here, or something that may fail.
    Check,
}

fn chunks(name: &str, text: &str) -> Vec<Chunk> {
    let mut found = vec![Chunk { name: name.to_owned(), lines: Vec::new() }];
    let mut function: Option<Chunk> = None;
    for line in text.lines() {
        let line = line.split("--").next().unwrap_or_default().trim_end();
        if let Some(head) = line.strip_prefix("local function ") {
            let named = format!("{name}:{}", head.split('(').next().unwrap_or_default());
            match line.strip_suffix(" end") {
                Some(whole) => {
                    let body = whole.split_once(')').map_or("", |(_, body)| body);
                    found.push(Chunk { name: named, lines: vec![body.to_owned()] });
                }
                None => function = Some(Chunk { name: named, lines: Vec::new() }),
            }
        } else if function.is_some() && line == "end" {
            found.extend(function.take());
        } else if !line.trim().is_empty() {
            function.as_mut().unwrap_or(&mut found[0]).lines.push(line.to_owned());
        }
    }
    found
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// What a line does, in its order.
fn steps(line: &str, is_last: bool, writers: &BTreeSet<String>) -> Vec<Step> {
    let (mut steps, mut rest) = (Vec::new(), line);
    let mut returns = false;
    while let Some(start) = rest.find(is_of_a_word) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        match word {
            "redis.call" | "redis.pcall" => {
                let command = after.trim_start_matches(['(', '\'']).split('\'').next().unwrap_or_default();
                steps.extend(match command {
                    "PUBLISH" => Some(Step::Publish),
                    other if ASKS_NOTHING.contains(&other) => None,
                    other if READS.contains(&other) => Some(Step::Check),
                    _ => Some(Step::Write),
                });
                rest = &after[after.find(command).unwrap_or(0) + command.len()..];
            }
            "return" if is_last && line.trim_start().starts_with("return") => {}
            // What it returns is done before.
            "return" if line.trim_start().starts_with("return") => returns = true,
            "return" | "cjson.decode" | "error" => steps.push(Step::Check),
            other if after.starts_with('(') && writers.contains(other) => steps.push(Step::Write),
            _ => {}
        }
    }
    if returns {
        steps.push(Step::Check);
    }
    steps
}

impl Chunk {
    fn steps<'a>(&'a self, writers: &'a BTreeSet<String>) -> impl Iterator<Item = (Step, &'a str)> {
        let last = self.lines.len().saturating_sub(1);
        let of = move |(at, line): (usize, &'a String)| {
            steps(line, at == last, writers).into_iter().map(move |step| (step, line.trim()))
        };
        self.lines.iter().enumerate().flat_map(of)
    }

    /// Lines that stand behind what they should stand before.
    fn too_late(&self, writers: &BTreeSet<String>) -> Vec<String> {
        let (mut wrote, mut published, mut found) = (false, false, Vec::new());
        for (step, line) in self.steps(writers) {
            match step {
                Step::Write if published => found.push(format!("{}: written after publishing: {line}", self.name)),
                Step::Check if wrote || published => {
                    found.push(format!("{}: decided after writing: {line}", self.name))
                }
                _ => {}
            }
            wrote |= step == Step::Write;
            published |= step == Step::Publish;
        }
        found
    }
}

/// What is out of order in these scripts.
fn out_of_order(scripts: &[(String, String)]) -> Vec<String> {
    let chunks: Vec<Chunk> = scripts.iter().flat_map(|(name, text)| chunks(name, text)).collect();
    // Functions that write, and those that call them.
    let mut writers = BTreeSet::new();
    loop {
        let before = writers.len();
        for chunk in &chunks {
            let writes = chunk.steps(&writers).any(|(step, _)| step != Step::Check);
            if let (true, Some((_, function))) = (writes, chunk.name.split_once(':')) {
                writers.insert(function.to_owned());
            }
        }
        if writers.len() == before {
            break;
        }
    }
    let judged = chunks.iter().filter(|chunk| !RIGHT_ALL_THE_SAME.iter().any(|(name, _)| *name == chunk.name));
    judged.flat_map(|chunk| chunk.too_late(&writers)).collect()
}

fn scripts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src");
    let mut found = Vec::new();
    for folder in ["store/redis/scripts", "channel_layer/scripts"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(&path).expect("a text")));
        }
    }
    assert!(found.len() > 30, "the scripts are found");
    found
}

#[test]
fn scripts_decide_before_they_write_and_publish_last() {
    let found = out_of_order(&scripts());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_out_of_order_is_found() {
    let of = |text: &str| out_of_order(&[("a.lua".to_owned(), text.to_owned())]).len();
    let good = "local known = redis.call('GET', KEYS[1])\nif known then return known end\nredis.call('SET', KEYS[1], 1)\n\
                redis.call('PUBLISH', KEYS[2], 'x')\nreturn 1";
    assert_eq!(of(good), 0);
    assert_eq!(of("redis.call('SET', KEYS[1], 1)\nlocal known = redis.call('GET', KEYS[2])\nreturn known"), 1);
    assert_eq!(of("redis.call('SET', KEYS[1], 1)\nif ARGV[1] == '' then return 0 end\nreturn 1"), 1);
    assert_eq!(of("redis.call('SET', KEYS[1], 1)\nlocal row = cjson.decode(ARGV[1])\nreturn 1"), 1);
    assert_eq!(of("redis.call('PUBLISH', KEYS[2], 'x')\nredis.call('SET', KEYS[1], 1)\nreturn 1"), 1);
    // Also where a function does it.
    let hidden = "local function note(key)\n  redis.call('SET', key, 1)\nend\nlocal function both()\n  note('a')\nend\n\
                  both()\nif ARGV[1] == '' then return 0 end\nreturn 1";
    assert_eq!(of(hidden), 1);
}

/// The commands of scripts and calls.
fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut note = |text: &str, before: &str, quote: char| {
        for part in text.split(before).skip(1) {
            let name = part.split(quote).next().unwrap_or_default();
            if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase()) {
                found.insert(name.to_owned());
            }
        }
    };
    for (_, text) in scripts() {
        note(&text, "redis.call('", '\'');
        note(&text, "redis.pcall('", '\'');
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src");
    for folder in ["redis", "store/redis", "channel_layer"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.to_string_lossy().into_owned();
            if !name.ends_with(".rs") || name.contains("tests") || name.ends_with("rights.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a text");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            note(text, "cmd(\"", '"');
        }
    }
    found
}

#[test]
fn every_command_is_tried_when_a_connection_is_made() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src/redis");
    let rights = ["commands.rs", "rights.rs"].map(|file| fs::read_to_string(room.join(file)).expect("a text")).concat();
    let is_tried =
        |command: &String| rights.contains(&format!("\"{command} ")) || rights.contains(&format!("\"{command}\""));
    // Without the first two there is no connection; the third is asked by a check alone, which can do without.
    let not_of_a_node = ["PING", "SENTINEL", "CONFIG"];
    let missing: Vec<String> =
        commands().into_iter().filter(|it| !not_of_a_node.contains(&it.as_str()) && !is_tried(it)).collect();
    assert!(missing.is_empty(), "commands.rs, and the user in docs/operations.md, are to know of {missing:?}");
}

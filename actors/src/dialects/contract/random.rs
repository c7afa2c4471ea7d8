//! Answers as no backend writes them, and some might.

use proptest::prelude::*;

use super::answer::{Answer, ends, read};

/// Texts as JSON has them: empty, with halves of characters, with what JSON or a line would end at.
const TEXTS: [&str; 10] =
    ["", "a", " b", "é", r"\n", r"\ud83d", r"\ude00", r"x\ud83d\ude00", r#"\"}"#, r"\ud83d\ud83d"];

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&TEXTS[..])
}

fn call() -> impl Strategy<Value = String> {
    let field = |name: &'static str, values: &'static [&'static str]| {
        prop::option::of(prop::sample::select(values)).prop_map(move |value| match value {
            Some(value) => format!(r#""{name}":{value},"#),
            None => String::new(),
        })
    };
    let number = field("index", &["0", "1", "2", "null"]);
    let id = field("id", &[r#""x""#, r#""y""#, r#""""#, "null"]);
    let name = field("name", &[r#""f""#, r#""g""#, r#""""#]);
    (number, id, name, text()).prop_map(|(number, id, name, more)| {
        format!(r#"{{{number}{id}"type":"function","function":{{{name}"arguments":"{more}"}}}}"#)
    })
}

fn chunk() -> impl Strategy<Value = String> {
    let of = |name: &'static str| text().prop_map(move |text| format!(r#""{name}":"{text}""#));
    let parts = (text(), text()).prop_map(|(one, other)| {
        format!(r#""content":[{{"type":"thinking","thinking":"{one}"}},{{"type":"text","text":"{other}"}}]"#)
    });
    let calls = prop::collection::vec(call(), 0..3).prop_map(|calls| format!(r#""tool_calls":[{}]"#, calls.join(",")));
    let field = prop_oneof![
        4 => of("content"),
        2 => prop::sample::select(vec!["reasoning_content", "reasoning", "thinking"]).prop_flat_map(of),
        1 => of("refusal"),
        1 => parts,
        3 => calls,
    ];
    prop_oneof![
        9 => prop::collection::vec(field, 1..3)
            .prop_map(|fields| format!(r#"{{"choices":[{{"index":0,"delta":{{{}}}}}]}}"#, once(fields).join(","))),
        1 => Just(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#.to_owned()),
        1 => Just(r#"{"choices":[{"index":1,"delta":{"content":"no"}}]}"#.to_owned()),
    ]
}

/// The fields without those that come twice: of them everybody takes another one.
fn once(fields: Vec<String>) -> Vec<String> {
    let name = |field: &String| field.split(':').next().unwrap_or_default().to_owned();
    let mut kept: Vec<String> = Vec::new();
    for field in fields {
        if !kept.iter().any(|other| name(other) == name(&field)) {
            kept.push(field);
        }
    }
    kept
}

/// Any answer with any end.
pub fn answers() -> impl Strategy<Value = Answer> {
    let chunks = prop::collection::vec(chunk(), 0..12);
    (chunks, prop::sample::select(ends())).prop_map(|(raws, end)| {
        let chunks: Vec<_> = raws.iter().map(|raw| read(raw)).collect();
        Answer::new(&chunks, end)
    })
}

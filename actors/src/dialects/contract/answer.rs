//! An answer as a backend wrote it, and what it says: told apart from the dialects, by those who make a whole answer of a stream.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::dialects::AnswerEnd;
use crate::openai::completion::from_chunks;
use crate::openai::{Chunk, Parsed, halves};
use crate::protocol::{ErrorCode, Usage};

/// An answer and its end.
#[derive(Debug)]
pub struct Answer {
    /// As a generation keeps them: the halves in their texts are put together.
    pub chunks: Vec<Chunk>,
    /// Its end.
    pub end: AnswerEnd,
    /// Its text.
    pub text: String,
    /// Why it does not answer.
    pub refusal: String,
    /// Its tool calls as (tool, arguments), where the tool is known, sorted.
    pub calls: Vec<(String, String)>,
}

impl Answer {
    /// Reads it.
    pub fn new(chunks: &[Chunk], end: AnswerEnd) -> Self {
        let mut chunks = chunks.to_vec();
        let (mut text, mut half) = (String::new(), None);
        for chunk in &mut chunks {
            if chunk.halves.begins.is_some() || !chunk.text.is_empty() {
                chunk.text = halves::join(half.take(), chunk.halves.begins, &chunk.text);
            }
            half = chunk.halves.ends.or(half);
            text += &chunk.text;
        }
        let raws: Vec<_> = chunks.iter().map(|chunk| chunk.raw.clone()).collect();
        let body = from_chunks(&raws);
        let message = message(&body);
        let refusal = message["refusal"].as_str().unwrap_or_default().to_owned();
        Self { chunks, end, text, refusal, calls: calls(message) }
    }

    /// Its chunks as another node reads them.
    pub fn read_again(&self) -> Vec<Chunk> {
        self.chunks.iter().map(|chunk| read(&chunk.raw)).collect()
    }

    /// The backend's last word, if nothing was wrong.
    pub fn finish_reason(&self) -> Option<&str> {
        match &self.end {
            AnswerEnd::Complete { finish_reason, .. } if !self.chunks.iter().any(|chunk| chunk.flawed) => {
                Some(&**finish_reason).filter(|reason| *reason != "error")
            }
            _ => None,
        }
    }

    /// Panics unless a dialect told this text and refusal, and these calls in any order.
    pub fn check_said(&self, shown: &str, mut calls: Vec<(String, String)>) {
        if self.refusal.is_empty() {
            assert_eq!(shown, self.text);
        } else {
            let all = whole_characters(&self.text).len() + whole_characters(&self.refusal).len();
            assert_eq!(whole_characters(shown).len(), all, "{shown}");
        }
        calls.retain(|(name, _)| !name.is_empty());
        calls.iter_mut().for_each(|(_, arguments)| *arguments = whole_characters(arguments));
        calls.sort();
        assert_eq!(calls, self.calls);
    }
}

/// The text without what stands for halves that have no other half: a stream and a whole answer lose different ones.
fn whole_characters(text: &str) -> String {
    text.replace(char::REPLACEMENT_CHARACTER, "")
}

fn message(body: &Value) -> &Value {
    let choices = body["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    choices.iter().find(|choice| choice["index"] == 0).map_or(&Value::Null, |choice| &choice["message"])
}

fn calls(message: &Value) -> Vec<(String, String)> {
    let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    let functions = calls.iter().map(|call| &call["function"]).chain(message.get("function_call"));
    let mut calls: Vec<_> = functions
        .filter_map(|function| {
            let name = function["name"].as_str().filter(|name| !name.is_empty())?;
            let arguments = match &function["arguments"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                object => object.to_string(),
            };
            Some((name.to_owned(), whole_characters(&arguments)))
        })
        .collect();
    calls.sort();
    calls
}

/// Reads one chunk.
pub fn read(raw: &str) -> Chunk {
    match Chunk::parse(raw.into()) {
        Ok(Parsed::Chunk(chunk)) => chunk,
        other => panic!("{other:?}: {raw}"),
    }
}

/// What real backends sent, by name.
pub fn streams() -> Vec<(String, Vec<Chunk>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialects/contract/streams");
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = files
        .map(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&file).expect("a text").lines().map(read).collect())
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// Every way in which an answer ends.
pub fn ends() -> Vec<AnswerEnd> {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
    let complete = |word: &str, usage| AnswerEnd::Complete { finish_reason: word.to_owned(), usage };
    let failed = |code, reason: &str| AnswerEnd::Failed { code, reason: reason.to_owned() };
    vec![
        complete("stop", Some(usage)),
        complete("length", None),
        complete("content_filter", None),
        complete("tool_calls", None),
        complete("tea_time", None),
        complete("error", None),
        failed(ErrorCode::AiUnavailable, "the AI is away"),
        failed(ErrorCode::Interrupted, "the answer was cut off"),
        AnswerEnd::Cancelled,
        AnswerEnd::Steered,
    ]
}

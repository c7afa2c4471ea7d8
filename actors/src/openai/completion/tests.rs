//! Bodies and chunks, each out of the other: for very many bodies, cut into chunks in very many ways.

mod bodies;
mod cuts;

use bytestring::ByteString;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::{from_chunks, to_chunk};
use crate::openai::{Choices, Chunk, Parsed, halves};

/// So many bodies are played through; each has its number as its seed.
const BODIES: u64 = 500;

fn each_body(see: impl Fn(&mut StdRng, &Value, u64)) {
    for seed in 0..BODIES {
        let mut random = StdRng::seed_from_u64(seed);
        let body = bodies::any(&mut random);
        see(&mut random, &body, seed);
    }
}

fn chunk_of(body: &Value) -> Chunk {
    to_chunk(body.to_string().as_bytes()).unwrap_or_else(|bad| panic!("{bad}: {body}"))
}

fn read(raw: &ByteString) -> Chunk {
    match Chunk::parse(raw.clone()) {
        Ok(Parsed::Chunk(chunk)) => chunk,
        other => panic!("{other:?}: {raw}"),
    }
}

/// The text that a reader of the stream sees.
fn text_of(chunks: &[Chunk]) -> String {
    let (mut text, mut half) = (String::new(), None);
    for chunk in chunks {
        if chunk.halves.begins.is_some() || !chunk.text.is_empty() {
            text += &halves::join(half.take(), chunk.halves.begins, &chunk.text);
        }
        half = chunk.halves.ends.or(half);
    }
    text
}

#[test]
fn a_body_that_became_a_chunk_becomes_the_same_body_again() {
    each_body(|_, body, seed| assert_eq!(from_chunks(&[chunk_of(body).raw]), *body, "seed {seed}"));
}

#[test]
fn chunks_that_a_body_was_cut_into_make_that_body() {
    each_body(|random, body, seed| {
        let cut = cuts::any(random, body);
        assert_eq!(from_chunks(&cut), *body, "seed {seed}: {cut:#?}");
    });
}

#[test]
fn chunks_made_a_body_and_a_chunk_of_it_say_the_same_as_they_did() {
    each_body(|random, body, seed| {
        let cut = cuts::any(random, body);
        let chunks: Vec<Chunk> = cut.iter().map(read).collect();
        let folded = chunk_of(&from_chunks(&cut));
        assert_eq!(from_chunks(std::slice::from_ref(&folded.raw)), *body, "seed {seed}");
        assert_eq!(text_of(&chunks), folded.text, "seed {seed}");
        assert_eq!(chunks.iter().find_map(|chunk| chunk.usage), folded.usage, "seed {seed}");
        let asked = folded.choices.len() as u64;
        let (streamed, whole) = (Choices::of(&chunks), Choices::of([&folded]));
        assert!(streamed.has_finished(asked) && whole.has_finished(asked), "seed {seed}");
        assert_eq!(streamed.is_worth_keeping(asked), whole.is_worth_keeping(asked), "seed {seed}: {cut:#?}");
    });
}

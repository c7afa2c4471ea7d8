//! What every dialect must do: each promise is one function over the answers of real backends (`streams`, as they were sent), cut
//! anywhere and ended in each way, and over random ones. The rules of a protocol stand in the file of its name.

mod agui;
mod answer;
mod random;
mod responses;
mod text;
mod ui;

use serde::Serialize;
use serde_json::Value;

use super::{AnswerEnd, Fold};
use crate::openai::Chunk;

pub use answer::Answer;

/// The id of every answer here.
pub const ANSWER: &str = "answer1";

/// A dialect under test.
pub trait Dialect {
    /// Its fold.
    type Fold: Fold<Event: Serialize>;
    /// One that has begun nothing.
    fn fold() -> Self::Fold;
    /// Panics unless these are the events of that answer by the rules of the protocol.
    fn check(answer: &Answer, events: &[Value]);
}

/// Events as they are sent.
fn written<E: Serialize>(events: Vec<E>) -> impl Iterator<Item = String> {
    events.into_iter().map(|event| serde_json::to_string(&event).expect("JSON"))
}

/// The events of the first chunks, without an end.
fn beginning<D: Dialect>(fold: &mut D::Fold, chunks: &[Chunk]) -> Vec<String> {
    let begun = fold.begin();
    let told = chunks.iter().flat_map(|chunk| fold.chunk(chunk)).collect();
    written(begun).chain(written(told)).collect()
}

/// All events of an answer.
fn all<D: Dialect>(chunks: &[Chunk], end: &AnswerEnd) -> Vec<String> {
    let mut fold = D::fold();
    let mut told = beginning::<D>(&mut fold, chunks);
    told.extend(written(fold.end(end)));
    told
}

/// Who comes back after any chunk is given what was missed and nothing twice, wherever the answer is folded anew.
pub fn a_resume_goes_on_where_the_reader_was<D: Dialect>(answer: &Answer) {
    let whole = all::<D>(&answer.chunks, &answer.end);
    // Elsewhere the chunks were read again, and nobody has put the halves of characters in their texts together.
    let resumed = all::<D>(&answer.read_again(), &answer.end);
    for cut in 0..=answer.chunks.len() {
        let mut seen = beginning::<D>(&mut D::fold(), &answer.chunks[..cut]);
        seen.extend(resumed.iter().skip(seen.len()).cloned());
        assert_eq!(seen, whole, "cut at {cut}");
    }
}

/// What is sent is what the protocol allows, and says what the answer says.
pub fn the_rules_of_the_protocol_hold<D: Dialect>(answer: &Answer) {
    let events = all::<D>(&answer.chunks, &answer.end);
    for event in &events {
        assert!(!event.contains(['\n', '\r']), "an event is one line: {event}");
    }
    let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    D::check(answer, &events);
}

/// Plays a promise for all answers: each stream, each beginning of it, each end.
pub fn of_every_stream(promise: impl Fn(&Answer)) {
    let streams = answer::streams();
    assert!(streams.len() > 20, "the streams are found");
    for (name, chunks) in streams {
        for cut in 0..=chunks.len() {
            for end in answer::ends() {
                let answer = Answer::new(&chunks[..cut], end);
                println!("{name}, the first {cut} chunks, {:?}", answer.end);
                promise(&answer);
            }
        }
    }
}

/// Runs every promise for a dialect.
macro_rules! promises {
    ($dialect:ty, $name:literal) => {
        use $crate::dialects::contract;

        #[test]
        fn a_resume_goes_on_where_the_reader_was() {
            contract::of_every_stream(contract::a_resume_goes_on_where_the_reader_was::<$dialect>);
        }

        #[test]
        fn the_rules_of_the_protocol_hold() {
            contract::of_every_stream(contract::the_rules_of_the_protocol_hold::<$dialect>);
        }

        proptest::proptest! {
            #![proptest_config(sophie_kit::properties::cases($name, 256))]

            #[test]
            fn properties_of_random_answers(answer in contract::random::answers()) {
                contract::a_resume_goes_on_where_the_reader_was::<$dialect>(&answer);
                contract::the_rules_of_the_protocol_hold::<$dialect>(&answer);
            }
        }
    };
}
use promises;

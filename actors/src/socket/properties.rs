//! What a socket sends of answers is their text, whatever waits, merges, is owed or is drained in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use sophie_kit::properties::cases;

use super::{Delta, OutboxLimits, Owed, SocketHandle};
use crate::ids::{AnswerId, GroupName};
use crate::protocol::AnswerText;

const ANSWERS: usize = 3;
const LIMITS: OutboxLimits = OutboxLimits { bytes: 1 << 30, frames: 1 << 20, age: Duration::from_secs(1_000) };

/// What happens to a socket.
#[derive(Debug, Clone)]
enum Act {
    /// An answer grows by this.
    Grow(usize, String),
    /// Something else is to be sent.
    Other,
    /// The client reads what there is, once.
    Read,
    /// The socket is owed all that is written of an answer, as one that comes late.
    Owe(usize),
    /// The next bytes of what is owed are paid.
    Pay(usize, usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..ANSWERS, "[a-cé😀]{1,5}").prop_map(|(answer, text)| Act::Grow(answer, text)),
        1 => Just(Act::Other),
        3 => Just(Act::Read),
        1 => (0..ANSWERS).prop_map(Act::Owe),
        2 => (0..ANSWERS, 0..9_usize).prop_map(|(answer, most)| Act::Pay(answer, most)),
    ];
    prop::collection::vec(act, 1..120)
}

/// All frames that are there now.
fn read(handle: &SocketHandle) -> Vec<Value> {
    let mut frames = Vec::new();
    _ = handle.poll_outgoing(&mut Context::from_waker(Waker::noop()), &mut frames);
    frames.iter().map(|frame| serde_json::from_str(frame).expect("JSON")).collect()
}

proptest! {
    #![proptest_config(cases("outbox", 256))]

    #[test]
    fn the_text_of_an_answer_arrives_whole_in_order_and_once(acts in acts()) {
        let group = GroupName::parse("g").expect("legal");
        // The first two are the texts of one answer.
        let id = |answer: usize| match answer {
            0 => AnswerText::reasoning(&AnswerId::from("a1")),
            other => AnswerText::of(&AnswerId::from(format!("a{other}").as_str())),
        };
        let name = |answer: usize| match answer {
            0 => "answer.reasoning a1".to_owned(),
            other => format!("answer.delta a{other}"),
        };
        let handle = SocketHandle::new(LIMITS, None, || {});
        // What is written, and what the client has of it; who is owed something has nothing before that.
        let mut written = vec![String::new(); ANSWERS];
        let mut shown = HashMap::<String, String>::new();
        let (mut owed, mut others, mut seen) = (HashMap::<usize, bool>::new(), 0, 0);
        let hear = |shown: &mut HashMap<String, String>, seen: &mut usize| {
            for event in read(&handle) {
                let Some(answer) = event["answer"].as_str() else {
                    *seen += 1;
                    continue;
                };
                let known = shown.entry(format!("{} {answer}", event["type"].as_str().expect("a type"))).or_default();
                prop_assert_eq!(event["offset"].as_u64(), Some(known.chars().count() as u64), "{}", event);
                known.push_str(event["text"].as_str().expect("a text"));
            }
            Ok(())
        };
        for act in acts {
            match act {
                Act::Grow(answer, text) => {
                    let offset = written[answer].chars().count();
                    written[answer].push_str(&text);
                    prop_assert!(handle.push_delta(&Arc::new(Delta::new(group.clone(), id(answer), offset, text))));
                }
                Act::Other => {
                    others += 1;
                    assert!(handle.push("{}".into()));
                }
                Act::Read => hear(&mut shown, &mut seen)?,
                // As it is when a socket comes: before any piece of it.
                Act::Owe(answer) if written[answer].is_empty() && !owed.contains_key(&answer) => {
                    handle.owe(&id(answer));
                    owed.insert(answer, true);
                }
                Act::Pay(answer, most) if owed.get(&answer) == Some(&true) => {
                    let more = handle.pay(&Owed { group: group.clone(), of: id(answer) }, &written[answer], most);
                    owed.insert(answer, more);
                }
                Act::Owe(_) | Act::Pay(..) => {}
            }
        }
        for (answer, due) in owed {
            let owed = Owed { group: group.clone(), of: id(answer) };
            while due && handle.pay(&owed, &written[answer], 7) {}
        }
        hear(&mut shown, &mut seen)?;
        prop_assert_eq!((seen, handle.queued_bytes()), (others, 0));
        for (answer, text) in written.iter().enumerate() {
            let arrived = shown.get(&name(answer)).map_or("", String::as_str);
            prop_assert_eq!(arrived, text);
        }
    }
}

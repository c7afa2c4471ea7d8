//! What happens to an item, in events: each as its type and what it says.

use super::{ContentPart, Item, ItemStatus, Says, SummaryPart};
use crate::dialects::{Part, PartKind};

type Told = (&'static str, Says);

/// Where an item stands.
pub struct Place<'a> {
    /// In which answer.
    pub answer: &'a str,
    /// As which of its parts. An item has one part of its own, the first.
    pub number: usize,
}

/// It begins.
pub fn begun(place: &Place<'_>, part: &Part) -> Vec<Told> {
    let (output_index, kind) = (place.number, &part.kind);
    let item_id = Item::id(place.answer, output_index, kind);
    let item = Item::begun(place.answer, output_index, part);
    let mut told = vec![("response.output_item.added", Says::Item { output_index, item })];
    match kind {
        PartKind::Reasoning => {
            let part = SummaryPart { text: String::new() };
            let says = Says::Summary { item_id, output_index, summary_index: 0, part };
            told.push(("response.reasoning_summary_part.added", says));
        }
        PartKind::Text | PartKind::Refusal => {
            let part = ContentPart::of(kind, String::new());
            let says = Says::Part { item_id, output_index, content_index: 0, part };
            told.push(("response.content_part.added", says));
        }
        PartKind::Call { .. } | PartKind::Item => {}
    }
    told
}

/// It grows.
pub fn grown(place: &Place<'_>, kind: &PartKind, delta: String) -> Told {
    let output_index = place.number;
    let item_id = Item::id(place.answer, output_index, kind);
    match kind {
        PartKind::Reasoning => {
            let says = Says::SummaryDelta { item_id, output_index, summary_index: 0, delta };
            ("response.reasoning_summary_text.delta", says)
        }
        PartKind::Text => {
            let says = Says::TextDelta { item_id, output_index, content_index: 0, delta, logprobs: [] };
            ("response.output_text.delta", says)
        }
        PartKind::Refusal => {
            ("response.refusal.delta", Says::RefusalDelta { item_id, output_index, content_index: 0, delta })
        }
        PartKind::Call { .. } | PartKind::Item => {
            ("response.function_call_arguments.delta", Says::ArgumentsDelta { item_id, output_index, delta })
        }
    }
}

/// It is whole, or as much of it as there will be.
pub fn done(place: &Place<'_>, part: &Part, status: ItemStatus) -> Vec<Told> {
    let (output_index, kind) = (place.number, &part.kind);
    let item_id = Item::id(place.answer, output_index, kind);
    let (id, text) = (item_id.clone(), part.text.clone());
    let mut told = match kind {
        PartKind::Reasoning => {
            let says = Says::SummaryDone { item_id: id, output_index, summary_index: 0, text: text.clone() };
            let whole = Says::Summary { item_id, output_index, summary_index: 0, part: SummaryPart { text } };
            vec![("response.reasoning_summary_text.done", says), ("response.reasoning_summary_part.done", whole)]
        }
        PartKind::Text | PartKind::Refusal => {
            let part = ContentPart::of(kind, text.clone());
            let whole = ("response.content_part.done", Says::Part { item_id, output_index, content_index: 0, part });
            let says = match kind {
                PartKind::Refusal => {
                    let says = Says::RefusalDone { item_id: id, output_index, content_index: 0, refusal: text };
                    ("response.refusal.done", says)
                }
                _ => {
                    let says = Says::TextDone { item_id: id, output_index, content_index: 0, text, logprobs: [] };
                    ("response.output_text.done", says)
                }
            };
            vec![says, whole]
        }
        PartKind::Call { name, .. } => {
            let says = Says::ArgumentsDone { item_id, output_index, name: name.clone(), arguments: text };
            vec![("response.function_call_arguments.done", says)]
        }
        PartKind::Item => Vec::new(),
    };
    let item = Item::of(place.answer, output_index, part, status);
    told.push(("response.output_item.done", Says::Item { output_index, item }));
    told
}

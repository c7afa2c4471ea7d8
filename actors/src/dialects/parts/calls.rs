//! The tool calls of an answer: which of them a piece belongs to, and what of each can be told. Pure.

use crate::openai::CallPiece;
use crate::openai::halves::Seam;

/// A call as its pieces have told it so far.
#[derive(Debug, Default)]
struct Call {
    number: Option<u64>,
    /// The id that the backend gave it, if it did.
    told_id: Option<String>,
    name: Option<String>,
    /// Arguments that were not told yet.
    waiting: String,
    seam: Seam,
    has_arguments: bool,
    /// The number of its part, once it has begun.
    part: Option<usize>,
}

/// What can be told of a call.
pub struct Ready {
    /// Its part, if it has begun.
    pub part: Option<usize>,
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// More of its arguments.
    pub arguments: String,
}

/// All calls of an answer.
#[derive(Debug)]
pub struct Calls {
    answer: String,
    all: Vec<Call>,
    /// The ids that are taken.
    ids: Vec<String>,
}

impl Calls {
    pub fn new(answer: &str) -> Self {
        Self { answer: answer.to_owned(), all: Vec::new(), ids: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a piece to the call that it belongs to, and says which.
    pub fn add(&mut self, piece: CallPiece) -> usize {
        let at = self.find(&piece).unwrap_or_else(|| {
            self.all.push(Call { number: piece.number, ..Call::default() });
            self.all.len() - 1
        });
        let call = &mut self.all[at];
        call.told_id = call.told_id.take().or(piece.id);
        call.name = call.name.take().or(piece.name);
        // Arguments that are an object are all of them.
        if !(piece.arguments.is_empty() || piece.is_whole && call.has_arguments) {
            call.has_arguments = true;
            let more = call.seam.join(piece.arguments);
            call.waiting.push_str(&more);
        }
        at
    }

    /// What can be told of a call now: nothing before its tool is known, unless no more will come.
    pub fn ready(&mut self, at: usize, is_end: bool) -> Option<Ready> {
        let call = &self.all[at];
        let says_more = !call.waiting.is_empty();
        let may_begin = call.name.is_some() || is_end && says_more;
        if !may_begin || call.part.is_some() && !says_more {
            return None;
        }
        let id = if call.part.is_some() { String::new() } else { self.take_id(at) };
        let call = &mut self.all[at];
        let name = call.name.clone().unwrap_or_default();
        Some(Ready { part: call.part, id, name, arguments: std::mem::take(&mut call.waiting) })
    }

    /// The call has begun as this part.
    pub fn begun(&mut self, at: usize, part: usize) {
        self.all[at].part = Some(part);
    }

    /// To the one of its number, else of its id, else to the last one. Some servers give all calls the same number: a piece with another id
    /// begins another call.
    fn find(&self, piece: &CallPiece) -> Option<usize> {
        let same_number = |call: &Call| call.number == piece.number;
        let same_id = |call: &Call| call.told_id == piece.id;
        match (piece.number, &piece.id) {
            (Some(_), Some(_)) => {
                let named = self.all.iter().position(|call| same_number(call) && same_id(call));
                named.or_else(|| self.all.iter().rposition(|call| same_number(call) && call.told_id.is_none()))
            }
            (Some(_), None) => self.all.iter().rposition(same_number),
            (None, Some(_)) => self.all.iter().position(same_id),
            (None, None) => {
                // A whole call is none of which a piece was seen before.
                let last = self.all.len().checked_sub(1)?;
                let begins = piece.is_whole && piece.name.is_some() && self.all[last].has_arguments;
                (!begins).then_some(last)
            }
        }
    }

    /// The id that the backend gave the call, if no other one has it; else one that follows from the answer and the call's place.
    fn take_id(&mut self, at: usize) -> String {
        let told = self.all[at].told_id.clone().filter(|id| !self.ids.contains(id));
        let made = (at..).map(|count| format!("call_{}_{count}", self.answer));
        let id = told.into_iter().chain(made).find(|id| !self.ids.contains(id)).unwrap_or_default();
        self.ids.push(id.clone());
        id
    }
}

//! What a connection remembers of its own responses: also of those that are not stored, and of what was only said. Pure.

use std::collections::VecDeque;

use sophie_actors::dialects::responses::Items;

/// Conversations that are remembered, the newest. Who goes on goes on from one of the last ones.
const MOST: usize = 16;

/// The conversations of one connection, each by the response at its end.
pub(super) struct Memory {
    known: VecDeque<(String, Items)>,
    /// Bytes that they may be together. The newest one may be as large as it is.
    most_bytes: usize,
}

impl Memory {
    /// Nothing yet.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { known: VecDeque::new(), most_bytes }
    }

    /// The conversation that a response is the end of.
    pub(super) fn of(&self, response: &str) -> Option<Items> {
        self.known.iter().rev().find(|(id, _)| id == response).map(|(_, items)| items.clone())
    }

    /// Remembers one more.
    pub(super) fn add(&mut self, response: String, conversation: Items) {
        self.known.push_back((response, conversation));
        let bytes = |known: &VecDeque<(String, Items)>| known.iter().map(|(_, items)| items.bytes()).sum::<usize>();
        while self.known.len() > MOST || (self.known.len() > 1 && bytes(&self.known) > self.most_bytes) {
            self.known.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(bytes: usize) -> Items {
        Items::read(&format!("[\"{}\"]", "x".repeat(bytes - 2)))
    }

    #[test]
    fn the_newest_are_remembered_within_their_bounds() {
        let mut memory = Memory::new(100);
        for n in 0..20 {
            memory.add(n.to_string(), items(10));
        }
        let known = |memory: &Memory| (0..20).filter(|n| memory.of(&n.to_string()).is_some()).collect::<Vec<_>>();
        assert_eq!(known(&memory), (10..20).collect::<Vec<_>>());
        memory.add("large".to_owned(), items(1_000));
        assert_eq!((known(&memory), memory.of("large")), (vec![], Some(items(1_000))));
        let mut memory = Memory::new(usize::MAX);
        (0..20).for_each(|n| memory.add(n.to_string(), items(10)));
        assert_eq!(known(&memory), (4..20).collect::<Vec<_>>());
    }
}

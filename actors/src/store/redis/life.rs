//! What this node knows of the lives that the store has had.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lives of which something was heard and that nobody was asked about; more than one is rare.
const MAX_HEARD: usize = 4;

/// What this node knows of the store's lives (`scripts/life.lua`): how many appends each has had at least. A store that
/// has had fewer went back.
#[derive(Debug, Default)]
pub(super) struct Life(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The life that the main connection told of last, and its appends.
    present: (String, u64),
    /// What else was heard of, and the lives before, until the store has been told.
    others: Vec<(String, u64)>,
}

impl Life {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life that this node takes for the present one (empty: none yet), and its appends.
    pub(super) fn present(&self) -> (String, u64) {
        self.lock().present.clone()
    }

    /// The store itself says so.
    pub(super) fn told(&self, life: &str, appends: u64) {
        let mut known = self.lock();
        if known.present.0 != life {
            let before = std::mem::replace(&mut known.present, (life.to_owned(), 0));
            if !before.0.is_empty() {
                known.note(&before.0, before.1);
            }
        }
        known.present.1 = known.present.1.max(appends);
    }

    /// It was heard of another node, perhaps by another server.
    pub(super) fn noticed(&self, life: &str, appends: u64) {
        let mut known = self.lock();
        match known.present.0 == life {
            true => known.present.1 = known.present.1.max(appends),
            false => known.note(life, appends),
        }
    }

    /// What the store is to be told beside the present life.
    pub(super) fn heard(&self) -> Vec<(String, u64)> {
        self.lock().others.clone()
    }

    /// The store was told this much.
    pub(super) fn judged(&self, heard: &[(String, u64)]) {
        self.lock().others.retain(|it| !heard.contains(it));
    }
}

impl Known {
    fn note(&mut self, life: &str, appends: u64) {
        match self.others.iter_mut().find(|(known, _)| known == life) {
            Some((_, known)) => *known = appends.max(*known),
            None => {
                if self.others.len() == MAX_HEARD {
                    self.others.remove(0);
                }
                self.others.push((life.to_owned(), appends));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_of_a_life_is_told_when_another_one_has_come() {
        let life = Life::default();
        assert_eq!(life.present(), (String::new(), 0));
        life.told("a", 3);
        life.noticed("a", 7);
        life.told("a", 5);
        assert_eq!((life.present(), life.heard()), (("a".into(), 7), Vec::new()));
        life.noticed("b", 9);
        life.told("b", 8);
        assert_eq!(life.present(), ("b".into(), 8));
        let heard = life.heard();
        assert_eq!(heard, [("b".to_owned(), 9), ("a".to_owned(), 7)]);
        life.noticed("a", 8);
        life.judged(&heard);
        assert_eq!(life.heard(), [("a".to_owned(), 8)], "what came meanwhile is still to be told");
    }
}

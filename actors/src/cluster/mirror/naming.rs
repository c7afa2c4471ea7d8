//! What this node is called. A name belongs to one living process: who comes second goes on under another one. Pure.

use crate::ids::NodeId;
use crate::store::Namesake;

/// The name, and what is known of another process that has it.
#[derive(Debug)]
pub(super) struct Naming {
    base: NodeId,
    /// 1 is the name itself, 2 is `{name}-2`.
    place: u32,
    seen: Option<Namesake>,
}

/// What is known after a beat.
#[derive(Debug, PartialEq)]
pub(super) enum NameState {
    /// The name is this node's.
    Ours,
    /// Another process had it. Whether it lives shows at its next beat, or when none comes.
    Unsure,
    /// Another process has it and lives.
    Taken,
}

impl Naming {
    pub(super) fn new(base: NodeId) -> Self {
        Self { base, place: 1, seen: None }
    }

    /// What was asked for.
    pub(super) fn base(&self) -> &NodeId {
        &self.base
    }

    /// The name in use.
    pub(super) fn name(&self) -> NodeId {
        match self.place {
            1 => self.base.clone(),
            place => NodeId::from(format!("{}-{place}", self.base).as_str()),
        }
    }

    /// Takes in who has the name, if another process has it. Its lease must have been renewed since it was first seen: a
    /// lease alone is also what a process leaves that was killed.
    pub(super) fn heard(&mut self, namesake: Option<Namesake>) -> NameState {
        let Some(namesake) = namesake else {
            self.seen = None;
            return NameState::Ours;
        };
        let seen = self.seen.as_ref().filter(|seen| seen.key == namesake.key);
        if seen.is_some_and(|seen| seen.renewed_ms < namesake.renewed_ms) {
            self.seen = None;
            self.place += 1;
            return NameState::Taken;
        }
        self.seen.get_or_insert(namesake.clone());
        if self.seen.as_ref().is_some_and(|seen| seen.key != namesake.key) {
            self.seen = Some(namesake);
        }
        NameState::Unsure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(key: &str, renewed_ms: u64) -> Option<Namesake> {
        Some(Namesake { key: key.into(), renewed_ms })
    }

    #[test]
    fn who_comes_second_to_one_that_lives_goes_on_under_another_name() {
        let mut naming = Naming::new(NodeId::from("n"));
        assert_eq!(naming.heard(by("a", 1_000)), NameState::Unsure);
        assert_eq!(naming.heard(by("a", 1_000)), NameState::Unsure, "it has not beaten since");
        assert_eq!(naming.name(), NodeId::from("n"));
        assert_eq!(naming.heard(by("a", 2_000)), NameState::Taken);
        assert_eq!(naming.name(), NodeId::from("n-2"));
        assert_eq!(naming.heard(by("b", 2_500)), NameState::Unsure);
        assert_eq!(naming.heard(by("b", 3_500)), NameState::Taken);
        assert_eq!((naming.name(), naming.heard(None)), (NodeId::from("n-3"), NameState::Ours));
        assert_eq!(naming.name(), NodeId::from("n-3"), "for good");
    }

    #[test]
    fn what_a_killed_process_left_is_no_second_one() {
        let mut naming = Naming::new(NodeId::from("n"));
        assert_eq!(naming.heard(by("a", 1_000)), NameState::Unsure);
        assert_eq!(naming.heard(by("b", 2_000)), NameState::Unsure, "another one that was killed");
        assert_eq!((naming.heard(None), naming.name()), (NameState::Ours, NodeId::from("n")));
    }
}

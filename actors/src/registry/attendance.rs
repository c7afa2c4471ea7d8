//! Who answers in a group: its members are told when that changes.

use actix::prelude::*;

use super::GroupRegistry;
use super::messages::Attended;
use crate::ids::{Epoch, GroupName};
use crate::protocol::{Event, LogHead, PersonState, Standing};
use crate::store::Attendance;

impl GroupRegistry {
    /// Takes in who answers in a group, and tells the members here what is new.
    fn attend(&mut self, name: &GroupName, now: Attendance) {
        let Some(group) = self.groups.get_mut(name) else { return };
        if !now.follows(&group.attendance) {
            return;
        }
        let before = std::mem::replace(&mut group.attendance, now.clone());
        let mut frames = Vec::new();
        if let Some(state) = came_of(before.person, now.person) {
            frames.push(Event::Person { group: name, state }.encode());
        }
        if now.assistant != before.assistant {
            frames.push(Event::Assistant { group: name, on: now.assistant }.encode());
        }
        if !frames.is_empty() {
            self.roster.for_each_socket(name, None, |socket| frames.iter().for_each(|it| _ = socket.push(it.clone())));
        }
    }
}

/// What is told of a wish for a person. One that is forgotten is over without anybody.
fn came_of(before: Option<PersonState>, now: Option<PersonState>) -> Option<PersonState> {
    match (before, now) {
        (before, now) if before == now => None,
        (Some(PersonState::Asked), None) => Some(PersonState::Dismissed),
        // It was asked and settled while nobody here heard of it, or long ago.
        (_, now) => now,
    }
}

/// Where a group stands, as who comes is told.
pub(super) fn standing((epoch, seq): (&Epoch, u64), attendance: &Attendance) -> Standing {
    Standing {
        head: LogHead { epoch: epoch.clone(), seq },
        assistant: (!attendance.assistant).then_some(false),
        person: attendance.person.filter(|state| *state == PersonState::Asked),
    }
}

impl Handler<Attended> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Attended(groups): Attended, _: &mut Context<Self>) {
        for (name, attendance) in groups {
            self.attend(&name, attendance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_wish_is_told_once_and_one_that_is_forgotten_is_over() {
        use PersonState::{Asked, Dismissed, Taken};
        for (before, now, told) in [
            (None, Some(Asked), Some(Asked)),
            (Some(Asked), Some(Asked), None),
            (Some(Asked), Some(Taken), Some(Taken)),
            (Some(Asked), Some(Dismissed), Some(Dismissed)),
            (Some(Asked), None, Some(Dismissed)),
            (Some(Taken), None, None),
            (Some(Dismissed), Some(Asked), Some(Asked)),
        ] {
            assert_eq!(came_of(before, now), told, "{before:?} {now:?}");
        }
    }

    #[test]
    fn what_is_older_of_one_epoch_is_passed_over() {
        let of =
            |epoch: &str, changes| Attendance { epoch: Some(Epoch::from(epoch)), changes, ..Attendance::default() };
        assert!(of("e", 2).follows(&of("e", 1)) && !of("e", 0).follows(&of("e", 1)));
        assert!(of("f", 0).follows(&of("e", 1)), "another life of the log");
    }
}

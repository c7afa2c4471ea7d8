//! Actors: who asks them how, who starts them, and for what the registry waits.

use super::{nowhere, places};

#[test]
fn the_registry_waits_for_nobody() {
    // Those who wait for it lie in its folder too: its handle, the look before an entry, and the tasks that pay what sockets are owed.
    let its_own = |path: &str| {
        let others = ["handle.rs", "payment.rs", "states.rs"];
        path.starts_with("actors/src/registry/") && !others.iter().any(|other| path.ends_with(other))
    };
    // The one wait beside them is the mirror's, for a change of the table.
    assert_eq!(places(".await", its_own), ["actors/src/registry/roster/changes.rs"]);
    for forbidden in [".send(", "async move", "Stores"] {
        nowhere(forbidden, its_own);
    }
}

#[test]
fn unbounded_sends_stand_where_an_end_is_told_and_nowhere_else() {
    let mut places = places(".do_send(", |_| true);
    places.sort();
    places.dedup();
    let ends = [
        "actors/src/admission/handle.rs",
        "actors/src/answers/handle.rs",
        "actors/src/registry/handle.rs",
        "actors/src/socket/session.rs",
    ];
    assert_eq!(places, ends);
    nowhere("unbounded_channel", |_| true);
}

#[test]
fn nobody_holds_the_address_of_an_actor_but_its_handle() {
    for actor in ["GroupRegistry", "RateLimiter", "Answers", "Session", "Ear", "Mirror"] {
        let held = places(&format!("Addr<{actor}>"), |path| !path.ends_with("/handle.rs"));
        assert!(held.is_empty(), "ask {actor} by its handle, in {held:?}");
    }
}

#[test]
fn actors_are_started_in_one_place() {
    for start in ["start_in_arbiter(", "Arbiter::new("] {
        nowhere(start, |path| !path.starts_with("src/app/"));
    }
}

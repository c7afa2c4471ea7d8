//! Answers: one request for equal questions, one end for each answer, and a cache that needs proof.

mod caching;
mod calls;
mod ending;
mod lasting;
mod owed;
mod recording;
mod sharing;

use crate::support::*;

async fn running(world: &World) -> usize {
    world.node.answers.running().await.expect("the answers live")
}

/// Entries that were written into the cache.
fn cached(world: &World) -> Vec<String> {
    world.faults.calls("put")
}

/// Ends of answers in a session's log.
async fn ends(world: &World, name: &str) -> Vec<(String, String)> {
    let log = world.log(&session(name).home()).await;
    log.into_iter().filter(|(kind, _)| kind.starts_with("answer.")).collect()
}

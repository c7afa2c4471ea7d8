//! A model of one group's log at two nodes, with one client: all orders, to a stated depth, in which messages are logged,
//! acknowledged late, published or lost, and in which nodes die and the store goes back to what it had saved. The nodes'
//! side is the product's own [`super::sequence::Sequence`] and its decision what a client that comes back is given.
//!
//! What must hold when all has come to rest: what a client was shown since it was last told that something may be missing is
//! exactly the end of the log, each event once and in order; and whatever was acknowledged and is not in the log any more was
//! lost before it was told so.

mod store;
mod world;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use world::{Budget, Step, World};

/// What was found: how many states, and a history that breaks the promise.
struct Searched {
    states: usize,
    broken: Option<(Vec<Step>, String)>,
}

fn key(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// All histories of at most `depth` steps, the short ones first.
fn search(start: World, depth: usize) -> Searched {
    let mut seen = HashSet::from([key(&start)]);
    let mut frontier = vec![(start, Vec::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (world, history) in frontier {
            for step in world.steps() {
                let mut after = world.clone();
                let taken = after.take(step);
                let history = || history.iter().copied().chain([step]).collect::<Vec<Step>>();
                if let Err(promise) = taken {
                    return Searched { states: seen.len(), broken: Some((history(), promise)) };
                }
                if !seen.insert(key(&after)) {
                    continue;
                }
                if let Err(promise) = after.clone().rest() {
                    return Searched { states: seen.len(), broken: Some((history(), promise)) };
                }
                next.push((after, history()));
            }
        }
        frontier = next;
    }
    Searched { states: seen.len(), broken: None }
}

const BUDGET: Budget = Budget { says: 2, saves: 1, backs: 1, deaths: 1, cuts: 1, leaves: 1 };

#[test]
fn what_was_acknowledged_is_seen_once_and_in_order_or_a_reset_is_told() {
    let searched = search(World::new(true, BUDGET), 7);
    assert!(searched.broken.is_none(), "{:?}", searched.broken);
    assert!(searched.states > 10_000, "only {} states", searched.states);
}

#[test]
fn without_the_lives_of_the_store_a_log_that_went_back_breaks_the_promise() {
    let searched = search(World::new(false, BUDGET), 7);
    let (history, promise) = searched.broken.expect("the model sees nothing");
    assert!(history.contains(&Step::GoBack), "{promise}: {history:?}");
}

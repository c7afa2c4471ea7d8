//! A model of one group's log at two nodes, with one client: all orders, to a stated depth, in which messages are logged,
//! acknowledged late, published or lost, and in which nodes die and the store goes back to what it had saved. The nodes'
//! side is the product's own [`super::sequence::Sequence`] and its decision what a client that comes back is given.
//!
//! What must hold when all has come to rest: what a client was shown since it was last told that something may be missing is
//! exactly the end of the log, each event once and in order; and whatever was acknowledged and is not in the log any more was
//! lost before it was told so.
//!
//! The same with an answer that one of the nodes owes and writes ([`world::Answering`]): its writer may also freeze until its
//! lease has run out, or not hear what came of a call, and the others end what nobody writes. Beside the above the log that
//! holds the question has exactly one end of its answer, no log has two, and no node shows it as being written for ever.

mod store;
mod world;

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

use world::{AnswerBudget, AnswerStep, Answering, Budget, Mended, Step, World};

/// What can be searched.
trait Model: Clone + Hash {
    /// One step.
    type Step: Copy + Debug;

    fn steps(&self) -> Vec<Self::Step>;

    /// Takes a step. An error says which promise it broke.
    fn take(&mut self, step: Self::Step) -> Result<(), String>;

    /// Lets everything come to rest; then looks at the promise.
    fn rest(&mut self) -> Result<(), String>;
}

/// What was found: how many states, and a history that breaks the promise.
struct Searched<S> {
    states: usize,
    broken: Option<(Vec<S>, String)>,
}

fn key<M: Model>(world: &M) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// All histories of at most `depth` steps, the short ones first.
fn search<M: Model>(start: M, depth: usize) -> Searched<M::Step> {
    let mut seen = HashSet::from([key(&start)]);
    let mut frontier = vec![(start, Vec::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (world, history) in frontier {
            for step in world.steps() {
                let mut after = world.clone();
                let taken = after.take(step);
                let history = || history.iter().copied().chain([step]).collect::<Vec<_>>();
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
    let searched = search(World::new(true, BUDGET), depth());
    assert!(searched.broken.is_none(), "{:?}", searched.broken);
    assert!(searched.states > 10_000, "only {} states", searched.states);
}

#[test]
fn without_the_lives_of_the_store_a_log_that_went_back_breaks_the_promise() {
    let searched = search(World::new(false, BUDGET), depth());
    let (history, promise) = searched.broken.expect("the model sees nothing");
    assert!(history.contains(&Step::GoBack), "{promise}: {history:?}");
}

const ANSWER_BUDGET: AnswerBudget = AnswerBudget {
    log: Budget { says: 0, saves: 1, backs: 1, deaths: 1, cuts: 1, leaves: 0 },
    late: 1,
    lapses: 1,
    forgets: 1,
};

/// How many steps a history has at most: 7, or as many as `SOPHIE_MODEL_DEPTH` says.
fn depth() -> usize {
    std::env::var("SOPHIE_MODEL_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(7)
}

#[test]
fn an_answer_ends_once_whatever_becomes_of_its_writer_and_the_store() {
    let searched = search(Answering::new(Mended::default(), ANSWER_BUDGET), depth());
    assert!(searched.broken.is_none(), "{:?}", searched.broken);
    assert!(searched.states > 10_000, "only {} states", searched.states);
}

#[test]
fn an_end_that_does_not_look_whether_there_is_one_breaks_the_promise() {
    let blind = Mended { ends_once: false, ..Mended::default() };
    let (history, promise) =
        search(Answering::new(blind, ANSWER_BUDGET), depth()).broken.expect("the model sees nothing");
    assert!(promise.contains("ends"), "{promise}: {history:?}");
}

#[test]
fn an_answer_that_the_store_has_lost_and_nobody_writes_is_shown_for_ever_if_nobody_owes_it() {
    let unowed = Mended { owes: false, ..Mended::default() };
    let (history, promise) =
        search(Answering::new(unowed, ANSWER_BUDGET), depth()).broken.expect("the model sees nothing");
    assert!(history.contains(&AnswerStep::Log(Step::GoBack)), "{promise}: {history:?}");
}

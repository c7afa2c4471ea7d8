//! `GET /admin/api/events`: how the cluster fares, live, for the console. One look of this node serves all who watch.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde_json::{Value, json};
use sophie_actors::cluster::history::{History, TICK};
use sophie_actors::cluster::whereabouts;
use sophie_actors::protocol::timestamp_of;
use sophie_actors::protocol::unix_ms;
use sophie_actors::store::{StoreResult, Stores};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::http::{ApiError, Policy, State, server_sent};

/// Streams that a node serves at once. An operator has one for each open console.
const MOST: usize = 32;
/// How long those are asked to stay away for whom there is none, in seconds.
const COME_BACK_SECONDS: u64 = 5;

/// What the node remembers of the cluster, and those who watch it.
pub struct Live {
    history: Mutex<History>,
    /// The last look, as an event; empty before the first one.
    seen: watch::Sender<Bytes>,
}

impl Default for Live {
    fn default() -> Self {
        Self { history: Mutex::default(), seen: watch::Sender::new(Bytes::new()) }
    }
}

impl Live {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the cluster for ever. A look that fails (the store is away) is left out: the points go on where it is back.
pub async fn keep_looking(state: Data<State>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Ok((nodes, news)) = tokio::try_join!(whereabouts::nodes(&state.node), news(&state.node.stores)) else {
            continue;
        };
        let now_ms = unix_ms();
        let (point, of_day) = {
            let mut history = state.live.history();
            history.tick(now_ms, &nodes);
            (history.quarter().back().cloned(), history.day().back().cloned())
        };
        let here = state.node.roster.node();
        let look = json!({
            "at": timestamp_of(now_ms),
            "node": here,
            "nodes": nodes,
            "point": point,
            "day_point": of_day,
            "news": news,
        });
        state.live.seen.send_replace(event("figures", &look));
    }
}

/// What people and operators did last: a console that shows a list of it reads it again when this changes.
async fn news(stores: &Stores) -> StoreResult<Value> {
    let (waiting, newest) = tokio::try_join!(stores.desk.count(), stores.desk.newest())?;
    let (rated, acted) = tokio::try_join!(stores.feedback.newest(None, 1), stores.acts.newest(None, 1))?;
    let newest = newest.map(|it| json!({"group": it.group, "user": it.asker.user, "since": timestamp_of(it.since_ms)}));
    let (rated, acted) = (rated.first().map(|(name, _)| name), acted.first().map(|(name, _)| name));
    Ok(json!({"waiting": waiting, "newest": newest, "rating": rated, "act": acted}))
}

/// The way from one event to the next.
struct Watching {
    state: Data<State>,
    seen: watch::Receiver<Bytes>,
    /// Whom the node let in when this began: when that changes, who watches has to show the token again.
    policy: Arc<Policy>,
    first: Option<Bytes>,
}

impl Watching {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            () = self.state.goes() => None,
            changed = tokio::time::timeout(server_sent::QUIET, self.seen.changed()) => match changed {
                _ if !Arc::ptr_eq(&self.policy, &self.state.policy()) => None,
                Ok(Ok(())) => Some(self.seen.borrow_and_update().clone()),
                // The node sees nothing new, since its store is away.
                Err(_) => Some(Bytes::from_static(server_sent::KEEPALIVE)),
                Ok(Err(_)) => None,
            },
        }
    }
}

/// `GET /admin/api/events`: the points of the past, and then each look.
pub(super) async fn events(state: Data<State>) -> Result<HttpResponse, ApiError> {
    if state.live.seen.receiver_count() >= MOST {
        let message = "this node serves as many consoles as it can; close one, or come back later";
        return Err(ApiError::unavailable("overloaded", message, COME_BACK_SECONDS));
    }
    let seconds = |every: Duration| every.as_secs();
    let first = {
        let history = state.live.history();
        json!({
            "tick_seconds": seconds(TICK),
            "currency": state.policy().currency,
            "quarter": history.quarter(),
            "day": history.day(),
        })
    };
    let mut seen = state.live.seen.subscribe();
    let last = seen.borrow_and_update().clone();
    let mut begins = event("history", &first).to_vec();
    begins.extend_from_slice(&last);
    let watching = Watching { policy: state.policy(), state, seen, first: Some(begins.into()) };
    let events = stream::unfold(watching, async |mut watching| {
        let piece = watching.next().await?;
        Some((Ok::<_, Infallible>(piece), watching))
    });
    Ok(server_sent::response().streaming(Box::pin(events)))
}

fn event(name: &str, data: &serde_json::Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
